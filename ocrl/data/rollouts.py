"""Rollouts of any Gymnasium vector environment as a Minari dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from tqdm import tqdm

from ocrl.errors import UsageError
from ocrl.extras import name_extras
from ocrl.files import PARTIAL, alone, check_room, write_text
from ocrl.rgb import check_rgb

with name_extras():
    import minari
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.dataset.minari_storage import MinariStorage

ROOM = 2**20
"""Bytes that HDF5 writes about an episode besides what is in it; without them it crashes."""

Policy = Callable[[NDArray[Any]], NDArray[Any]]
Extras = Callable[[], Mapping[str, NDArray[Any]]]


def collect_rollouts(
    env: VectorEnv[Any, Any, Any],
    policy: Policy,
    dataset_id: str,
    num_steps: int,
    *,
    seed: int,
    extras: Extras | None = None,
    skip_first: int = 0,
    description: str = "",
    policy_name: str = "unknown",
    notes: Mapping[str, str] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> minari.MinariDataset:
    """Run a policy and store every frame, action and reward.

    Observations are dictionaries: ``frames`` uint8 (H, W, 3), stored without loss, and whatever
    ``extras`` adds, for example ``segments`` uint16 (H, W) and ``position``. Episodes that are
    still running after the last step are stored as truncated. The dataset appears under its name
    when it is whole: a collection that was interrupted leaves none and starts afresh.

    Args:
        env: environments whose observation is an RGB image, with either kind of autoreset.
        policy: maps the observations of all environments to their actions.
        dataset_id: Minari's name of the dataset, such as ``maze/train-v0``; it is written below
            ``MINARI_DATASETS_PATH``.
        num_steps: environment steps to store, in all environments together.
        seed: of the environments' first reset.
        extras: returns further observations of the current frames, each (num_envs, ...). Needs
            ``AutoresetMode.NEXT_STEP``: with the other mode the last frame of an episode is gone
            when it could be asked.
        skip_first: steps at the beginning of each episode that are played but not stored, where
            its first frames show what the others never do.
        description: stored with the dataset, and shown by ``minari show``.
        policy_name: likewise.
        notes: texts that belong to the dataset, by the name of their file in its folder.
        overwrite: replace a dataset of the same name.
        progress: show a progress bar.

    Returns:
        The dataset, as ``minari.load_dataset(dataset_id)`` gives it.

    Raises:
        UsageError: a malformed name or one that is taken, or an environment that does not fit.
    """
    check_environment(env, extras)
    target = dataset_folder(dataset_id)
    if target.exists() and not overwrite:
        raise UsageError(
            f"the dataset {dataset_id} exists already in {target}: "
            "pass overwrite=true to replace it, or collect under another name"
        )
    observations, _ = env.reset(seed=seed)
    space = observation_space(env.single_observation_space, extras() if extras else {})
    with _beside(target) as folder:
        whole = folder / target.name
        storage = MinariStorage.new(
            whole / "data",
            observation_space=space,
            action_space=env.single_action_space,
            jpeg_encoding=False,
        )
        with tqdm(total=num_steps, desc=dataset_id, unit="step", disable=not progress) as bar:
            for episode in _episodes(env, policy, observations, num_steps, extras, skip_first, bar):
                check_room(whole, 2 * _size(episode) + ROOM)
                storage.update_episodes([episode])
        storage.update_metadata(
            {
                "dataset_id": dataset_id,
                "minari_version": version("minari"),
                "description": description,
                "algorithm_name": policy_name,
                "author": {f"ocrl {version('ocrl')}"},
                "seed": seed,
            }
        )
        for name, text in (notes or {}).items():
            write_text(whole / name, text)
        if target.exists():
            os.replace(target, folder / "replaced")
        os.replace(whole, target)
    return minari.load_dataset(dataset_id)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give an empty folder beside a dataset to write in; it is gone afterwards."""
    folder = target.with_name(f".{target.name}{PARTIAL}")
    with alone(folder, f"another process is collecting {target}: wait until it is done"):
        try:
            for each in ("replaced", target.name):  # which a process that was killed left
                shutil.rmtree(folder / each, ignore_errors=True)
            (folder / target.name).mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def dataset_folder(dataset_id: str) -> Path:
    """Return where Minari keeps a dataset, whether or not it is there.

    Raises:
        UsageError: the name is malformed.
    """
    try:
        parse_dataset_id(dataset_id)
    except (ValueError, TypeError):
        raise UsageError(
            f"{dataset_id!r} is no dataset name: expected (namespace/)name-v<number>, "
            "such as maze/train-v0"
        ) from None
    # as Minari's own get_dataset_path, which also makes the folder of all data sets
    root = os.environ.get("MINARI_DATASETS_PATH", Path.home() / ".minari" / "datasets")
    return Path(root) / dataset_id


