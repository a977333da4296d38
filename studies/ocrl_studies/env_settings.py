"""An environment as a configuration names it: how it is made, its splits, how agents play it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ocrl_studies.plain import plain

Variation = Mapping[str, Any]
"""Keyword arguments over those of an environment, such as a split or a condition of transfer."""

SPLITS = ("rollouts", "train", "validation", "test")


@dataclass(frozen=True)
class EnvSettings:
    """The ``env`` node of a configuration, resolved.

    Attributes:
        id: under which Gymnasium has it.
        kwargs: that it is made with.
        module: to be imported first, for it to be registered.
        run_name: names it in folders and data sets.
        simulator: as in ``configs/simulator``.
        vectorization: ``native``: it makes a batch itself; ``sync``: one after another in this
            process; ``async``: in subprocesses.
        action_repeat: frames for which an action is held.
        max_episode_steps: after which an episode is cut; None: as it is registered.
        render_observation: the rendered picture is the observation.
        wrappers: around it, see `ocrl_studies.env_wrappers`.
        policies: without learning, that it is played with beside agents.
        splits: variations of it by name, those of `SPLITS`.
    """

    id: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    module: str | None = None
    run_name: str = ""
    simulator: str = "gymnasium"
    vectorization: str = "sync"
    action_repeat: int = 1
    max_episode_steps: int | None = None
    render_observation: bool = False
    wrappers: Sequence[Any] = ()
    policies: Sequence[str] = ("random",)
    splits: Mapping[str, Variation] = field(default_factory=dict)

    @classmethod
    def of(cls, env: Mapping[Any, Any]) -> EnvSettings:
        """Return the settings of the ``env`` node of a configuration."""
        node = plain(env)
        own = {each.name for each in fields(cls)} & node.keys()
        splits = {name: node[name] for name in SPLITS if name in node}
        return cls(**{name: node[name] for name in own}, module=node.get("import"), splits=splits)

    def held(self, *, action_repeat: int | None = None, **kwargs: Any) -> EnvSettings:
        """Return the same environment, played in another way.

        Args:
            action_repeat: frames for which an action is held; None: as it is.
            **kwargs: arguments, for environments that have them; None: as they are.
        """
        given = {"action_repeat": action_repeat, **kwargs}
        changed = {key: v for key, v in given.items() if v is not None and key in self.kwargs}
        return replace(
            self,
            kwargs={**self.kwargs, **changed},
            action_repeat=self.action_repeat if action_repeat is None else action_repeat,
        )
