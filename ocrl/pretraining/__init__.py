"""Pretraining of encoders and of backbones, with Lightning."""

from ocrl.pretraining.encoders import Pretraining, pretrain
from ocrl.pretraining.loop import PretrainingSettings

__all__ = ["Pretraining", "PretrainingSettings", "pretrain"]
