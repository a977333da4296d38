"""Backbones: from frames to a grid of tokens."""

from ocrl.modules.backbones.base import Backbone
from ocrl.modules.backbones.cnn import CNNBackbone, small_cnn
from ocrl.modules.backbones.micro import vit_micro_patch4_32
from ocrl.modules.backbones.resnet import ResNetBackbone
from ocrl.modules.backbones.vit import MICRO, TimmBackbone

__all__ = [
    "MICRO",
    "Backbone",
    "CNNBackbone",
    "ResNetBackbone",
    "TimmBackbone",
    "small_cnn",
    "vit_micro_patch4_32",
]
