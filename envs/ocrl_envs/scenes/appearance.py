"""How scenes look: colours, textures, floors, skies and lights, drawn at random."""

from __future__ import annotations

import colorsys

import numpy as np
import numpy.typing as npt

from ocrl_envs.scenes.records import SURROUNDINGS, TEXTURE, Records
from ocrl_envs.scenes.textures import CHECKER, CLOUDS, MARBLE, PATCHES, PLAIN, SPOTS, STRIPES

Generator = np.random.Generator
Colours = npt.NDArray[np.float64]

# display RGB, in the manner of CLEVR
PAINTS = {
    "blue": (42, 75, 215),
    "brown": (129, 74, 25),
    "cyan": (41, 208, 208),
    "grey": (87, 87, 87),
    "green": (29, 105, 20),
    "purple": (129, 38, 192),
    "red": (173, 35, 35),
    "yellow": (255, 238, 51),
}
PATTERNS = (CLOUDS, STRIPES, CHECKER, SPOTS, MARBLE, PATCHES)


def linear(colours: npt.ArrayLike) -> Colours:
    """Turn display RGB from 0 to 255 into linear RGB from 0 to 1.

    Example:
        >>> linear([0, 255]).tolist()
        [0.0, 1.0]
    """
    values: Colours = (np.asarray(colours, dtype=np.float64) / 255) ** 2
    return values


def paint(rng: Generator) -> Records:
    """Return a texture of one of CLEVR's colours, TEXTURE (1,)."""
    names = list(PAINTS)
    return uniform(linear(PAINTS[names[rng.integers(len(names))]]))


def uniform(colour: Colours) -> Records:
    """Return the texture of one colour, TEXTURE (1,)."""
    texture = np.zeros(1, TEXTURE)
    texture["kind"], texture["colours"] = PLAIN, colour
    return texture


def pattern(
    rng: Generator,
    frequency: tuple[float, float] = (1.5, 5.0),
    contrast: tuple[float, float] = (0.3, 1.0),
    vivid: float = 0.85,
) -> Records:
    """Return a random texture of three random colours, TEXTURE (1,).

    Args:
        rng: where chance comes from.
        frequency: least and most repetitions per unit of length.
        contrast: least and largest distance of the colours from their mean, 0 to 1.
        vivid: largest saturation of the colours.
    """
    texture = np.zeros(1, TEXTURE)
    texture["kind"] = rng.choice(PATTERNS)
    colours = _palette(rng, vivid)
    share = rng.uniform(*contrast)
    texture["colours"] = share * colours + (1 - share) * colours.mean(0)
    texture["frequency"] = rng.uniform(*frequency)
    texture["shift"] = rng.uniform(0, 100, 3)
    return texture


def studio(rng: Generator) -> Records:
    """Return a grey floor under even light, in the manner of MOVi-A, SURROUNDINGS (1,)."""
    around = np.zeros(1, SURROUNDINGS)
    grey = linear(np.full(3, rng.uniform(115, 140)))
    around["floor"] = around["clouds"] = uniform(grey)
    around["floor_colour"] = grey
    around["haze"] = 40.0
    around["zenith"], around["horizon"] = linear([165, 170, 180]), linear([120, 122, 126])
    around["sun"], around["sunlight"] = direction(rng, 40, 70), rng.uniform(1.0, 1.3)
    around["fill"], around["fill_light"] = direction(rng, 20, 50), rng.uniform(0.15, 0.3)
    return around


def outdoors(rng: Generator) -> Records:
    """Return a textured floor under a random sky, in the manner of MOVi-C, SURROUNDINGS (1,)."""
    around = np.zeros(1, SURROUNDINGS)
    floor = pattern(rng, frequency=(0.3, 1.5), contrast=(0.15, 0.6), vivid=0.45)
    clouds = pattern(rng, frequency=(2.0, 5.0), vivid=0.45)
    floor["colours"] *= 0.75
    clouds["kind"] = CLOUDS
    around["floor"], around["floor_colour"] = floor, floor["colours"].mean(1)
    around["clouds"], around["cloudiness"] = clouds, rng.uniform(0.3, 0.9)
    around["haze"] = rng.uniform(15, 40)
    sky = clouds["colours"][0, 0]
    around["zenith"], around["horizon"] = 0.8 * sky, (sky + around["floor_colour"]) / 2
    warmth = rng.uniform(-0.15, 0.15)
    around["sun"] = direction(rng, 30, 75)
    around["sunlight"] = rng.uniform(0.7, 1.8) * np.array([1 + warmth, 1, 1 - warmth])
    around["fill"], around["fill_light"] = direction(rng, 15, 50), rng.uniform(0.05, 0.3)
    return around


def direction(rng: Generator, lowest: float, highest: float) -> Colours:
    """Return a unit vector between two heights above the horizon, in degrees."""
    height, around = np.radians(rng.uniform(lowest, highest)), rng.uniform(0, 2 * np.pi)
    flat = np.cos(height)
    return np.array([flat * np.cos(around), flat * np.sin(around), np.sin(height)])


def _palette(rng: Generator, vivid: float) -> Colours:
    """Return three colours that can be told apart, linear RGB (3, 3)."""
    hues = rng.uniform() + np.array([0.0, rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.9)])
    values = rng.permutation([rng.uniform(0.3, 0.5), rng.uniform(0.5, 0.75), rng.uniform(0.75, 1)])
    saturations = rng.uniform(0.1, vivid, 3)
    colours = [
        colorsys.hsv_to_rgb(hue % 1, saturation, value)
        for hue, saturation, value in zip(hues, saturations, values, strict=True)
    ]
    return linear(255 * np.array(colours))
