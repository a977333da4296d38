"""Any Gymnasium environment with an RGB observation, seen as tokens.

    >>> import gymnasium as gym
    >>> env = SlotObservation(gym.make("CarRacing-v3"), "runs/encoder")     # doctest: +SKIP
    >>> tokens, info = env.reset(seed=0)                                    # doctest: +SKIP

One environment, or many with one batched forward pass: `VectorSlotObservation`. Both keep the
slots of each environment from frame to frame, give the last frame of an episode to the slots that
saw that episode, and start the next episode afresh.
"""

from ocrl.wrappers.single import SlotObservation
from ocrl.wrappers.token_stream import TokenStream
from ocrl.wrappers.vector import VectorSlotObservation

__all__ = ["SlotObservation", "TokenStream", "VectorSlotObservation"]
