"""Sprite scenes as videos to train on."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ocrl.data.videos import Videos
from ocrl_envs.sprites import SpriteRecipe, SpriteScene, generate_sprites


class SpriteVideos(Videos):
    """Videos of sprites with true segments, each made from its number when it is read.

    Args:
        recipe: what they are made of.
        number: of videos.
        seed: of all of them; video i does not depend on how many there are.
    """

    has_segments = True

    def __init__(self, recipe: SpriteRecipe, number: int, seed: int) -> None:
        self.recipe = recipe
        self.seed = seed
        self.lengths = np.full(number, recipe.num_frames, dtype=np.int64)

    def frames(self, video: int, start: int, stop: int) -> NDArray[np.uint8]:
        """Return frames of a video, uint8 (T, H, W, 3)."""
        return self.scene(video).video[start:stop]

    def segments(self, video: int, start: int, stop: int) -> NDArray[np.integer]:
        """Return segments of a video, integers (T, H, W): 0 the ground."""
        return self.scene(video).segments[start:stop]

    def scene(self, video: int) -> SpriteScene:
        """Return a video with all that is true about it."""
        return _scene(self.recipe, self.seed, int(video))


# Frames and segments of a clip are asked for one after the other.
@lru_cache(maxsize=4)
def _scene(recipe: SpriteRecipe, seed: int, video: int) -> SpriteScene:
    return generate_sprites(recipe, np.random.SeedSequence((seed, video)))
