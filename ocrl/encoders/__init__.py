"""Encoders: one file per published system or baseline."""

from ocrl.encoders.grid import GridEncoder
from ocrl.encoders.slotcontrast import SlotContrast
from ocrl.encoders.vector import VectorEncoder

__all__ = ["GridEncoder", "SlotContrast", "VectorEncoder"]
