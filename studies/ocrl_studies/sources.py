"""Where the videos of pretraining come from: one class per configuration in ``configs/data``."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from gymnasium.vector import AutoresetMode
from omegaconf import DictConfig, OmegaConf
from torch.utils.data import Dataset, Subset

from ocrl.data.clips import Clip, ClipDataset, MixedClips, evaluation_clips
from ocrl.data.conversion import open_published
from ocrl.data.mapped import MappedSegments
from ocrl.data.movi import NAMES as MOVI
from ocrl.data.recordings import load_recordings
from ocrl.data.rollout_videos import load_rollouts
from ocrl.data.rollouts import collect_rollouts, dataset_folder
from ocrl.data.shard_writer import Arrays, write_shards
from ocrl.data.shards import ShardVideos
from ocrl.data.transforms import Crop, Fitting, Interpolation
from ocrl.data.video_files import load_video_files
from ocrl.data.videos import Videos
from ocrl.errors import UsageError
from ocrl.files import write_text
from ocrl_envs.scenes import Recipe, generate_scenes
from ocrl_envs.sprites import SpriteRecipe
from ocrl_studies.env_wrappers import wrapper_settings
from ocrl_studies.environments import make_environments, settings
from ocrl_studies.invocation import call
from ocrl_studies.manifest import check, note
from ocrl_studies.rollouts import (
    SegmentKinds,
    ground_truth,
    merge_stuff,
    rollout_policy,
    segment_kinds,
    shrink,
)
from ocrl_studies.sprites import SpriteVideos


class Source(ABC):
    """Videos to train on and videos to score on.

    Attributes:
        run_name: names the videos in folders of runs and in tables.
    """

    run_name: str

    @property
    def kinds(self) -> SegmentKinds:
        """Kinds of the true segments, known once there are videos."""
        return SegmentKinds()

    @property
    def num_stuff(self) -> int:
        """True segments 0 .. num_stuff - 1 are no things."""
        return self.kinds.num_stuff

    @abstractmethod
    def training_videos(self) -> Videos:
        """Return the videos to train on."""

    @abstractmethod
    def scoring_videos(self) -> Videos:
        """Return videos that training does not see."""

    def training_clips(self, length: int, image_size: tuple[int, int]) -> Dataset[Clip]:
        """Return all clips of the videos to train on."""
        return ClipDataset(self.training_videos(), length, image_size=image_size)

    def scoring_clips(
        self, num: int | None, length: int | None, image_size: tuple[int, int]
    ) -> Subset[Clip]:
        """Return fixed clips of unseen videos, with true segments where there are any.

        Args:
            num: how many; None: all that do not overlap.
            length: frames of each; None: whole videos.
            image_size: (height, width) of the frames.
        """
        return evaluation_clips(self.scoring_videos(), length, num, image_size=image_size)


class Rollouts(Source):
    """Rollouts of an environment: trained on train layouts, scored on validation layouts."""

    def __init__(
        self,
        *,
        run_name: str,
        env: DictConfig,
        seed: int,
        policy: str,
        num_envs: int,
        num_steps: DictConfig,
        skip_first: int,
        image_size: tuple[int, int] | None,
        in_memory: bool,
    ) -> None:
        self.run_name = run_name
        # encoders see frames alone, whatever their agents observe besides
        plain = {"kwargs": {"velocity": False}} if "velocity" in env.kwargs else {}
        self.env = cast(DictConfig, OmegaConf.merge(env, plain))
        self.seed = seed
        self.policy = policy
        self.num_envs = num_envs
        self.num_steps = num_steps
        self.skip_first = skip_first
        # worlds of our own are asked for frames of a size, and draw no larger ones
        self.image_size: tuple[int, int] | None = None
        if image_size is not None and env.simulator == "gymnasium":
            self.image_size = image_size[0], image_size[1]
        self.in_memory = in_memory

    @property
    def kinds(self) -> SegmentKinds:
        """Kinds of the true segments, as the world named them when rollouts were collected.

        Raises:
            UsageError: no rollouts were collected, or by an earlier version.
        """
        paths = [self._kinds_path(str(split)) for split in self.num_steps]
        path = next((path for path in paths if path.exists()), paths[0])
        try:
            kinds = json.loads(path.read_text())
            return SegmentKinds(tuple(kinds["names"]), kinds["num_stuff"])
        except (OSError, ValueError, KeyError, TypeError):
            raise UsageError(
                f"cannot read the kinds of segments in {path}: collect these rollouts again with "
                "scripts/collect_rollouts.py overwrite=true"
            ) from None

    def training_videos(self) -> Videos:
        """Return rollouts on train layouts, collected first if there are none."""
        return self._videos("train")

    def scoring_videos(self) -> Videos:
        """Return rollouts on validation layouts, collected first if there are none."""
        return self._videos("validation")

    def dataset_id(self, split: str) -> str:
        """Return the Minari name of the rollouts of a split."""
        return f"ocrl/{self.run_name}/{split}-v0"

    def collect(self, split: str, *, overwrite: bool = False) -> None:
        """Collect rollouts on the layouts of a split.

        Raises:
            UsageError: there are some already, and ``overwrite`` is false.
        """
        environments = make_environments(
            self.env, self._variation(split), self.num_envs, AutoresetMode.NEXT_STEP
        )
        if self.image_size is not None:
            environments = shrink(environments, self.image_size)
        collect_rollouts(
            environments,
            rollout_policy(self.policy, environments, self.seed),
            self.dataset_id(split),
            self.num_steps[split],
            seed=self.seed,
            extras=ground_truth(environments),
            skip_first=self.skip_first,
            description=f"{self.policy} policy in {self.env.id}, {split} split",
            overwrite=overwrite,
        )
        write_text(self._kinds_path(split), json.dumps(segment_kinds(environments)._asdict()))
        environments.close()
        note(self._settings_path(split), self._settings(split))

    def _variation(self, split: str) -> DictConfig:
        variation: DictConfig = self.env.rollouts if split == "train" else self.env[split]
        return variation

    def _settings(self, split: str) -> dict[str, Any]:
        return {
            "data.policy": self.policy,
            "data.num_steps": self.num_steps[split],
            **({"data.skip_first": self.skip_first} if self.skip_first else {}),
            "env.id": self.env.id,
            "env.kwargs": settings(self.env.kwargs),
            "variation": settings(self._variation(split)),
            **({"data.image_size": self.image_size} if self.image_size else {}),
            **({"wrappers": wrapper_settings(self.env)} if wrapper_settings(self.env) else {}),
        }

    def _settings_path(self, split: str) -> Path:
        return dataset_folder(self.dataset_id(split)) / "made_with.json"

    def _kinds_path(self, split: str) -> Path:
        return dataset_folder(self.dataset_id(split)) / "segment_kinds.json"

    def _videos(self, split: str) -> Videos:
        dataset_id = self.dataset_id(split)
        if not dataset_folder(dataset_id).exists():
            print(f"There are no rollouts {dataset_id} yet: collecting them.")
            self.collect(split)
        check(
            self._settings_path(split),
            self._settings(split),
            f"the rollouts {dataset_id}",
            "give others a name of their own with data.run_name=..., or replace these with "
            f"scripts/collect_rollouts.py split={split} overwrite=true",
        )
        merge = partial(merge_stuff, num_stuff=self.num_stuff)
        return MappedSegments(load_rollouts(dataset_id, in_memory=self.in_memory), merge)


class Recordings(Source):
    """Recorded episodes in a folder; some are held out by their names."""

    def __init__(self, *, run_name: str, path: str, held_out: str) -> None:
        self.run_name = run_name
        self.path = path
        self.held_out = held_out

    def training_videos(self) -> Videos:
        """Return the episodes whose names do not match ``held_out``."""
        return load_recordings(self.path, exclude=self.held_out)

    def scoring_videos(self) -> Videos:
        """Return the episodes whose names match ``held_out``."""
        return load_recordings(self.path, self.held_out)


class VideoFiles(Source):
    """Plain video files in two folders, one to train on and one to look at."""

    def __init__(
        self,
        *,
        run_name: str,
        path: str,
        held_out: str,
        image_size: tuple[int, int],
        every: int,
    ) -> None:
        self.run_name = run_name
        self.path = path
        self.held_out = held_out
        height, width = image_size
        self.image_size = (height, width)
        self.every = every

    def training_videos(self) -> Videos:
        """Return the files of the first folder."""
        return load_video_files(self.path, self.image_size, every=self.every)

    def scoring_videos(self) -> Videos:
        """Return the files of the second folder."""
        return load_video_files(self.held_out, self.image_size, every=self.every)


class Shards(Source):
    """Videos in shards with the layout of the official data scripts, such as MOVi's."""

    def __init__(self, *, run_name: str, path: str) -> None:
        self.run_name = run_name
        self.path = path

    def training_videos(self) -> Videos:
        """Return the train split."""
        return ShardVideos(self.path, "train")

    def scoring_videos(self) -> Videos:
        """Return the validation split."""
        return ShardVideos(self.path, "validation")


