"""DeepMind Lab's own styles, from the optional package ``labmaze`` (Python < 3.13)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.styles import TEXTURE_SIZE, Style
from ocrl_envs.maze.appearance.texture_families import Colour, Image
from ocrl_envs.maze.rendering.mipmaps import shrink

STYLES = {"train": ("style_01", "style_02", "style_03"), "test": ("style_04", "style_05")}


@lru_cache(maxsize=512)
def make_labmaze_style(split: str, index: int) -> Style:
    """Return a pair of a wall and a floor of DeepMind Lab.

    Args:
        split: "train" (``style_01`` to ``style_03``) or "test" (``style_04`` and ``style_05``).
        index: which pair.

    Raises:
        UsageError: ``labmaze`` is not installed.
    """
    assets = _assets()
    rng = np.random.default_rng(np.random.SeedSequence(index))
    name = STYLES[split][index % len(STYLES[split])]
    walls = sorted(assets.get_wall_texture_paths(name).values())
    floors = sorted(assets.get_floor_texture_paths(name).values())
    sky = assets.get_sky_texture_paths(assets.SKY_STYLES[index % len(assets.SKY_STYLES)])
    return Style(
        wall=_read(walls[int(rng.integers(len(walls)))]),
        floor=_read(floors[int(rng.integers(len(floors)))]),
        zenith=_mean(_read(sky.up)),
        horizon=_mean(_read(sky.front)[TEXTURE_SIZE // 3 : TEXTURE_SIZE // 2]),
    )


def _assets() -> Any:
    """Return the module that knows the files of the textures."""
    try:
        import labmaze.assets
    except ImportError as error:
        raise UsageError(
            'textures="labmaze" needs the package labmaze: pip install "ocrl[labmaze]" '
            '(Python < 3.13), or choose textures="procedural"'
        ) from error
    return labmaze.assets


def _read(path: str | Path) -> Image:
    """Return a square picture file as a texture."""
    import imageio.v3 as iio

    picture = iio.imread(path, mode="RGBA")[..., :3]
    return shrink(picture, len(picture) // TEXTURE_SIZE)


def _mean(picture: Image) -> Colour:
    """Return the mean colour of a picture, float32 (3,) in [0, 1]."""
    mean: Colour = (picture.mean(axis=(0, 1)) / 255).astype(np.float32)
    return mean
