"""Decoders: from slots back to the tokens or pixels of a frame."""

from ocrl.modules.decoders.autoregressive import AutoregressiveDecoder
from ocrl.modules.decoders.base import Decoder, DecoderOutput
from ocrl.modules.decoders.broadcast import SpatialBroadcastDecoder
from ocrl.modules.decoders.flat import FlatDecoder
from ocrl.modules.decoders.mixer import SlotMixerDecoder
from ocrl.modules.decoders.mlp import MLPDecoder

__all__ = [
    "AutoregressiveDecoder",
    "Decoder",
    "DecoderOutput",
    "FlatDecoder",
    "MLPDecoder",
    "SlotMixerDecoder",
    "SpatialBroadcastDecoder",
]