class Published(Source):
    """A published data set: as shards if it was converted, else in its original folders.

    Frames are cropped and mirrored as the published settings have it.
    """

    def __init__(
        self,
        *,
        name: str,
        run_name: str,
        path: str,
        crop: Crop,
        flip: bool,
        scoring_crop: Crop,
        interpolation: Interpolation,
        skip_bad: bool,
    ) -> None:
        self.name = name
        self.run_name = run_name
        self.path = path
        self.training_fitting = Fitting(crop, flip, interpolation)
        self.scoring_fitting = Fitting(scoring_crop, interpolation=interpolation)
        self.skip_bad = skip_bad

    def training_videos(self) -> Videos:
        """Return the train split."""
        return self._open("train")

    def scoring_videos(self) -> Videos:
        """Return the validation split."""
        return self._open("validation")

    def training_clips(self, length: int, image_size: tuple[int, int]) -> Dataset[Clip]:
        """Return clips of the train split, cropped and mirrored at random if that is wanted."""
        return ClipDataset(
            self.training_videos(), length, image_size=image_size, fitting=self.training_fitting
        )

    def scoring_clips(
        self, num: int | None, length: int | None, image_size: tuple[int, int]
    ) -> Subset[Clip]:
        """Return fixed clips of the validation split, cropped as it is scored."""
        return evaluation_clips(
            self.scoring_videos(), length, num, image_size=image_size, fitting=self.scoring_fitting
        )

    def _open(self, split: str) -> Videos:
        if list(Path(self.path).glob(f"*-{split}-*.tar")):
            return ShardVideos(self.path, split)
        if self.name in MOVI:
            raise UsageError(
                f"there are no {split} shards of {self.name} in {self.path}: make them with  "
                f"{call('convert_data')} name={self.name} split={split} "
                f"folder={self.path}  or give another data.path"
            )
        return open_published(self.name, self.path, split, skip_bad=self.skip_bad)


