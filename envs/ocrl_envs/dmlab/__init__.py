"""DeepMind Lab behind the Gymnasium interface, with the levels and actions of the embedded maze."""

from ocrl_envs.dmlab.actions import ACTION_SETS
from ocrl_envs.dmlab.entity_layer import entity_layer
from ocrl_envs.dmlab.environment import DeepMindLabEnv
from ocrl_envs.dmlab.level_cache import LevelCache
from ocrl_envs.dmlab.levels import GENERATED_LEVELS, LEVELS
from ocrl_envs.dmlab.policies import WanderingPolicy
from ocrl_envs.dmlab.vector import DeepMindLabVectorEnv, make_vector_env

__all__ = [
    "ACTION_SETS",
    "GENERATED_LEVELS",
    "LEVELS",
    "DeepMindLabEnv",
    "DeepMindLabVectorEnv",
    "LevelCache",
    "WanderingPolicy",
    "entity_layer",
    "make_vector_env",
]
