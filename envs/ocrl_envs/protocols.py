"""Protocols: what a world may offer beyond Gymnasium, to whoever asks for it.

A world is a vector environment, and fulfils whichever of these it can by having their methods; it
derives from nothing. Collecting rollouts, the agent that reads ground truth, the policies to
compare with and the pictures of a study ask `isinstance(environments.unwrapped, HasPolicies)` and
the like, and know no world by name. All arrays have a first axis of N environments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Policy = Callable[[Any], npt.NDArray[Any]]
"""Observations of N environments in, N actions out."""

SEGMENT_STRIDE = 4096
"""A true segment is numbered ``kind * SEGMENT_STRIDE + index``."""


@runtime_checkable
class HasGroundTruth(Protocol):
    """A world that knows which thing each pixel shows.

    Attributes:
        segment_kinds: names of the kinds of segments, in the order of their numbers.
        num_stuff: so many kinds come first that are no things, such as sky and floor.
    """

    segment_kinds: Sequence[str]
    num_stuff: int

    def annotations(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return what rollouts keep beside each frame.

        ``segments``, unsigned integers (N, H, W) numbered by kind, and whatever else the world
        knows of the frame, each (N, ...).
        """


@runtime_checkable
class HasTokens(Protocol):
    """A world that describes itself as a perfect slot encoder would.

    Attributes:
        draws: whether observations are drawn; set to False where tokens alone are read.
    """

    draws: bool

    def describe(self) -> npt.NDArray[np.float32]:
        """Return tokens, float32 (N, K, D), of what the frames show; zeros: nothing."""


@runtime_checkable
class HasFacts(Protocol):
    """A world that says in numbers what its frames show, for probes to read from tokens."""

    def facts(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return facts by name, each (N,).

        Booleans; floats, nan where a frame says nothing of it; integers: one of several classes.
        """


@runtime_checkable
class HasPolicies(Protocol):
    """A world with policies that need no learning.

    Attributes:
        policies: their names.
        rollout_policy: the one that collects rollouts unless another is asked for.
    """

    policies: Sequence[str]
    rollout_policy: str

    def make_policy(self, name: str, seed: int = 0) -> Policy:
        """Return a policy that acts in this world.

        Args:
            name: one of ``policies``.
            seed: of its random choices.
        """


@runtime_checkable
class HasLayouts(Protocol):
    """A world with numbered layouts: ``reset(options={"layout": i})`` plays in one.

    Attributes:
        num_layouts: how many there are.
    """

    @property
    def num_layouts(self) -> int:
        """How many layouts there are."""


@runtime_checkable
class HasState(Protocol):
    """A world, or a single environment, that can be put back to where it was.

    A training that was interrupted then goes on in the midst of an episode, as if nothing had
    happened; without it, it goes on with new episodes. A wrapper has the same two methods for what
    it keeps itself.
    """

    def get_state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return arrays by name, of numbers and booleans, from which all that comes follows.

        Random numbers belong to it: see ``ocrl_envs.generators``.
        """

    def set_state(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go back to what ``get_state`` returned, here or in an environment made alike.

        Raises:
            UsageError: it is not the state of such an environment.
        """


@runtime_checkable
class HasMap(Protocol):
    """A world that can be drawn from above, whatever its agents observe."""

    def frames(self) -> npt.NDArray[np.uint8]:
        """Return what the agents see, uint8 (N, H, W, 3)."""

    def places(self) -> npt.NDArray[np.floating[Any]]:
        """Return where the agents are, (N, 2)."""

    def draw_map(
        self, index: int, trail: npt.NDArray[np.floating[Any]], size: int
    ) -> npt.NDArray[np.uint8]:
        """Return a map of one environment, uint8 (size, size, 3).

        Args:
            index: which environment.
            trail: (T, 2), where its agent has been, as ``places`` says it.
            size: height and width in pixels.
        """
