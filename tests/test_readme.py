"""What the README tells people to run does run."""

import re
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ocrl import save_encoder
from ocrl_studies.composition import compose

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


class Stripes(gymnasium.Env):
    """Stands in for the user's environment: RGB frames of a size that is not the encoder's."""

    observation_space = spaces.Box(0, 255, (96, 96, 3), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.observe(), {}

    def step(self, action):
        self.time += 1
        return self.observe(), 1.0, False, self.time == 20, {}

    def observe(self):
        return np.full((96, 96, 3), 5 * self.time, np.uint8)


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    cfg = compose("pretrain_slots")
    model = OmegaConf.to_container(cfg.encoder.model, resolve=True)
    save_encoder(tmp_path / "encoder.safetensors", instantiate(model), model)
    monkeypatch.chdir(tmp_path)


def test_wrapping_an_environment_of_ones_own(encoder, monkeypatch):
    monkeypatch.setattr(gymnasium, "registry", dict(gymnasium.registry))
    gymnasium.envs.registration.registry.pop("CarRacing-v3", None)
    gymnasium.register("CarRacing-v3", Stripes)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code.strip().splitlines()) <= 10
    exec(code.replace("500_000", "2048").replace("n_epochs=4", "n_epochs=1"), {})


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("script", sorted(set(re.findall(r"python (scripts/\w+\.py)", README))))
def test_scripts_exist(script):
    assert (ROOT / script).exists()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert all(f"\n{target}:" in makefile for target in targets)


def test_published_settings_are_counted():
    own = {"demo", "full", "quick", "smoke", "small_things", "savi_movi_a_like"}
    pages = {path.stem for path in (ROOT / "configs/experiment").glob("*.yaml")} - own
    pages = {page for page in pages if not page.endswith("_sprites")}
    (more,) = re.findall(r"experiment=(\w+)` and (\d+) more", README)
    assert more[0] in pages
    assert int(more[1]) == len(pages) - 1


def test_encoders_with_recordings_are_counted():
    recordings = {path.name.partition("_mini")[0] for path in ROOT.glob("tests/golden/*_mini*.gz")}
    assert f"{['Twelve', 'Thirteen', 'Fourteen'][len(recordings) - 12]} of them are" in README
    names = README.lower()
    assert all(name in names for name in recordings)


def test_the_front_page_is_short():
    assert len(README.split()) < 1200
