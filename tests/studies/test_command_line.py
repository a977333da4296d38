"""Bad input on a command line ends in one line that names the nearest valid choice."""

import os
import sys

import pytest

from ocrl_studies import command_line
from ocrl_studies.composition import compose


def test_settings_reach_main(run, tmp_path):
    seen, code, _ = run("seed=3", "env=nav_maze_1")
    assert code == 0
    assert seen[0].seed == 3
    assert seen[0].run_dir == f"{tmp_path}/pretrain/nav_maze_1/slotcontrast/seed=3"


@pytest.mark.skipif(sys.platform != "linux", reason="others have a screen")
@pytest.mark.parametrize(("screen", "driver"), [({}, "dummy"), ({"DISPLAY": ":0"}, None)])
def test_sdl_is_told_that_there_is_no_screen(run, monkeypatch, screen, driver):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.setenv(name, "")  # so that it is taken back what the command sets
        monkeypatch.delenv(name)
    for name, value in screen.items():
        monkeypatch.setenv(name, value)
    found = []
    _, code, error = run(main=lambda cfg: found.append(os.environ.get("SDL_VIDEODRIVER")))
    assert code == 0, error
    assert found == [driver]


def test_yaml_of_ones_own_is_found_where_it_is_said_to_be(run, tmp_path):
    """And by all that composes a second time."""
    (tmp_path / "env").mkdir()
    text = "# @package _global_\ndefaults: [{override /simulator: gymnasium}]\n"
    world = "env: {name: own, id: CartPole-v1, kwargs: {}, train: {}, validation: {}, test: {}}"
    (tmp_path / "env/own.yaml").write_text(text + world)
    words = ["env=own", f"--config-dir={tmp_path}"]
    found = []
    _, code, error = run(
        *words, main=lambda cfg: found.append(compose("train_agent", ["env=own"]).env.id)
    )
    assert code == 0, error
    assert found == ["CartPole-v1"]


@pytest.mark.parametrize("word", ["clip_length=0", "nope=1", "encoder=nope"])
def test_what_is_refused_leaves_no_folder(run, tmp_path, monkeypatch, word):
    monkeypatch.chdir(tmp_path)
    _, code, _ = run(f"runs_dir={tmp_path}/runs", word)
    assert code == 2
    assert not list(tmp_path.iterdir())


def test_paths_of_runs_need_no_quotes(run):
    seen, code, _ = run("run_dir=runs/x/seed=0", "hydra.run.dir=.")
    assert code == 0
    assert seen[0].run_dir == "runs/x/seed=0"


@pytest.mark.parametrize("key", ["run_dir", "checkpoint"])
def test_what_the_name_of_an_environment_is_part_of_can_be_said(run, key):
    words = ["env=custom", "env.id=CartPole-v1", f"{key}=elsewhere"]
    seen, code, error = run(*words, name="train_agent")
    assert code == 0, error
    assert seen[0][key] == "elsewhere"


