"""Looks: textures for all layouts of an environment, chosen by each layout's own seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.labmaze_styles import make_labmaze_style
from ocrl_envs.maze.appearance.styles import Style, make_picture, make_style
from ocrl_envs.maze.rendering.mipmaps import mip_chain, pack_texels

NUM_STYLES = {"train": 24, "test": 12}
NUM_PICTURES = 48


class Looks(NamedTuple):
    """Textures, and which of them each of L layouts has.

    Attributes:
        texels: uint32 (textures, texels of all scales).
        wall: int64 (L,), texture.
        floor: int64 (L,), texture.
        picture: int64 (L, P), textures.
        zenith: uint32 (L,), colour of the sky above.
        horizon: uint32 (L,), colour of the sky far away.
    """

    texels: npt.NDArray[np.uint32]
    wall: npt.NDArray[np.int64]
    floor: npt.NDArray[np.int64]
    picture: npt.NDArray[np.int64]
    zenith: npt.NDArray[np.uint32]
    horizon: npt.NDArray[np.uint32]


STYLE_MAKERS: dict[str, Callable[[str, int], Style]] = {
    "procedural": make_style,
    "labmaze": make_labmaze_style,
}


def choose_looks(
    textures: str, split: str, seeds: npt.NDArray[np.uint64], num_pictures: int
) -> Looks:
    """Give each layout a style and pictures.

    Args:
        textures: "procedural" or "labmaze".
        split: "train" or "test".
        seeds: uint64 (L,), of the layouts.
        num_pictures: per layout, at most ``NUM_PICTURES``.

    Raises:
        UsageError: there are no such textures, or ``labmaze`` is not installed.
    """
    if textures not in STYLE_MAKERS:
        raise UsageError(f"no textures {textures!r}: choose one of {list(STYLE_MAKERS)}")
    numbers = (seeds % np.uint64(NUM_STYLES[split])).astype(np.int64)
    used, style = np.unique(numbers, return_inverse=True)
    styles = [STYLE_MAKERS[textures](split, int(number)) for number in used]
    orders = [np.random.default_rng(int(seed)).permutation(NUM_PICTURES) for seed in seeds]
    shown, picture = np.unique(np.stack(orders)[:, :num_pictures], return_inverse=True)
    images = [style.wall for style in styles] + [style.floor for style in styles]
    images += [make_picture(split, int(number)) for number in shown]
    return Looks(
        texels=np.stack([mip_chain(image) for image in images]),
        wall=style.astype(np.int64),
        floor=(style + len(styles)).astype(np.int64),
        picture=(picture.reshape(len(seeds), -1) + 2 * len(styles)).astype(np.int64),
        zenith=pack_texels(255 * np.stack([style.zenith for style in styles]))[style],
        horizon=pack_texels(255 * np.stack([style.horizon for style in styles]))[style],
    )
