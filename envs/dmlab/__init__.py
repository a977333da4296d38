"""DeepMind Lab behind the Gymnasium interface, with the levels and actions of the embedded maze."""

from envs.dmlab.actions import ACTION_SETS
from envs.dmlab.entity_layer import entity_layer
from envs.dmlab.environment import DeepMindLabEnv
from envs.dmlab.level_cache import LevelCache
from envs.dmlab.levels import GENERATED_LEVELS, LEVELS
from envs.dmlab.vector import make_vector_env

__all__ = [
    "ACTION_SETS",
    "GENERATED_LEVELS",
    "LEVELS",
    "DeepMindLabEnv",
    "LevelCache",
    "entity_layer",
    "make_vector_env",
]
