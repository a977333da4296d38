"""A walk through a maze by keyboard."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import matplotlib.pyplot as plt
from matplotlib.backend_bases import Event, KeyEvent

from ocrl_envs.errors import UsageError
from ocrl_envs.maze.env import MazeEnv

HELP = "arrows: look and walk    a, d: strafe    r: new episode    q: quit"
# keys held down, tried from the first line on
KEYS: tuple[tuple[frozenset[str], int], ...] = (
    (frozenset({"up", "left"}), 6),
    (frozenset({"up", "right"}), 7),
    (frozenset({"left"}), 0),
    (frozenset({"right"}), 1),
    (frozenset({"up"}), 2),
    (frozenset({"down"}), 3),
    (frozenset({"a"}), 4),
    (frozenset({"d"}), 5),
)
MILLISECONDS_PER_STEP = 67


class Player:
    """A window with the agent's view beside its map, and keys that move it.

    Args:
        env: a maze with ``render_mode="rgb_array"``, wrapped or not.
        seed: of the first episode.

    Raises:
        UsageError: the environment is not a maze, or has no render mode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], seed: int | None = None) -> None:
        maze = env.unwrapped
        if not isinstance(maze, MazeEnv) or maze.render_mode is None:
            raise UsageError(
                f"cannot play {type(maze).__name__}: give a MazeEnv with render_mode='rgb_array'"
            )
        self.maze = maze
        self.score = 0.0
        self._held: set[str] = set()
        self.maze.reset(seed=seed)
        self.figure, axes = plt.subplots(
            figsize=(10, 5.4), num=f"maze {maze.simulation.level.name}"
        )
        axes.axis("off")
        self._picture = axes.imshow(self._render())
        self._title = axes.set_title(HELP)
        self.figure.tight_layout()
        canvas = self.figure.canvas
        # matplotlib's own keys would save or close the window
        if canvas.manager is not None:
            canvas.mpl_disconnect(cast(Any, canvas.manager).key_press_handler_id)
        canvas.mpl_connect("key_press_event", self.press)
        canvas.mpl_connect("key_release_event", self.release)
        self._timer = canvas.new_timer(interval=MILLISECONDS_PER_STEP)
        self._timer.add_callback(self.tick)

    def run(self) -> float:
        """Show the window until it is closed, and return the score of the episode that was on."""
        self._timer.start()
        plt.show()
        return self.score

    def press(self, event: Event) -> None:
        """Note that a key is held down."""
        key = cast(KeyEvent, event).key or ""
        self._held.add(key)
        if key == "q":
            plt.close(self.figure)
        if key == "r":
            self._begin()

    def release(self, event: Event) -> None:
        """Note that a key is no longer held down."""
        self._held.discard(cast(KeyEvent, event).key or "")

    def tick(self) -> None:
        """Take the decision that the keys ask for, if they do."""
        action = next((action for keys, action in KEYS if keys <= self._held), None)
        if action is None:
            return
        _, reward, _, truncated, _ = self.maze.step(action)
        self.score += reward
        self._title.set_text(f"score {self.score:g}    {HELP}")
        if truncated:
            self._begin()
        self._draw()

    def _begin(self) -> None:
        self.score = 0.0
        self.maze.reset()
        self._draw()

    def _draw(self) -> None:
        self._picture.set_data(self._render())
        self.figure.canvas.draw_idle()

    def _render(self) -> Any:
        return self.maze.render()
