"""The frames of Minari datasets, collected here or elsewhere, as videos."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ocrl.data.array_files import check_ratio
from ocrl.data.rollouts import dataset_folder
from ocrl.data.videos import ArrayVideos, Videos
from ocrl.errors import UsageError
from ocrl.extras import name_extras
from ocrl.reading import check_regular, parsing, read_object, reading
from ocrl.rgb import is_rgb

with name_extras():
    import minari  # whose extra is named; it brings h5py

    # isort: split
    import h5py

ADVICE = "copy these rollouts again, or collect them again"

FIELDS = {"observation_space": str, "action_space": str, "data_format": str}
"""What the list of a dataset has, and of which type."""


def load_rollouts(dataset_id: str, *, in_memory: bool = True) -> Videos:
    """Return the episodes of a Minari dataset as videos.

    Args:
        dataset_id: Minari's name of the dataset, below ``MINARI_DATASETS_PATH``.
        in_memory: read all frames once into one array; otherwise each piece is read from disk.

    Raises:
        UsageError: there is no such dataset, or its observations are no RGB frames.
    """
    folder = dataset_folder(dataset_id)
    if not folder.exists():
        raise UsageError(f"there is no dataset {dataset_id} in {folder.parent}: collect it first")
    # without spaces Minari would make the environment that the file names, whatever that runs
    read_object(folder / "data/metadata.json", "list of rollouts", ADVICE, fields=FIELDS)
    for path in (folder / "data").iterdir():
        check_regular(path, "file of rollouts")
    with parsing(folder, "rollouts", ADVICE):
        dataset = minari.load_dataset(dataset_id)
        image_key = _image_key(dataset.observation_space, dataset_id)
        if dataset.storage.FORMAT == "hdf5":
            check_episodes(dataset, image_key)
        return _read_all(dataset, image_key) if in_memory else LazyRollouts(dataset, image_key)


def _image_key(space: spaces.Space[Any], dataset_id: str) -> str | None:
    """Return which entry of the observations is the frame, None when they are the frame."""
    if is_rgb(space):
        return None
    if isinstance(space, spaces.Dict):
        images = [name for name, entry in space.items() if is_rgb(entry)]
        if "frames" in images:
            return "frames"
        if len(images) == 1:
            return images[0]
    raise UsageError(
        f"the observations of {dataset_id} are {space}: expected RGB frames, Box (H, W, 3) uint8, "
        "or a Dict with one such entry"
    )


def check_episodes(dataset: minari.MinariDataset, image_key: str | None) -> None:
    """Raise UsageError unless frames and segments of each episode are what the dataset says.

    Args:
        dataset: kept in HDF5.
        image_key: see `LazyRollouts`.
    """
    space = dataset.observation_space
    entries = {_entry(image_key): space if image_key is None else space[image_key]}
    if _has_segments(space):
        entries[_entry("segments")] = space["segments"]
    jpeg = dataset.storage.metadata.get("jpeg_encoding", True)
    path = dataset.storage.data_path / "main_data.hdf5"
    with h5py.File(path, "r") as file:
        for episode in dataset.episode_indices:
            group = file[f"episode_{episode}"]
            shapes = set()
            for name, expected in entries.items():
                if jpeg and is_rgb(expected):
                    continue
                data = group[name]
                shapes.add(len(data))
                check_ratio(path, data.nbytes, data.id.get_storage_size())
                if data.shape[1:] != expected.shape or data.dtype != expected.dtype:
                    raise ValueError(f"{data.name} is {data.dtype} {data.shape}, not {expected}")
            if shapes - {int(group.attrs["total_steps"]) + 1}:
                raise ValueError(f"episode {episode} has {shapes} frames")


def _entry(key: str | None) -> str:
    """Return the name of an entry of the observations in an episode; None: they are the entry."""
    return "observations" if key is None else f"observations/{key}"


def _has_segments(space: spaces.Space[Any]) -> bool:
    return isinstance(space, spaces.Dict) and "segments" in space.spaces


def _read_all(dataset: minari.MinariDataset, image_key: str | None) -> ArrayVideos:
    space = dataset.observation_space
    has_segments = _has_segments(space)
    frame_space = space if image_key is None else space[image_key]
    num_frames = dataset.total_steps + dataset.total_episodes
    frames = np.empty((num_frames, *frame_space.shape), np.uint8)
    segments = None
    if has_segments:
        segments = np.empty((num_frames, *space["segments"].shape), space["segments"].dtype)
    lengths = []
    end = 0
    for episode in dataset.iterate_episodes():
        observations = episode.observations
        images = observations if image_key is None else observations[image_key]
        start, end = end, end + len(images)
        frames[start:end] = images
        if segments is not None:
            segments[start:end] = observations["segments"]
        lengths.append(len(images))
    if end != num_frames:
        raise ValueError(f"it has {end} frames, its list says {num_frames}")
    return ArrayVideos(frames, lengths, segments)


class LazyRollouts(Videos):
    """Episodes of a Minari dataset that is too large for memory.

    Args:
        dataset: stored without JPEG encoding, as ``collect_rollouts`` does.
        image_key: which entry of the observations is the frame, None when they are the frame.

    Raises:
        UsageError: the frames are JPEG-encoded.
    """

    def __init__(self, dataset: minari.MinariDataset, image_key: str | None) -> None:
        if dataset.storage.metadata.get("jpeg_encoding", True):
            raise UsageError(
                f"{dataset.spec.dataset_id} holds JPEG frames, which cannot be read piece by "
                "piece: load it with in_memory=true, or make it with jpeg_encoding=False"
            )
        space = dataset.observation_space
        self.has_segments = _has_segments(space)
        episodes = dataset.storage.get_episode_metadata(dataset.episode_indices)
        self.lengths = np.array([episode["total_steps"] + 1 for episode in episodes])
        self._episodes = dataset.episode_indices
        self._path = dataset.storage.data_path / "main_data.hdf5"
        self._image_key = image_key
        self._file: h5py.File | None = None
        self._process = 0

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Read frames of an episode, uint8 (T, H, W, 3)."""
        return self._read(video, _entry(self._image_key), start, stop)

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Read segments of an episode, integers (T, H, W)."""
        return self._read(video, _entry("segments"), start, stop)

    def _read(self, video: int, entry: str, start: int, stop: int) -> NDArray[Any]:
        with reading(self._path, "rollouts", ADVICE):
            if self._file is None or self._process != os.getpid():
                # An open file does not survive the fork of a loader's worker.
                self._file = h5py.File(self._path, "r")
                self._process = os.getpid()
            piece: NDArray[Any] = self._file[f"episode_{self._episodes[video]}/{entry}"][start:stop]
        return piece

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}