def check_environment(env: VectorEnv[Any, Any, Any], extras: Extras | None) -> None:
    """Raise UsageError unless rollouts of the environments can be stored."""
    check_rgb(env.single_observation_space)
    mode = env.metadata.get("autoreset_mode")
    if mode not in (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP):
        raise UsageError(
            f"{env} has autoreset_mode {mode}: make it with AutoresetMode.NEXT_STEP or SAME_STEP"
        )
    if extras is not None and mode is not AutoresetMode.NEXT_STEP:
        raise UsageError(
            "ground truth of an episode's last frame is gone when the environment resets itself "
            "in the same step: make it with autoreset_mode=AutoresetMode.NEXT_STEP"
        )


def observation_space(
    frame_space: spaces.Space[Any], extras: Mapping[str, NDArray[Any]]
) -> spaces.Dict:
    """Return the space of one stored observation, given a batch of extras.

    Example:
        >>> frame_space = spaces.Box(0, 255, (64, 64, 3), np.uint8)
        >>> space = observation_space(frame_space, {"position": np.zeros((8, 2), np.float32)})
        >>> space["position"].shape
        (2,)
    """
    further = {}
    for name, batch in extras.items():
        limits: tuple[float, float] = (-np.inf, np.inf)
        if np.issubdtype(batch.dtype, np.integer):
            limits = (np.iinfo(batch.dtype).min, np.iinfo(batch.dtype).max)
        further[name] = spaces.Box(*limits, batch.shape[1:], batch.dtype.type)
    return spaces.Dict({"frames": frame_space, **further})


def _size(episode: EpisodeBuffer) -> int:
    """Return the bytes of an episode; HDF5 takes up to twice as many, in whole chunks."""
    arrays = [*episode.observations.values(), episode.actions]
    return sum(int(array.nbytes) for array in arrays) + 10 * len(episode.rewards)


@dataclass
class _Episode:
    """One running episode."""

    observations: dict[str, list[NDArray[Any]]]
    to_skip: int = 0
    actions: list[Any] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    terminations: list[bool] = field(default_factory=list)
    truncations: list[bool] = field(default_factory=list)

    def see(self, observation: dict[str, NDArray[Any]]) -> None:
        for name, values in self.observations.items():
            values.append(observation[name])

    def buffer(self) -> EpisodeBuffer:
        return EpisodeBuffer(
            observations={name: np.stack(values) for name, values in self.observations.items()},
            actions=np.stack(self.actions),
            rewards=self.rewards,
            terminations=self.terminations,
            truncations=self.truncations,
        )


def _episodes(
    env: VectorEnv[Any, Any, Any],
    policy: Policy,
    observations: NDArray[Any],
    num_steps: int,
    extras: Extras | None,
    skip_first: int,
    bar: tqdm[Any],
) -> Iterator[EpisodeBuffer]:
    """Step the environments, and yield each episode as it ends, the unfinished ones last."""
    same_step = env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    running = [_Episode(_lists(row), skip_first) for row in _rows(observations, extras)]
    ended = np.zeros(env.num_envs, dtype=np.bool_)
    stored = 0
    while stored < num_steps:
        actions = policy(observations)
        observations, rewards, terminations, truncations, infos = env.step(actions)
        for i, row in enumerate(_rows(observations, extras)):
            if ended[i]:
                running[i] = _Episode(_lists(row), skip_first)
                ended[i] = False
                continue
            episode = running[i]
            has_ended = bool(terminations[i] or truncations[i])
            if episode.to_skip and not has_ended:
                running[i] = _Episode(_lists(row), episode.to_skip - 1)
                continue
            last = {"frames": infos["final_obs"][i]} if same_step and has_ended else row
            episode.see(last)
            episode.actions.append(np.array(actions[i]))
            episode.rewards.append(float(rewards[i]))
            episode.terminations.append(bool(terminations[i]))
            episode.truncations.append(bool(truncations[i]))
            stored += 1
            if has_ended:
                yield episode.buffer()
                running[i] = _Episode(_lists(row), skip_first)
                ended[i] = not same_step
        bar.update(min(stored, num_steps) - bar.n)
    for episode in running:
        if episode.actions:
            episode.truncations[-1] = True
            yield episode.buffer()


def _rows(observations: NDArray[Any], extras: Extras | None) -> list[dict[str, NDArray[Any]]]:
    """Copy the observations of each environment out of the batch, which it may write again."""
    batch = {"frames": observations, **(extras() if extras is not None else {})}
    return [
        {name: np.array(values[i]) for name, values in batch.items()}
        for i in range(len(observations))
    ]


def _lists(observation: dict[str, NDArray[Any]]) -> dict[str, list[NDArray[Any]]]:
    return {name: [value] for name, value in observation.items()}
