"""The maze from above: walls, things, the agent and the way it went."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ocrl_envs.maze.appearance.objects import KINDS
from ocrl_envs.maze.rendering.mipmaps import shrink
from ocrl_envs.maze.simulation import Simulation

Image = npt.NDArray[np.uint8]
Canvas = npt.NDArray[np.float32]
Colour = tuple[float, ...]

PAPER, GROUND, INK = (24, 26, 30), (238, 236, 230), (52, 56, 66)
TRAIL_OLD, TRAIL_NEW, AGENT = (176, 204, 232), (40, 110, 200), (225, 60, 40)
SUPERSAMPLING = 2
# in cells
WALL_WIDTH, TRAIL_WIDTH, AGENT_LENGTH, OUTLINE = 0.1, 0.09, 0.5, 0.04
POINTS_PER_STEP = 5


class Trails:
    """Where each agent of a simulation has been since its episode began."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._places: list[list[tuple[float, float]]] = [[] for _ in range(simulation.num_envs)]

    def begin(self, index: int) -> None:
        """Begin a new trail where an agent is."""
        self._places[index] = [self._place(index)]

    def extend(self) -> None:
        """Note where all agents are."""
        for index, places in enumerate(self._places):
            places.append(self._place(index))

    def view_and_map(self, index: int, size: int = 512) -> Image:
        """Return what an agent sees beside its map, uint8 (size, 2 * size, 3)."""
        trail = np.array(self._places[index])
        view = self._simulation.picture(index, size)
        return np.concatenate([view, draw_map(self._simulation, index, trail, size)], axis=1)

    def _place(self, index: int) -> tuple[float, float]:
        x, y = self._simulation.state.position[index]
        return float(x), float(y)


def draw_map(
    simulation: Simulation, index: int, trail: npt.NDArray[np.floating[Any]], size: int
) -> Image:
    """Return a map of one maze, north up, uint8 (size, size, 3).

    Args:
        simulation: the mazes.
        index: which maze.
        trail: (T, 2), where the agent has been, x and y in cells.
        size: height and width in pixels.
    """
    layout = simulation.layouts[simulation.state.layout[index]]
    side = size * SUPERSAMPLING
    scale = side / (max(layout.rows, layout.cols) + 0.6)
    corner = np.array([side - scale * layout.cols, side - scale * layout.rows]) / 2
    canvas = np.empty((side, side, 3), np.float32)
    canvas[:] = PAPER
    pen = _Pen(canvas, scale, corner)
    pen.box(0, 0, layout.cols, layout.rows, GROUND)
    pen.way(trail)
    half = WALL_WIDTH / 2
    for row, col in np.argwhere(layout.horizontal):
        pen.box(col - half, row - half, col + 1 + half, row + half, INK)
    for row, col in np.argwhere(layout.vertical):
        pen.box(col - half, row - half, col + half, row + 1 + half, INK)
    state = simulation.state
    for thing in np.flatnonzero(state.present[index]):
        kind = KINDS[state.kind[index, thing]]
        colour = tuple(255 * channel for channel in kind.parts[0].colour)
        x, y = state.place[index, thing]
        radius = 1.3 * float(simulation.kinds.radius[state.kind[index, thing]])
        pen.disc(float(x), float(y), radius + OUTLINE, INK)
        pen.disc(float(x), float(y), radius, colour)
    x, y = state.position[index]
    pen.arrow(float(x), float(y), float(state.heading[index]))
    return shrink(canvas, SUPERSAMPLING)


class _Pen:
    """Draws on a canvas, float32 (S, S, 3), in cells."""

    def __init__(self, canvas: Canvas, scale: float, corner: npt.NDArray[np.float64]) -> None:
        self.canvas = canvas
        self.scale = scale
        self.corner = corner

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """Fill a rectangle."""
        first = (self.corner + self.scale * np.array([left, top])).round().astype(int)
        last = (self.corner + self.scale * np.array([right, bottom])).round().astype(int)
        self.canvas[first[1] : last[1], first[0] : last[0]] = colour

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a disc."""
        canvas, east, south = self._around(x, y, radius)
        canvas[east**2 + south**2 < radius**2] = colour

    def way(self, places: npt.NDArray[np.floating[Any]]) -> None:
        """Draw a way, its end stronger than its beginning; jumps stay gaps."""
        before, after = places[:-1], places[1:]
        walked = np.abs(after - before).max(axis=1, initial=0) < 0.5
        parts = np.linspace(0, 1, POINTS_PER_STEP)[:, None]
        points = (before[walked, None] + parts * (after - before)[walked, None]).reshape(-1, 2)
        age = np.linspace(0, 1, len(points))[:, None]
        colours = np.array(TRAIL_OLD) * (1 - age) + np.array(TRAIL_NEW) * age
        reach = max(1, round(self.scale * TRAIL_WIDTH / 2))
        down, right = np.indices((2 * reach + 1, 2 * reach + 1)) - reach
        dot = np.argwhere(down**2 + right**2 <= reach**2) - reach
        pixels = np.floor(self.corner + self.scale * points).astype(int)
        inked = pixels[:, None, ::-1] + dot
        self.canvas[inked[..., 0], inked[..., 1]] = colours[:, None]

    def arrow(self, x: float, y: float, heading: float) -> None:
        """Draw the agent."""
        canvas, east, south = self._around(x, y, AGENT_LENGTH)
        ahead = math.cos(heading) * east + math.sin(heading) * south
        aside = np.abs(math.cos(heading) * south - math.sin(heading) * east)
        tip, tail = 0.6 * AGENT_LENGTH, -0.4 * AGENT_LENGTH
        inside = (ahead > tail + 0.35 * (0.18 - aside)) & (aside < 0.4 * (tip - ahead))
        canvas[inside] = AGENT

    def _around(
        self, x: float, y: float, reach: float
    ) -> tuple[Canvas, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the canvas around a place, and how far east and south of it each pixel is."""
        middle = self.corner + self.scale * np.array([x, y])
        low = np.maximum(np.floor(middle - self.scale * reach), 0).astype(int)
        high = np.ceil(middle + self.scale * reach).astype(int) + 1
        canvas = self.canvas[low[1] : high[1], low[0] : high[0]]
        east = (np.arange(canvas.shape[1]) + low[0] + 0.5 - middle[0]) / self.scale
        south = (np.arange(canvas.shape[0]) + low[1] + 0.5 - middle[1]) / self.scale
        return canvas, east[None, :], south[:, None]
