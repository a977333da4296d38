"""Generated scenes and sprites as a source of videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ocrl.data.shard_writer import Arrays, write_shards
from ocrl.data.shards import ShardVideos
from ocrl.data.videos import Videos
from ocrl_envs.scenes import Recipe, generate_scenes
from ocrl_envs.sprites import SpriteRecipe
from ocrl_studies.manifest import check, note
from ocrl_studies.sources.base import Source
from ocrl_studies.sources.files import Shards
from ocrl_studies.sprites import SpriteVideos


class Scenes(Shards):
    """MOVi-like scenes in shards, generated if there are none."""

    def __init__(
        self,
        *,
        run_name: str,
        path: str,
        recipe: Recipe,
        num_videos: Mapping[str, int],
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
        return Path(self.path) / f"{split}.manifest.json"

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
        self, *, run_name: str, recipe: SpriteRecipe, num_videos: Mapping[str, int], seed: int
    ) -> None:
        self.run_name = run_name
        self.recipe = recipe
        self.num_videos = num_videos
        self.seed = seed
        self.extra_scores = ("tracking",) if recipe.num_frames > 1 else ()

    def training_videos(self) -> Videos:
        """Return videos of the seed."""
        return SpriteVideos(self.recipe, self.num_videos["train"], seed=1 + self.seed)

    def scoring_videos(self) -> Videos:
        """Return videos that training does not see, the same ones whatever the seed."""
        return SpriteVideos(self.recipe, self.num_videos["validation"], seed=0)
