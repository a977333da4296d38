"""Action sets: what an agent may choose from, as the seven numbers that the engine takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ocrl_envs.errors import UsageError

EngineAction = npt.NDArray[np.intc]

# look right, look up (pixels a frame), strafe right, move forward, fire, jump, crouch
LOW = np.array([-512, -512, -1, -1, 0, 0, 0], np.intc)
HIGH = np.array([512, 512, 1, 1, 1, 1, 1], np.intc)
NO_ACTION = np.zeros(7, np.intc)


def _action(
    *, look: int = 0, up: int = 0, strafe: int = 0, move: int = 0, fire: int = 0
) -> list[int]:
    return [look, up, strafe, move, fire, 0, 0]


_STEPS = [_action(move=1), _action(move=-1), _action(strafe=-1), _action(strafe=1)]

ACTION_SETS: dict[str, EngineAction] = {
    # Mirowski et al. 2016: what nav_maze levels need. Look left and right, forward, backward,
    # strafe left and right, forward with look left and right.
    "navigation8": np.array(
        [
            _action(look=-20),
            _action(look=20),
            *_STEPS,
            _action(look=-20, move=1),
            _action(look=20, move=1),
        ],
        np.intc,
    ),
    # Espeholt et al. 2018 (IMPALA).
    "impala9": np.array(
        [
            *_STEPS,
            _action(look=-20),
            _action(look=20),
            _action(look=-20, move=1),
            _action(look=20, move=1),
            _action(fire=1),
        ],
        np.intc,
    ),
    # Hessel et al. 2019 (PopArt): slow and fast turns, and looking up and down.
    "extended15": np.array(
        [
            *_STEPS,
            *(_action(look=look) for look in (-10, 10, -60, 60)),
            *(_action(up=up) for up in (10, -10)),
            *(_action(look=look, move=1) for look in (-10, 10, -60, 60)),
            _action(fire=1),
        ],
        np.intc,
    ),
}
"""Engine actions by the name of their set and their number, intc (actions, 7)."""

RAW = "raw"


def action_space(name: str) -> spaces.Discrete | spaces.MultiDiscrete:
    """Return the space of an action set.

    ``raw`` gives all seven numbers of the engine. They count from zero, as stable-baselines3 asks:
    512 in the first place looks straight ahead, 1 in the third and fourth stands still.

    Raises:
        UsageError: there is no such set.

    Example:
        >>> action_space("navigation8"), action_space("raw")
        (Discrete(8), MultiDiscrete([1025 1025    3    3    2    2    2]))
    """
    if name == RAW:
        return spaces.MultiDiscrete(HIGH - LOW + 1)
    if name not in ACTION_SETS:
        raise UsageError(f"actions={name!r}: choose from {', '.join([*ACTION_SETS, RAW])}")
    return spaces.Discrete(len(ACTION_SETS[name]))


def engine_action(name: str, action: Any) -> EngineAction:
    """Translate an element of ``action_space(name)`` into what the engine takes, intc (7,).

    Example:
        >>> engine_action("navigation8", 6).tolist()
        [-20, 0, 0, 1, 0, 0, 0]
        >>> engine_action("raw", [532, 512, 1, 2, 0, 0, 0]).tolist()
        [20, 0, 0, 1, 0, 0, 0]
    """
    if name == RAW:
        return LOW + np.asarray(action, np.intc)
    row: EngineAction = ACTION_SETS[name][int(action)]
    return row
