"""Habits of an agent: how it reads a world and acts in it, wherever it plays.

An agent's file says them, and a file may be a stranger's: nothing else of its notes is used, and
what is used is of a known type and range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocrl.errors import UsageError
from ocrl_agents.checkpoints import AgentFile

PRECISIONS = ("float32", "bfloat16", "auto")
LONGEST_HOLD = 1000
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+=-]{0,99}")


@dataclass(frozen=True)
class Habits:
    """What an agent takes along.

    Attributes:
        encoder: name of the encoder that it was trained with.
        finetune: its policy encodes the frames itself.
        precision: that frames are encoded in.
        previous_step: it reads its last action and reward too.
        place_memory: places that it remembers for the rewards they brought; 0: none.
        action_repeat: frames that it holds an action; None: as the world has it.
        velocity: it reads its velocity; None: as the world has it.
        pose: it reads where it is and looks; None: as the world has it.
    """

    encoder: str
    finetune: bool
    precision: str
    previous_step: bool
    place_memory: int
    action_repeat: int | None
    velocity: bool | None
    pose: bool | None

    @classmethod
    def of_agent(cls, agent: AgentFile, source: str) -> Habits:
        """Return the habits of a saved agent.

        Args:
            agent: what its file holds.
            source: the file, for messages.

        Raises:
            UsageError: the file does not say them, or says what cannot be.
        """
        return cls.read(agent.header["notes"], source)

    @classmethod
    def read(cls, notes: Mapping[str, Any], source: str) -> Habits:
        """Return habits from plain settings.

        >>> notes = {"encoder": {"name": "grid", "finetune": False},
        ...          "agent": {"precision": "auto", "previous_step": True}, "env": {}}
        >>> Habits.read(notes, "this").previous_step
        True

        Args:
            notes: as ``configs/train_agent.yaml``.
            source: of the settings, for messages.

        Raises:
            UsageError: something is missing, or is what it cannot be.
        """
        encoder, agent, env = (_part(notes, name, source) for name in ("encoder", "agent", "env"))
        habits = cls(
            folder_name(encoder.get("name"), f"encoder.name of {source}"),
            encoder.get("finetune", False),
            agent.get("precision", "float32"),
            agent.get("previous_step", False),
            agent.get("place_memory", 0),
            env.get("action_repeat"),
            env.get("velocity"),
            env.get("pose"),
        )
        repeat, places = habits.action_repeat, habits.place_memory
        for name, value, fits in (
            ("encoder.finetune", habits.finetune, isinstance(habits.finetune, bool)),
            ("agent.precision", habits.precision, habits.precision in PRECISIONS),
            ("agent.previous_step", habits.previous_step, isinstance(habits.previous_step, bool)),
            ("agent.place_memory", places, places == 0 or _is_count(places)),
            ("env.action_repeat", repeat, repeat is None or _is_count(repeat)),
            ("env.velocity", habits.velocity, habits.velocity in (None, True, False)),
            ("env.pose", habits.pose, habits.pose in (None, True, False)),
        ):
            if not fits:
                raise UsageError(
                    f"{source} has {name}={value!r:.100}, which no agent is trained with: give a "
                    "file that train_agent wrote"
                )
        return habits


def folder_name(name: Any, source: str) -> str:
    """Return a name that a folder or file may have, inside the folder that it is put in.

    >>> folder_name("x/../../outside", "encoder.name")
    Traceback (most recent call last):
    ocrl.errors.UsageError: encoder.name is 'x/../../outside', expected letters, digits and _.+=- \
alone

    Args:
        name: from a file or a command line.
        source: of the name, for the message.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise UsageError(f"{source} is {name!r:.100}, expected letters, digits and _.+=- alone")
    return name


def _part(notes: Mapping[str, Any], name: str, source: str) -> Mapping[str, Any]:
    part = notes.get(name)
    if not isinstance(part, Mapping):
        raise UsageError(
            f"{source} does not say with which {name} the agent was trained: give a file that "
            "train_agent wrote"
        )
    return part


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LONGEST_HOLD