class Scenes(Shards):
    """MOVi-like scenes in shards, generated if there are none."""

    def __init__(
        self,
        *,
        run_name: str,
        path: str,
        recipe: Recipe,
        num_videos: DictConfig,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(run_name=run_name, path=path)
        self.recipe = recipe
        self.num_videos = num_videos
        self.num_workers = num_workers
        self.seed = seed

    def training_videos(self) -> Videos:
        """Return the train split, generated first if there is none."""
        return self._videos("train")

    def scoring_videos(self) -> Videos:
        """Return the validation split, generated first if there is none."""
        return self._videos("validation")

    def generate(self, split: str, *, overwrite: bool = False) -> None:
        """Generate one split; splits differ in their seeds.

        Raises:
            UsageError: it is there already, and ``overwrite`` is false.
        """
        # Evaluation scenes stay the same whatever the seed of what is trained on.
        seed = {"train": 2 + self.seed, "validation": 0, "test": 1}[split]
        total = self.num_videos[split]

        def arrays(first: int) -> Iterator[Arrays]:
            workers = self.num_workers
            scenes = generate_scenes(self.recipe, total, seed, first=first, num_workers=workers)
            return (scene.arrays() for scene in scenes)

        write_shards(
            arrays,
            self.path,
            self.run_name,
            split,
            total=total,
            settings=self._settings(split),
            overwrite=overwrite,
        )
        note(self._settings_path(split), self._settings(split))

    def _settings(self, split: str) -> dict[str, Any]:
        shapes = [shape.__name__ for shape in self.recipe.shapes]
        recipe = {**vars(self.recipe), "shapes": shapes, "image_size": [*self.recipe.image_size]}
        return {"data.recipe": recipe, "data.num_videos": self.num_videos[split]}

    def _settings_path(self, split: str) -> Path:
        return Path(self.path) / f"{split}.made_with.json"

    def _videos(self, split: str) -> Videos:
        if not list(Path(self.path).glob(f"*-{split}-*.tar")):
            print(f"There are no {split} scenes in {self.path} yet: generating them.")
            self.generate(split)
        check(
            self._settings_path(split),
            self._settings(split),
            f"the {split} scenes in {self.path}",
            "give others a folder of their own with data.path=..., or replace these with "
            "scripts/generate_scenes.py overwrite=true",
        )
        return ShardVideos(self.path, split)


class Sprites(Source):
    """Flat sprites, made anew whenever they are read: nothing lies on disk.

    Args:
        run_name: names the videos in folders of runs and in tables.
        recipe: what they are made of.
        num_videos: for each split.
        seed: of what is trained on.
    """

    def __init__(
        self, *, run_name: str, recipe: SpriteRecipe, num_videos: DictConfig, seed: int
    ) -> None:
        self.run_name = run_name
        self.recipe = recipe
        self.num_videos = num_videos
        self.seed = seed

    def training_videos(self) -> Videos:
        """Return the videos to train on."""
        return SpriteVideos(self.recipe, self.num_videos["train"], seed=1 + self.seed)

    def scoring_videos(self) -> Videos:
        """Return videos that training does not see, the same ones whatever the seed."""
        return SpriteVideos(self.recipe, self.num_videos["validation"], seed=0)


class Mixed(Source):
    """Several sources in equal shares; the first one is scored on."""

    def __init__(self, *, run_name: str, sources: Mapping[str, Source]) -> None:
        self.run_name = run_name
        self.sources = list(sources.values())

    @property
    def kinds(self) -> SegmentKinds:
        """Those of the first source."""
        return self.sources[0].kinds

    def training_videos(self) -> Videos:
        """Return those of the first source; clips are of all."""
        return self.sources[0].training_videos()

    def scoring_videos(self) -> Videos:
        """Return those of the first source."""
        return self.sources[0].scoring_videos()

    def training_clips(self, length: int, image_size: tuple[int, int]) -> Dataset[Clip]:
        """Return clips of all sources in turn."""
        return MixedClips(
            [
                ClipDataset(source.training_videos(), length, image_size=image_size)
                for source in self.sources
            ]
        )
