"""Rollouts are kept with all other data, unless Minari was told another place."""

import minari


def test_rollouts_are_in_the_data_folder(run, home, monkeypatch):
    # set first, so that it is taken back what the command sets
    monkeypatch.setenv("MINARI_DATASETS_PATH", "")
    monkeypatch.delenv("MINARI_DATASETS_PATH")
    few = ["env=custom", "env.id=CartPole-v1", "env.render_observation=true", "data.num_envs=2"]
    code, out, _ = run("collect_rollouts.py", *few, "data.num_steps.train=6", "split=train")
    assert code == 0
    assert str(home / "data" / "rollouts" / "ocrl" / "CartPole-v1" / "train-v0") in out
    assert minari.load_dataset("ocrl/CartPole-v1/train-v0").total_steps == 6
    code, _, err = run("pretrain_slots.py", *few, "data.num_steps.train=9")
    assert code == 2
    again = "collect_rollouts.py " + " ".join([*few, "data.num_steps.train=9"])
    assert f"{again} split=train overwrite=true" in err


def test_a_world_that_does_not_exist_leaves_nothing_behind(run, home, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(home / "new" / "rollouts"))
    code, _, err = run("pretrain_slots.py", "env=custom", "env.id=CartPoll-v1", "data_dir=new")
    assert code == 2
    assert "CartPole" in err
    assert not (home / "new").exists()
