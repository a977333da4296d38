"""Videos of falling and colliding things with ground truth, in the manner of MOVi."""

from ocrl_envs.scenes.generator import generate_scenes
from ocrl_envs.scenes.recipes import Recipe, movi_a_like, movi_c_like, movi_e_like
from ocrl_envs.scenes.scene import Scene, generate_scene

__all__ = [
    "Recipe",
    "Scene",
    "generate_scene",
    "generate_scenes",
    "movi_a_like",
    "movi_c_like",
    "movi_e_like",
]
