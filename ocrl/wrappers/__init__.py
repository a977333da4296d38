"""Any Gymnasium environment with an RGB observation, seen as tokens.

    >>> import gymnasium as gym
    >>> from ocrl import create_encoder
    >>> env = gym.make("CartPole-v1", render_mode="rgb_array")
    >>> env = SlotObservation(gym.wrappers.AddRenderObservation(env), create_encoder("grid"))
    >>> tokens, info = env.reset(seed=0)
    >>> tokens.shape == env.observation_space.shape
    True

One environment, or many with one batched forward pass: `VectorSlotObservation`. Both keep the
slots of each environment from frame to frame, give the last frame of an episode to the slots that
saw that episode, and start the next episode afresh.
"""

from ocrl.wrappers.single import SlotObservation
from ocrl.wrappers.token_stream import TokenStream
from ocrl.wrappers.vector import VectorSlotObservation

__all__ = ["SlotObservation", "TokenStream", "VectorSlotObservation"]