def test_an_experiment_overrides_what_the_scripts_say(run, tmp_path):
    seen, code, _ = run("experiment=demo", "pretraining.max_steps=7", name="train_agent")
    assert code == 0
    assert seen[0].total_steps == 40_000
    assert seen[0].pretraining.max_steps == 7
    assert seen[0].runs_dir == str(tmp_path)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("env=nav_maze_i", "nav_maze_1?"),
        ("encoder=slotcontrst", "did you mean slotcontrast"),
        ("pretraining.max_step=5", "did you mean pretraining.max_steps"),
        ("sed=1", "did you mean seed"),
        ("seed=many", "seed is a whole number"),
        ("resume=5", "resume is true or false"),
        ("pretraining.learning_rate=fast", "pretraining.learning_rate is a number"),
        ("no equals sign", "key=value"),
        ("env=custom", "env.id is needed"),
    ],
)
def test_bad_input_is_one_line(run, argument, expected):
    seen, code, err = run(argument)
    assert not seen
    assert code == command_line.EXIT_USAGE
    assert len(err.strip().splitlines()) == 1
    assert expected in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("seed=-1", "seed=-1: expected a whole number from 0 to 4294967295; the nearest is 0"),
        ("device=cuda", "device=cuda: this machine has 0 GPUs"),
        ("device=gpu", "device=gpu: expected cpu, cuda or auto"),
        ("num_threads=0", "the nearest is 1"),
        ("runs_dir=", "runs_dir=: expected a path"),
        ("clip_length=0", "clip_length=0: expected a whole number from 1"),
        ("pretraining.max_steps=0", "from 1; the nearest is 1"),
        ("pretraining.max_steps=-5", "from 1; the nearest is 1"),
        ("pretraining.learning_rate=1e30", "a number above 0 to 1; at most 1"),
        ("pretraining.learning_rate=0", "more than 0"),
        ("pretraining.gradient_clip=-1", "at least 0"),
        ("pretraining.precision=64", "one of 32-true, bf16-mixed"),
        ("encoder.image_size=[0,64]", "expected [height, width] in pixels"),
        ("encoder.num_slots=-3", "expected a whole number from 1 to 1024; the nearest is 1"),
        ("encoder.slot_dim=0", "expected a whole number from 1 to 65536"),
        ("encoder=air encoder.model.num_steps=9999", "the nearest is 1024"),
        ("encoder.image_size=64", "expected [height, width] in pixels"),
        ("data.num_steps.train=0", "data.num_steps.train=0"),
        ("crops.large_area=a @pretrain_backbone", "[smallest, largest] share of a frame"),
        ("crops.large_area=[0.5] @pretrain_backbone", "such as [0.25,1.0]"),
        ("+data.seed.a=3", "there is no setting 'data.seed.a'"),
        ("+env.id.name=3", "there is no setting 'env.id.name'"),
        ("env.vectorization=None", "one of native, sync, async"),
        ("env.name=1.5", "env.name is a text, for example env.name=nav_maze_1"),
        ("env.policies={a:1}", "env.policies={a:1}: write it as the default is"),
        ("env.policies=3", "env.policies is a list"),
        ("env.test=3", "env.test is a group of settings, such as env.test.split=..."),
        ("env.test.split=north", "one of train, validation, test"),
        ("env.train.num_layouts=inf", "a whole number from 1 or null"),
        ("data_dir={}", "data_dir is a text, for example data_dir=data"),
        ("trusted=true", "trusted is a list"),
        ("splits=[nope] @generate_scenes", "one of train, validation, test"),
        ("num_layouts=[0] @transfer_study", "num_layouts=[0]: expected a list"),
        ("agent=3", "agent=3 does not exist"),
        ("=3", "cannot read '=3': write it as key=value"),
        ("-x", "there is no option -x"),
        ("~seed", "settings are changed, not taken out"),
        ("experiment=smokee", "did you mean smoke?"),
        ("+pretraining.speed=3", "there is no setting 'pretraining.speed'"),
        ("+speed=3", "there is no setting 'speed'"),
        ("~pretraining.max_steps", "not taken out"),
        ("pretraining.max_steps.more=3", "pretraining.max_steps"),
        ("agent.model.gamma=2 @train_agent", "a number from 0 to 1; at most 1"),
        ("total_steps=0 @train_agent", "total_steps=0"),
        ("agent.precision=int8 @train_agent", "one of float32, bfloat16, auto"),
        ("score=nope @evaluate_transfer", "score=nope: expected one of return, success"),
        ("env.unseen.shift=nope @evaluate_transfer", "layout, size, texture"),
        ("episodes=0 @evaluate_transfer", "episodes=0"),
        ("probe.num_steps=0 @probe_tokens", "probe.num_steps=0: expected a whole number from 1"),
        ("+env.vetcorization=1", "did you mean env.vectorization"),
        ("+env.train.num_layout=3", "there is no setting 'env.train.num_layout'"),
        ("simulator={", "cannot read 'simulator={': write it as key=value"),
        ("data='", "write it as key=value"),
        (
            "name=movi_c split=test +folder.name=3 @convert_data",
            "expected a path; such as runs",
        ),
        ("trusted.a=3", "trusted.a=3: trusted is a list, and has no parts"),
        ("limit={} name=coco @convert_data", "limit={}: expected a whole number from 1 or null"),
        ("++env.train.num_layouts.a=3", "expected a whole number from 1 or null"),
        ("env.kwargs.level=null", "env.kwargs.level=null: env.kwargs.level is a text"),
        ("env.policies=null", "env.policies is a list, for example"),
        ("env.kwargs.action_repeat=${oc.env:HOME}", "action_repeat is a whole number"),
        ("env=custom env.id=null", "env.id=null: expected a text; give one"),
        ("name=inf @convert_data", "name=inf: expected a text; quoted it is one, \"'inf'\""),
        ("path=1.5 checkpoint=a @segment", "path=1.5: expected a path"),
        ("encoder.model=nope", "encoder.model is a group of settings"),
        ("encoder=ground_truth encoder.model=nope @train_agent", "a class as _target_"),
        ("pretraining=[64]", "pretraining=[64] does not exist: choose from backbone, default"),
        ("experiment=null", "experiment=null does not exist"),
        ("data_dir=2 @compare_encoders", "data_dir=2: expected a path"),
        ("data.policy=[] @transfer_study", "data.policy is a text, for example data.policy=auto"),
        ("agent.model.n_epochs=${nope} @transfer_study", "Interpolation key 'nope' not found"),
    ],
)
def test_what_a_setting_may_not_be_is_one_line_and_leaves_nothing(
    run, tmp_path, monkeypatch, arguments, expected
):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    argument, _, name = arguments.partition(" @")
    seen, code, err = run(*argument.split(), name=name or "pretrain_slots")
    assert not seen
    assert code == command_line.EXIT_USAGE
    assert len(err.strip().splitlines()) == 1
    assert expected in err
    assert not list(tmp_path.iterdir())


def test_settings_made_of_missing_ones_can_be_given(run):
    seen, code, _ = run("name=movi_c", "folder=elsewhere", "split=test", name="convert_data")
    assert code == 0
    assert (seen[0].folder, seen[0].split) == ("elsewhere", "test")
    seen, code, _ = run("env=custom", "env.id=CartPole-v1", "run_dir=elsewhere")
    assert code == 0
    assert seen[0].run_dir == "elsewhere"


def test_auto_is_the_best_device_that_there_is(run, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    seen, code, _ = run("device=auto")
    assert code == 0
    assert seen[0].device == "cpu"
