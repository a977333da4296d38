"""Vector environments as stable-baselines3 wants them: native batches, and slots on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from ocrl.encoder import Encoder
from ocrl.errors import UsageError
from ocrl.wrappers.token_stream import TokenStream


def environment_seeds(seed: int | Sequence[int], num_envs: int) -> list[int]:
    """Return independent seeds for N environments, from one number or several.

    stable-baselines3 takes `seed, seed + 1, ...`, so that the runs of seeds 0 and 1 share all
    environments but one.

    >>> environment_seeds(0, 2), environment_seeds(1, 2)
    ([2968811710, 3677149159], [1835504127, 1731038949])
    """
    return [int(word) for word in np.random.SeedSequence(seed).generate_state(num_envs)]


def set_seeds(venv: VecEnv, seeds: Sequence[int | None]) -> list[int | None]:
    """Give each environment its own seed, to be used at the next reset; None: it draws on."""
    # stable-baselines3 has no other way to set them one by one
    venv.unwrapped._seeds = [*seeds]
    return [*seeds]


def stack_observations(observations: Sequence[Any]) -> Any:
    """Return a batch of single observations: an array, or a dictionary of arrays.

    >>> stack_observations([{"speed": np.zeros(2)}, {"speed": np.ones(2)}])["speed"].shape
    (2, 2)
    """
    if isinstance(observations[0], dict):
        return {key: np.stack([o[key] for o in observations]) for key in observations[0]}
    return np.stack(observations)


class GymnasiumVecEnv(VecEnv):
    """A Gymnasium vector environment as a stable-baselines3 `VecEnv`, without subprocesses.

    An environment that simulates all its mazes in one batched step stays one batched step.
    `infos` are empty but for ended episodes, which hold `terminal_observation`,
    `TimeLimit.truncated` and what the environment says in `final_info`. Reset options that differ
    between environments reach a batched environment as one list for each key.

    Args:
        envs: a vector environment that resets itself in the same step.

    Raises:
        UsageError: if it resets itself at another time.
    """

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        if envs.metadata.get("autoreset_mode") != AutoresetMode.SAME_STEP:
            raise UsageError(
                f"stable-baselines3 needs episodes that restart in the same step, {envs} has "
                f"{envs.metadata.get('autoreset_mode')}: make it with "
                "autoreset_mode=AutoresetMode.SAME_STEP"
            )
        self.envs = envs
        self._actions: npt.NDArray[Any] = np.zeros(0)
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> VecEnvObs:
        """Reset all environments, with the seeds and options set beforehand."""
        seeds = None if all(seed is None for seed in self._seeds) else self._seeds
        # a vector environment takes one seed for each, its base class says int alone
        reset_seeds: Any = seeds
        options = _merge(self._options)
        observations, infos = self.envs.reset(seed=reset_seeds, options=options or None)
        self.reset_infos = [_info_of(infos, i) for i in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        batch: VecEnvObs = observations
        return batch

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step all environments."""
        observations, rewards, terminations, truncations, infos = self.envs.step(self._actions)
        dones = np.logical_or(terminations, truncations)
        rows: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in map(int, np.flatnonzero(dones)):
            rows[i] = _info_of(infos.get("final_info", {}), i)
            rows[i]["terminal_observation"] = infos["final_obs"][i]
            rows[i]["TimeLimit.truncated"] = bool(truncations[i] and not terminations[i])
        return observations, np.asarray(rewards, dtype=np.float32), dones, rows

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set independent seeds for the next reset."""
        return (
            super().seed(seed)
            if seed is None
            else set_seeds(self, environment_seeds(seed, self.num_envs))
        )

    def close(self) -> None:
        """Close the vector environment."""
        self.envs.close()

    def get_images(self) -> Sequence[npt.NDArray[Any] | None]:
        """Render every environment."""
        images: Any = self.envs.render()
        return [None] * self.num_envs if images is None else list(images)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the vector environment, which all environments share."""
        return [getattr(self.envs, attr_name) for _ in self._indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute of the vector environment, which all environments share."""
        setattr(self.envs, attr_name, value)

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Call a method of the vector environment once, for all environments."""
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [result for _ in self._indices(indices)]

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """Return False for each: there are no single environments to wrap."""
        return [False for _ in self._indices(indices)]

    def _indices(self, indices: VecEnvIndices) -> Iterable[int]:
        return self._get_indices(indices)


class VecSlotObservation(VecEnvWrapper):
    """Replaces the RGB observations of a stable-baselines3 `VecEnv` by an encoder's tokens.

    The same tokens as `ocrl.wrappers.VectorSlotObservation`, in one forward pass for all
    environments, wherever they run. `terminal_observation` is encoded with the slots of the
    episode that ended.

    Args:
        venv: any `VecEnv` whose observation is an RGB image, Box (H, W, 3) uint8 of any size, or
            a Dict that holds one.
        encoder: an encoder, or the path of a checkpoint. It is switched to eval mode.
        image_key: which entry of a Dict observation is the image. None: the only one there is.
        dtype: "float32", or "float16" to store dense grids in half the memory.
        device: where to encode. None: where the encoder is.
        precision: to encode in, "float32", "bfloat16", or "auto": bfloat16 where the device has it.

    Attributes:
        stream: what encodes, and keeps the slots.

    Raises:
        UsageError: if the observation holds no RGB image.
    """

    def __init__(
        self,
        venv: VecEnv,
        encoder: Encoder | str | Path,
        *,
        image_key: str | None = None,
        dtype: str = "float32",
        device: str | None = None,
        precision: str = "float32",
    ) -> None:
        self.stream = TokenStream(
            encoder,
            venv.observation_space,
            venv.num_envs,
            image_key=image_key,
            dtype=dtype,
            device=device,
            precision=precision,
        )
        super().__init__(venv, observation_space=self.stream.space)

    @property
    def last_masks(self) -> npt.NDArray[np.float32] | None:
        """Where each token looked in the last frames, (N, K, h, w), or None."""
        return self.stream.last_masks

    def reset(self) -> VecEnvObs:
        """Reset all environments and encode their first frames with fresh slots."""
        tokens: VecEnvObs = self.stream.reset(self.venv.reset())
        return tokens

    def step_wait(self) -> VecEnvStepReturn:
        """Encode the frames of all environments, each with the slots of its episode."""
        observations, rewards, dones, infos = self.venv.step_wait()
        finals = {
            int(i): infos[i]["terminal_observation"]
            for i in np.flatnonzero(dones)
            if "terminal_observation" in infos[i]
        }
        tokens, final_tokens = self.stream.step(observations, dones, finals)
        infos = [
            {**info, "terminal_observation": final_tokens[i]} if i in final_tokens else info
            for i, info in enumerate(infos)
        ]
        return tokens, rewards, dones, infos

    def get_state(self) -> dict[str, npt.NDArray[Any]]:
        """Return the slots of each environment."""
        return self.stream.get_state()

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on with the slots that `get_state` returned."""
        self.stream.set_state(state)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Set independent seeds for the next reset."""
        return (
            super().seed(seed)
            if seed is None
            else set_seeds(self, environment_seeds(seed, self.num_envs))
        )


def _merge(options: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one dictionary: as it is if it is the same for all, else with a list for each key."""
    if all(other == options[0] for other in options):
        return options[0]
    if any(other.keys() != options[0].keys() for other in options):
        raise UsageError(
            "the environments of a batch have reset options of different names: give each the same"
        )
    return {key: [other[key] for other in options] for key in options[0]}


def _info_of(infos: dict[str, Any], index: int) -> dict[str, Any]:
    """Return what a vector environment's batched infos say of one environment."""
    return {
        key: _info_of(value, index) if isinstance(value, dict) else value[index]
        for key, value in infos.items()
        if f"_{key}" in infos and infos[f"_{key}"][index]
    }
