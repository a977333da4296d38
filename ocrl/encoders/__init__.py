"""Encoders: one file per published system or baseline."""

from ocrl.encoders.cnn import CNNEncoder
from ocrl.encoders.dinosaur import Dinosaur
from ocrl.encoders.grid import GridEncoder
from ocrl.encoders.savi import SAVi
from ocrl.encoders.slot_attention import SlotAttentionAutoencoder
from ocrl.encoders.slotcontrast import SlotContrast
from ocrl.encoders.slotcurri import SlotCurri
from ocrl.encoders.ssync import SSync
from ocrl.encoders.vae import VAE
from ocrl.encoders.vector import VectorEncoder
from ocrl.encoders.videosaur import VideoSAUR

__all__ = [
    "VAE",
    "CNNEncoder",
    "Dinosaur",
    "GridEncoder",
    "SAVi",
    "SSync",
    "SlotAttentionAutoencoder",
    "SlotContrast",
    "SlotCurri",
    "VectorEncoder",
    "VideoSAUR",
]
