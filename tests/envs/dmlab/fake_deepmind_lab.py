"""A stand-in for the ``deepmind_lab`` module.

It checks its arguments, changes its state and fails as the real one was recorded to do, and shows
recorded episodes where there are recordings, made-up ones elsewhere. Actions change nothing.

What it has learned from the real one besides: generated maps depend on text and seed, so that each
seed compiles anew; a ring is drawn where an episode starts, whose phase follows the time of the
engine, not of the episode; compiler and engine print at each reset, past Python; a setting that is
no number ends the process; held-out levels want to be asked for; a build without graphics card
does not connect; and ``VEL.ROT`` stays zero while the agent turns.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

RECORDINGS = Path(__file__).parents[4] / "shared" / "dmlab"
FRAMES_PER_DECISION = 4
RING_FRAMES = 30
RING_ROWS = 8  # of 64, at the lower edge

compiled: list[tuple[str, int]] = []
"""(text, seed) of all maps that were compiled in this process."""
_engine_frames = 0

NAV_MAZE_SECONDS = {"01": 60, "02": 150, "03": 300}
SECONDS = {
    f"nav_maze_{kind}_{size}": seconds
    for kind in ("static", "random_goal")
    for size, seconds in NAV_MAZE_SECONDS.items()
} | {
    "seekavoid_arena_01": 20,
    "contributed/dmlab30/explore_goal_locations_small": 90,
    "contributed/dmlab30/rooms_collect_good_objects_train": 60,
    "contributed/dmlab30/rooms_collect_good_objects_test": 60,
}
NUMBERS = {"width", "height", "fps", "mixerSeed", "episodeLengthSeconds"}
ENGINE_SETTINGS = NUMBERS | {"minimalUI", "logLevel", "allowHoldOutLevels"}
GENERATED_LEVEL_SETTINGS = {"overrideEntityLayer", "overrideVariationsLayer"}

ACTIONS = {
    "LOOK_LEFT_RIGHT_PIXELS_PER_FRAME": (-512, 512),
    "LOOK_DOWN_UP_PIXELS_PER_FRAME": (-512, 512),
    "STRAFE_LEFT_RIGHT": (-1, 1),
    "MOVE_BACK_FORWARD": (-1, 1),
    "FIRE": (0, 1),
    "JUMP": (0, 1),
    "CROUCH": (0, 1),
}


class Lab:
    """What ``deepmind_lab.Lab`` is, as far as the recordings tell."""

    def __init__(
        self,
        level: str,
        observations: list[str],
        config: dict[str, str] | None = None,
        renderer: str = "software",
        level_cache: Any = None,
    ):
        if not isinstance(observations, list):
            raise TypeError(f"argument 2 must be list, not {type(observations).__name__}")
        self._config = dict(config or {})
        if not all(isinstance(text, str) for item in self._config.items() for text in item):
            raise TypeError("bad argument type for built-in operation")
        if renderer not in ("software", "hardware"):
            raise RuntimeError(
                f'Failed to set renderer must be "hardware" or "software" actual "{renderer}"!'
            )
        if level not in SECONDS:
            raise _init_error(
                f"Level not found: Failed to open file '<runfiles>/game_scripts/levels/{level}.lua'"
            )
        if renderer == "hardware":
            raise RuntimeError("Failed to connect RL API")
        if level.endswith("_test") and self._config.get("allowHoldOutLevels") != "true":
            raise _init_error("Held-out levels need the setting allowHoldOutLevels")
        self._is_generated = "explore_" in level
        known = set(ENGINE_SETTINGS)
        if self._is_generated:
            known |= GENERATED_LEVEL_SETTINGS
        for key in self._config.keys() - known:
            raise _init_error(f'Invalid setting: "{key}" = "{self._config[key]}"')
        for key in self._config.keys() & NUMBERS:
            if not self._config[key].replace(".", "", 1).isdigit():
                os.abort()
        self._width = int(self._config.get("width", 320))
        self._height = int(self._config.get("height", 240))
        if self._width % 4 or self._height % 4:
            raise _init_error("width and height must be multiples of 4")
        for name in observations:
            if name not in self._shapes():
                raise ValueError(f"Unknown observation '{name}'.")
        self.level = level
        self.seeds: list[int] = []
        self.actions: list[list[int]] = []
        self._observations = observations
        self._level_cache = level_cache
        self._entity_layer = self._config.get("overrideEntityLayer", "")
        seconds = float(self._config.get("episodeLengthSeconds", SECONDS[level]))
        self._length = round(60 * seconds)
        self._status = "uninitialised"
        self._num_steps = 0
        self._stale: dict[str, Any] | None = None
        self._last: dict[str, Any] | None = None

    def reset(self, episode: int = -1, seed: int | None = None) -> bool:
        if seed is None:
            seed = int(time.time())
        if not isinstance(seed, int):
            raise ValueError(f"'seed' must be int or None, was '{type(seed).__name__}'.")
        os.write(1, b"loading map\n")
        os.write(2, b"client connecting\n")
        if self._is_generated:
            self._compile(seed)
        self.seeds.append(seed)
        self._episode = _episode(self.level, seed)
        self._num_steps = 0
        self._status = "initialised"
        # The real one shows an old frame in some later resets; this one in every second.
        self._stale = self._last if len(self.seeds) % 2 == 0 else None
        return True

    def step(self, action: np.ndarray, num_steps: int = 1) -> float:
        if not isinstance(action, np.ndarray):
            raise TypeError(f"argument 1 must be numpy.ndarray, not {type(action).__name__}")
        if not self.is_running():
            raise RuntimeError("Environment in wrong status to advance.")
        if action.shape != (len(ACTIONS),):
            raise ValueError(f"action must have shape ({len(ACTIONS)})")
        if action.dtype != np.intc:
            raise ValueError("action must have dtype np.intc")
        self.actions.append(action.tolist())
        self._last = self._observe()
        before = self._num_steps // FRAMES_PER_DECISION
        self._num_steps += num_steps
        global _engine_frames
        _engine_frames += num_steps
        self._stale = None
        self._status = "running" if self._num_steps < self._length else "terminated"
        rewards = self._episode["rewards"]
        decisions = range(before, self._num_steps // FRAMES_PER_DECISION)
        return float(sum(rewards[t % len(rewards)] for t in decisions))

    def observations(self) -> dict[str, Any]:
        if not self.is_running():
            raise RuntimeError("Environment in wrong status for call to observations()")
        seen = self._stale or self._observe()
        return {name: seen[name] for name in self._observations}

    def events(self) -> list[Any]:
        if self._status in ("uninitialised", "closed"):
            raise RuntimeError("Environment in wrong status for call to events()")
        return []

    def is_running(self) -> bool:
        return self._status in ("initialised", "running")

    def num_steps(self) -> int:
        return self._num_steps

    def close(self) -> bool:
        was_open = self._status != "closed"
        self._status = "closed"
        return was_open

    def action_spec(self) -> list[dict[str, Any]]:
        return [{"min": low, "max": high, "name": name} for name, (low, high) in ACTIONS.items()]

    def observation_spec(self) -> list[dict[str, Any]]:
        return [
            {"name": name, "dtype": dtype, "shape": shape}
            for name, (dtype, shape) in self._shapes().items()
        ]

    def read_property(self, key: str) -> str:
        self._check_property(key)
        return self._entity_layer

    def write_property(self, key: str, value: str) -> None:
        self._check_property(key)
        self._entity_layer = value

    def properties(self, key: str) -> dict[str, int]:
        return {"params.overrideEntityLayer": 3} if self._is_generated and key == "params" else {}

    def _check_property(self, key: str) -> None:
        if not self._is_generated or key != "params.overrideEntityLayer":
            raise KeyError(f"'{key}' not found.")

    def _shapes(self) -> dict[str, tuple[type, tuple[int, ...]]]:
        size = (self._height, self._width)
        return {
            "RGB_INTERLEAVED": (np.uint8, (*size, 3)),
            "RGBD_INTERLEAVED": (np.uint8, (*size, 4)),
            "VEL.TRANS": (np.float64, (3,)),
            "VEL.ROT": (np.float64, (3,)),
            "INSTR": (str, ()),
            "DEBUG.POS.TRANS": (np.float64, (3,)),
            "DEBUG.POS.ROT": (np.float64, (3,)),
        }

    def _observe(self) -> dict[str, Any]:
        episode = self._episode
        t = self._num_steps // FRAMES_PER_DECISION % len(episode["frames"])
        rows = np.arange(self._height) * 64 // self._height
        columns = np.arange(self._width) * 64 // self._width
        rgb = episode["frames"][t].copy()
        if self._num_steps < RING_FRAMES:
            rgb[-RING_ROWS:] = _engine_frames % 256
        rgb = rgb[rows][:, columns]
        return {
            "RGB_INTERLEAVED": rgb,
            "RGBD_INTERLEAVED": np.concatenate([rgb, rgb[..., :1] // 2], axis=-1),
            "VEL.TRANS": episode["velocity"][t].astype(np.float64),
            "VEL.ROT": np.zeros(3),
            "INSTR": "",
            "DEBUG.POS.TRANS": episode["position"][t].astype(np.float64),
            "DEBUG.POS.ROT": episode["rotation"][t].astype(np.float64),
        }

    def _compile(self, seed: int) -> None:
        """Compile a map, a file with its text, unless the cache has it; textures are the seed's."""
        text = self._entity_layer or "generated\n"
        mixed = f"{text}{self._config.get('mixerSeed', 0)} {seed}"
        key = hashlib.md5(mixed.encode(), usedforsecurity=False).hexdigest()
        with tempfile.TemporaryDirectory() as folder:
            pk3_path = os.path.join(folder, "maze.pk3")
            if self._level_cache is not None and self._level_cache.fetch(key, pk3_path):
                return
            compiled.append((text, seed))
            Path(pk3_path).write_text(text)
            if self._level_cache is not None:
                self._level_cache.write(key, pk3_path)


def _init_error(message: str) -> RuntimeError:
    return RuntimeError(f'Failed to init environment - "{message}"')


@functools.lru_cache(maxsize=4)
def _episode(level: str, seed: int) -> dict[str, np.ndarray]:
    """Return a recorded episode of a level, or an invented one of 64 frames."""
    recordings = sorted(RECORDINGS.glob(f"{level}_*.npz")) if "/" not in level else []
    if recordings:
        with np.load(recordings[seed % len(recordings)]) as recording:
            return dict(recording)
    rng = np.random.default_rng(seed)
    rewards = np.zeros(64, np.float32)
    rewards[[2, 5, 9]] = 1, 11, -1
    return {
        "frames": rng.integers(0, 256, (64, 64, 64, 3), np.uint8),
        "rewards": rewards,
        **{name: rng.normal(size=(64, 3)) for name in ("position", "rotation", "velocity")},
    }
