"""Object-centric representation learning: encoders that turn frames into slots."""

from importlib.metadata import version

from ocrl.checkpoints import load_encoder, save_encoder
from ocrl.encoder import Encoder, EncoderOutput, TrainableEncoder
from ocrl.errors import UsageError

__all__ = [
    "Encoder",
    "EncoderOutput",
    "TrainableEncoder",
    "UsageError",
    "load_encoder",
    "save_encoder",
]

__version__ = version("ocrl")
