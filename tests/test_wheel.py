"""One wheel, outside of the clone and beside other people's packages: it is found, and it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="pip install 'ocrl[dev]' brings what builds the wheel")

ROOT = Path(__file__).parents[1]
LINES = """
import gymnasium, numpy, ocrl_studies
from gymnasium import spaces
from ocrl import create_encoder
from ocrl_agents.training import make_ppo
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
import agents, envs
assert agents.WHOSE == envs.WHOSE == "somebody else's"
assert "site" in ocrl_studies.__file__
class Stripes(gymnasium.Env):
    observation_space = spaces.Box(0, 255, (64, 64, 3), numpy.uint8)
    action_space = spaces.Discrete(2)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.observation_space.sample(), {}
    def step(self, action):
        return self.observation_space.sample(), 1.0, False, False, {}
gymnasium.register("Stripes-v0", Stripes)
stripes = gymnasium.make_vec("Stripes-v0", 2, vector_kwargs={"autoreset_mode": "SameStep"})
encoder = create_encoder("slotcontrast", image_size=(64, 64), num_slots=7)
venv = VecSlotObservation(GymnasiumVecEnv(stripes), encoder)
make_ppo(venv, seed=0, n_steps=8, batch_size=16, calibration_steps=2).learn(16)
maze = gymnasium.make("ocrl_envs:ocrl/NavMaze-v0")
frame, _ = maze.reset(seed=0)
assert frame.shape == (64, 64, 3)
"""
VERBS = ("collect-rollouts", "pretrain-slots", "train-agent", "evaluate-transfer")
CONFIGURATIONS = f"""
import sys
from hydra.core.global_hydra import GlobalHydra
from ocrl_studies.main import main
for verb in {VERBS}:
    GlobalHydra.instance().clear()
    sys.argv[1:] = [verb, "--cfg", "job"]
    main()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, without its dependencies, beside packages called agents and envs."""
    home = tmp_path_factory.mktemp("home")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = home / "wheels"
    flags = ["--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([*pip, "wheel", *flags, str(wheels), str(ROOT)], check=True)
    (wheel,) = wheels.glob("ocrl-*.whl")
    target = ["--no-deps", "--target", str(home / "site")]
    subprocess.run([*pip, "install", *target, str(wheel)], check=True)
    for name in ("agents", "envs"):
        (home / name).mkdir()
        (home / name / "__init__.py").write_text('WHOSE = "somebody else\'s"\n')
    return home


def call(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder of somebody else, with the wheel on its path."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(home / "site"), str(home)]),
        "MINARI_DATASETS_PATH": str(home / "minari"),
        "NUMBA_DISABLE_JIT": "1",  # one frame is drawn sooner than kernels are compiled
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)


def test_an_encoder_an_agent_and_a_maze(home: Path) -> None:
    done = call(home, "-c", LINES)
    assert done.returncode == 0, done.stderr


def test_the_verbs_find_their_configurations(home: Path) -> None:
    listed = call(home, "-m", "ocrl_studies")
    assert listed.returncode == 0, listed.stderr
    assert all(f"\n  {verb} " in listed.stdout for verb in VERBS)
    script = (home / "site/bin/ocrl").read_text()
    assert "ocrl_studies.main" in script
    done = call(home, "-c", CONFIGURATIONS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nenv:\n") == len(VERBS)


def test_a_missing_extra_is_one_line(home: Path) -> None:
    hide = "import sys; sys.modules['lightning'] = None; sys.argv[1:] = ['pretrain-slots'];"
    done = call(home, "-c", f"{hide} from ocrl_studies.main import main; main()")
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "pip install 'ocrl[pretrain]'" in done.stderr


def test_words_complete(home: Path) -> None:
    line = "pretrain_slots.py encoder=slotcontrast_re"
    run = "from ocrl_studies.main import run; run('pretrain_slots')"
    words = f"import os, sys; os.environ.update(COMP_LINE={line!r}, COMP_POINT='{len(line)}');"
    done = call(home, "-c", f"{words} sys.argv[1:] = ['-sc', 'query=bash']; {run}")
    assert "encoder=slotcontrast_recurrent" in done.stdout, done.stderr
