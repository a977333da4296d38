"""Short episodes of the lab, played to their end."""

from __future__ import annotations

SHORT = {"episodeLengthSeconds": 2}
"""120 frames: 30 decisions of 4."""


def play(env, action=2):
    """Play an episode to its end, and return what each step returned."""
    steps = [env.step(action)]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(action))
    return steps
