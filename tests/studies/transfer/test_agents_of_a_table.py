"""Which agents are evaluated, and what is not played twice."""

import pytest
from omegaconf import OmegaConf

from ocrl.errors import UsageError
from ocrl_agents.training import LAST
from ocrl_studies.transfer.evaluation import check_world, copy_episodes, find_agents


@pytest.fixture
def folder(tmp_path):
    for name in ("slotcontrast/seed=0", "slotcontrast/seed=1", "vector/seed=0"):
        run = tmp_path / name
        run.mkdir(parents=True)
        (run / LAST).touch()
        encoder = {"name": run.parent.name}
        config = {"encoder": encoder, "env": {"train": {}}, "total_steps": 9}
        OmegaConf.save(OmegaConf.create(config), run / "config.yaml")
    return tmp_path


def found(folder, *patterns):
    return [path.relative_to(folder).as_posix() for path in find_agents(folder, *patterns)]


def test_all_agents_are_found_or_those_that_are_named(folder):
    everyone = ["slotcontrast/seed=0", "slotcontrast/seed=1", "vector/seed=0"]
    assert found(folder) == everyone
    assert found(folder, ["vector/*", "slotcontrast/seed=1", "vector/seed=0"]) == everyone[1:]
    with pytest.raises(UsageError, match=r"agents=\[grid/\*\]"):
        found(folder, ["grid/*"])


def test_agents_play_train_in_the_world_of_their_training():
    def config(**kwargs):
        return OmegaConf.create({"env": {"kwargs": kwargs}})

    own = config(looks="by_layout", action_repeat=4)
    check_world(own, config(looks="by_layout", action_repeat=2))  # which agents bring
    with pytest.raises(UsageError, match="looks=by_layout, here it is by_episode"):
        check_world(own, config(looks="by_episode", action_repeat=4))
    with pytest.raises(UsageError, match=r"number=None, here it is 3"):
        check_world(own, config(looks="by_layout", number=3))


def test_episodes_of_a_condition_that_is_the_training_are_copied(tmp_path):
    (tmp_path / "train.json").write_text("[]")
    (tmp_path / "train.png").write_bytes(b"png")
    copy_episodes(tmp_path / "train.json", tmp_path / "other/test.json")
    assert (tmp_path / "other/test.json").read_text() == "[]"
    assert (tmp_path / "other/test.png").read_bytes() == b"png"
