"""Looks: all textures of an environment, and which of them an episode shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.appearance.labmaze_styles import make_labmaze_style
from ocrl_envs.maze.appearance.styles import Style, make_picture, make_style
from ocrl_envs.maze.kernel import kernel
from ocrl_envs.maze.rendering.mipmaps import mip_chain, pack_texels
from ocrl_envs.maze.rng import random_index

LOOKS = ("by_layout", "by_episode", "one")
NUM_STYLES = {"train": 24, "test": 12}
NUM_PICTURES = 48
_LOOKS_STREAM = np.uint64(0x4C4F4F4B53)


class Looks(NamedTuple):
    """S styles and Q pictures, drawn once, and the P pictures that hang in each of L layouts.

    Attributes:
        texels: uint32 (2 S + Q, texels of all scales): walls, floors, pictures.
        zenith: uint32 (S,), colour of the sky above.
        horizon: uint32 (S,), colour of the sky far away.
        style: int64 (L,), style of each layout.
        picture: int64 (L, P), pictures of each layout.
        by_episode: whether each episode draws style and pictures in place of its layout's.
    """

    texels: npt.NDArray[np.uint32]
    zenith: npt.NDArray[np.uint32]
    horizon: npt.NDArray[np.uint32]
    style: npt.NDArray[np.int64]
    picture: npt.NDArray[np.int64]
    by_episode: bool


STYLE_MAKERS: dict[str, Callable[[str, int], Style]] = {
    "procedural": make_style,
    "labmaze": make_labmaze_style,
}


def choose_looks(
    looks: str, textures: str, split: str, seeds: npt.NDArray[np.uint64], num_pictures: int
) -> Looks:
    """Draw the textures that an environment needs.

    All of a split's, 8 MiB, where episodes choose among them; otherwise those of its layouts.

    Args:
        looks: "by_layout": each layout has its own; "by_episode": drawn for each episode, whatever
            its layout; "one": all episodes look alike.
        textures: "procedural" or "labmaze".
        split: "train" or "test".
        seeds: uint64 (L,), of the layouts.
        num_pictures: per layout, at most ``NUM_PICTURES``.

    Raises:
        UsageError: there are no such looks or textures, or ``labmaze`` is not installed.
    """
    if looks not in LOOKS:
        raise UsageError(f"no looks {looks!r}: choose one of {list(LOOKS)}")
    if textures not in STYLE_MAKERS:
        raise UsageError(f"no textures {textures!r}: choose one of {list(STYLE_MAKERS)}")
    if looks == "by_layout":
        numbers = (seeds % np.uint64(NUM_STYLES[split])).astype(np.int64)
        orders = [np.random.default_rng(int(seed)).permutation(NUM_PICTURES) for seed in seeds]
        hung = np.stack(orders)[:, :num_pictures]
    else:
        numbers = np.zeros(len(seeds), np.int64)
        hung = np.tile(np.arange(num_pictures), (len(seeds), 1))
    by_episode = looks == "by_episode"
    used, style = np.unique(numbers, return_inverse=True)
    shown, picture = np.unique(hung, return_inverse=True)
    if by_episode:
        used, shown = np.arange(NUM_STYLES[split]), np.arange(NUM_PICTURES)
    styles = [STYLE_MAKERS[textures](split, int(number)) for number in used]
    images = [style.wall for style in styles] + [style.floor for style in styles]
    images += [make_picture(split, int(number)) for number in shown]
    return Looks(
        texels=np.stack([mip_chain(image) for image in images]),
        zenith=pack_texels(255 * np.stack([style.zenith for style in styles])),
        horizon=pack_texels(255 * np.stack([style.horizon for style in styles])),
        style=style.astype(np.int64),
        picture=picture.reshape(hung.shape).astype(np.int64),
        by_episode=by_episode,
    )


@kernel
def dress(
    looks: Looks,
    layout: int,
    rng: npt.NDArray[np.uint64],
    style: npt.NDArray[np.int64],
    picture: npt.NDArray[np.int64],
) -> None:
    """Write which style and pictures an episode shows.

    Args:
        looks: of the environment.
        layout: of the episode.
        rng: uint64 (1,), random numbers of the episode, which stay as they are: whatever the
            looks, all else in an episode is the same.
        style: int64 (1,), written.
        picture: int64 (P,), written, none twice.
    """
    if not looks.by_episode:
        style[0] = looks.style[layout]
        picture[:] = looks.picture[layout]
        return
    own = rng ^ _LOOKS_STREAM
    num_styles = len(looks.zenith)
    style[0] = random_index(own, num_styles)
    order = np.arange(len(looks.texels) - 2 * num_styles)
    for place in range(len(picture)):
        chosen = place + np.int64(random_index(own, len(order) - place))
        order[place], order[chosen] = order[chosen], order[place]
        picture[place] = order[place]
