"""Pictures of an evaluated episode: frames, where the slots are, and the way from above."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper, unwrap_vec_wrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvObs, VecEnvStepReturn

from ocrl.visualization import Image, enlarge, image_grid, segmentation_strip
from ocrl.wrappers.token_stream import TokenStream
from ocrl_agents.finetuning import VecFrameObservation
from ocrl_agents.vec_env import VecSlotObservation
from ocrl_envs.protocols import HasMap
from ocrl_studies.environments import world_of

HEIGHT = 128
SMALLEST_MAP = 192


class Spectator(VecEnvWrapper):
    """Notes what the first environment shows in the first episode, now and then.

    Args:
        venv: what is watched; nothing about it changes.
        num_frames: how many frames are noted.
        every: decisions between two of them.
    """

    def __init__(self, venv: VecEnv, num_frames: int, every: int) -> None:
        super().__init__(venv)
        self._num_frames, self._every = num_frames, every
        self._stream = _stream_of(venv)
        world = world_of(venv)
        self._world = world if isinstance(world, HasMap) else None
        self._frames: list[Image] = []
        self._masks: list[npt.NDArray[np.float32]] = []
        self._trail: list[npt.NDArray[np.floating[Any]]] = []
        self._map: Image | None = None
        self._step = 0
        self._watching = False

    def reset(self) -> VecEnvObs:
        """Reset all environments."""
        observations = self.venv.reset()
        self._watching = self._step == 0
        self._note()
        return observations

    def step_wait(self) -> VecEnvStepReturn:
        """Step all environments."""
        observations, rewards, dones, infos = self.venv.step_wait()
        self._step += 1
        self._watching &= not dones[0]
        self._note()
        return observations, rewards, dones, infos

    def picture(self) -> Image | None:
        """Return frames over masks, the map at their right; None if nothing was to be seen."""
        if not self._frames:
            return None
        video: Image = np.stack(self._frames)
        frames: Image = enlarge(video, HEIGHT)
        strip = image_grid([frames])
        if self._masks:
            masks = torch.from_numpy(np.stack(self._masks))
            strip = segmentation_strip(
                torch.from_numpy(video), masks, num_frames=len(video), height=HEIGHT
            )
        if self._map is None:
            return strip
        height = max(len(strip), len(self._map))
        return image_grid([[_on_white(strip, height), _on_white(self._map, height)]], gap=8)

    def _note(self) -> None:
        if not self._watching:
            return
        if self._world is not None:
            self._trail.append(self._world.places()[0])
        if self._step % self._every:
            return
        frame = self._frame()
        if frame is not None:
            self._frames.append(frame.copy())
        if self._stream is not None and self._stream.last_masks is not None:
            self._masks.append(self._stream.last_masks[0])
        if self._world is not None:
            size = max(SMALLEST_MAP, HEIGHT * (2 if self._masks else 1))
            self._map = _without_margin(self._world.draw_map(0, np.array(self._trail), size))
        self._watching = len(self._frames) < self._num_frames

    def _frame(self) -> Image | None:
        if self._stream is not None and self._stream.last_frames is not None:
            seen: Image = self._stream.last_frames[0]
            return seen
        return None if self._world is None else self._world.frames()[0]


def _stream_of(venv: VecEnv) -> TokenStream | None:
    tokens = unwrap_vec_wrapper(venv, VecSlotObservation)
    frames = unwrap_vec_wrapper(venv, VecFrameObservation)
    wrapper = frames if tokens is None else tokens
    return None if wrapper is None else wrapper.stream


def _without_margin(image: Image) -> Image:
    """Cut off the rows above and below that are in one colour."""
    rows = np.flatnonzero((image != image[0, 0]).any((1, 2)))
    inside: Image = image[rows[0] : rows[-1] + 1]
    return inside


def _on_white(image: Image, height: int) -> Image:
    return np.pad(image, ((0, height - len(image)), (0, 0), (0, 0)), constant_values=255)
