"""Flat sprites on a plain ground with true masks: at rest, moving, or as digits."""

from ocrl_envs.sprites.recipes import SpriteRecipe, digits, moving_digits, moving_sprites, sprites
from ocrl_envs.sprites.scene import SpriteScene, generate_sprites

__all__ = [
    "SpriteRecipe",
    "SpriteScene",
    "digits",
    "generate_sprites",
    "moving_digits",
    "moving_sprites",
    "sprites",
]
