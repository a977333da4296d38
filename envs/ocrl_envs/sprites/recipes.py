"""What sprite scenes are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ocrl_envs.errors import UsageError
from ocrl_envs.sprites.shapes import SHAPES

PLAIN = ("square", "ellipse", "disc", "triangle", "cross")
DIGITS = tuple(f"digit_{number}" for number in range(10))


@dataclass(frozen=True, kw_only=True)
class SpriteRecipe:
    """What scenes of flat sprites are made of.

    Attributes:
        shapes: names of `ocrl_envs.sprites.shapes.SHAPES` that occur.
        num_sprites: least and largest number of sprites.
        size: least and largest half size, as a share of the image's height.
        turned: sprites are turned by any angle.
        coloured: sprites have colours of all hues on a dark ground; else all are white on black.
        ground: darkest and lightest grey of the ground, in [0, 1], where sprites are coloured.
        overlapping: nearer sprites may hide farther ones; else their discs do not touch at first,
            if a thousand tries find places for all.
        speed: largest speed, as a share of the image's height per frame. They bounce off the edges.
        lifetime: probability that a sprite is there from the first frame, and that it stays to the
            last; else any frame is its first, or its last. 1: all are always there.
        image_size: (height, width).
        num_frames: of a video; 1 for images.

    Raises:
        UsageError: numbers out of range, or a shape that there is not.
    """

    shapes: tuple[str, ...] = PLAIN
    num_sprites: tuple[int, int] = (1, 5)
    size: tuple[float, float] = (0.09, 0.18)
    turned: bool = True
    coloured: bool = True
    ground: tuple[float, float] = (0.05, 0.3)
    overlapping: bool = True
    speed: float = 0.0
    lifetime: float = 1.0
    image_size: tuple[int, int] = (64, 64)
    num_frames: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.shapes if name not in SHAPES]
        if unknown or not self.shapes:
            raise UsageError(f"there is no shape {unknown}: choose from {list(SHAPES)}")
        if not 0 <= self.num_sprites[0] <= self.num_sprites[1] <= 255:
            raise UsageError(
                f"a scene has 0 to 255 sprites, got num_sprites={tuple(self.num_sprites)}: "
                "give (least, largest)"
            )
        if not 0 < self.size[0] <= self.size[1] < 0.5:
            raise UsageError(
                f"a sprite's half size is a share of the image between 0 and 0.5, got "
                f"size={tuple(self.size)}: give (least, largest)"
            )
        height, width = self.image_size
        if 2 * self.size[1] * height >= width:
            raise UsageError(
                f"sprites of half size {self.size[1]:g} of the image's height do not fit into its "
                f"width, {height} x {width} pixels: choose a smaller size or a wider image"
            )
        if not 0 <= self.ground[0] <= self.ground[1] <= 1:
            raise UsageError(
                f"the ground's grey is between 0 and 1, got ground={tuple(self.ground)}: "
                "give (darkest, lightest)"
            )
        if min(self.image_size) < 16 or self.num_frames < 1:
            raise UsageError(
                f"videos have a frame of 16x16 pixels at least, got {self.num_frames} frames of "
                f"{tuple(self.image_size)}: choose larger numbers"
            )
        if not 0 < self.lifetime <= 1 or self.speed < 0:
            raise UsageError(
                f"lifetime is above 0 and at most 1, speed not below 0, got {self.lifetime} and "
                f"{self.speed}: choose others"
            )


def sprites(**changes: Any) -> SpriteRecipe:
    """Return 1 to 5 coloured sprites that may hide each other, in the manner of Multi-dSprites.

    Args:
        changes: attributes of the recipe that differ.

    Example:
        >>> sprites(num_sprites=(2, 2)).num_sprites
        (2, 2)
    """
    return SpriteRecipe(**changes)


def moving_sprites(**changes: Any) -> SpriteRecipe:
    """Return 1 to 4 coloured sprites that move, meet and bounce; some come and go.

    Args:
        changes: attributes of the recipe that differ.
    """
    recipe = {"num_sprites": (1, 4), "speed": 0.04, "lifetime": 0.8, "num_frames": 16}
    return SpriteRecipe(**{**recipe, **changes})


def digits(**changes: Any) -> SpriteRecipe:
    """Return 0 to 2 white digits on black, in the manner of multi-MNIST (AIR, arXiv 1603.08575).

    Args:
        changes: attributes of the recipe that differ.
    """
    recipe = {
        "shapes": DIGITS,
        "num_sprites": (0, 2),
        "size": (0.17, 0.21),
        "turned": False,
        "coloured": False,
        "overlapping": False,
    }
    return SpriteRecipe(**{**recipe, **changes})


def moving_digits(**changes: Any) -> SpriteRecipe:
    """Return 0 to 2 white digits that move on black, as for SQAIR (arXiv 1806.01794).

    Args:
        changes: attributes of the recipe that differ.
    """
    return digits(**{"speed": 0.04, "lifetime": 0.8, "num_frames": 10, **changes})
