"""Pretraining of encoders and of backbones, with Lightning."""

from ocrl.extras import name_extras

with name_extras():
    from ocrl.pretraining.encoders import Pretraining, pretrain
    from ocrl.pretraining.loop import PretrainingSettings

__all__ = ["Pretraining", "PretrainingSettings", "pretrain"]
