"""What SLATE and STEVE share: slots from which a transformer tells the codes of a discrete VAE."""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.encoder import Batch, EncoderOutput, ParameterGroup, Reconstruction, TrainableEncoder
from ocrl.modules.annealing import CosineAnnealing
from ocrl.modules.code_decoder import CodeDecoder, CodeEmbedding
from ocrl.modules.discrete_vae import DiscreteVAE, code_grid
from ocrl.modules.initializers import RandomInitializer
from ocrl.modules.pixels import frames_of, images_of, pixels_of
from ocrl.modules.recurrence import SlotRecurrence, SlotState


class CodePrediction(TrainableEncoder):
    """Slots that hold what it takes to tell an image, code by code.

        image -> discrete VAE -> relaxed codes -> discrete VAE -> image       squared error
                      |
                    codes -> embedding -> transformer -> next code            cross-entropy
                                               ^
        image or its codes -> features -> slots'

    Both errors are summed over an image. The codes have no gradient: the discrete VAE learns from
    the squared error alone. Relaxed codes sharpen as the temperature falls with training.

    Tokens are slots, masks the attention of the last iteration. Neither needs the decoder.

    Args:
        image_size: (height, width) of the frames.
        feature_grid: (height, width) of what slot attention reads.
        dvae: images to codes and back.
        embedding: of codes.
        projection: to the features that slot attention reads.
        recurrence: slots over time.
        decoder: codes from slots.
        temperature: of the relaxed codes.

    Attributes:
        dvae_rate: learning rate of the discrete VAE, in units of the run's, as published.
        decoder_rate: that of the decoder.
    """

    dvae_rate = 3.0
    decoder_rate = 1.0

    def __init__(
        self,
        image_size: tuple[int, int],
        feature_grid: tuple[int, int],
        dvae: DiscreteVAE,
        embedding: CodeEmbedding,
        projection: nn.Module,
        recurrence: SlotRecurrence,
        decoder: CodeDecoder,
        temperature: CosineAnnealing,
    ) -> None:
        super().__init__()
        self.image_size = (image_size[0], image_size[1])
        self.num_tokens = recurrence.initializer.num_slots
        self.token_dim = recurrence.initializer.slot_dim
        self.loss_weights = {"reconstruction": 1.0, "cross_entropy": 1.0}
        self.feature_grid = feature_grid
        self.dvae = dvae
        self.embedding = embedding
        self.projection = projection
        self.recurrence = recurrence
        self.decoder = decoder
        self.temperature = temperature
        _initialise(projection, recurrence)

    @abstractmethod
    def features(self, frames: Tensor, embedded: Tensor | None = None) -> Tensor:
        """Return what slot attention reads.

        Args:
            frames: uint8 (B, H, W, 3).
            embedded: (B, 1 + N, d), their codes as ``embedding`` has them, where they were drawn.
        """

    def initial_state(self, batch_size: int) -> Tensor:
        """Return the initialiser's slots, (B, K, D)."""
        slots: Tensor = self.recurrence.initializer(batch_size)
        return slots

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode one frame of each of B running videos, see `ocrl.Encoder.step`."""
        self.check_frames(frames)
        state = self.initial_state(len(frames)) if state is None else state
        slots = self.recurrence.step(self.features(frames), state, is_first)
        return EncoderOutput(slots.slots, self._masks(slots), slots.predicted)

    def encode_video(self, videos: Tensor, state: Tensor | None = None) -> EncoderOutput:
        """Encode videos, the features of all frames at once."""
        self.check_frames(videos)
        features = torch.unflatten(self.features(videos.flatten(0, 1)), 0, videos.shape[:2])
        slots = self.recurrence(features, state)
        return EncoderOutput(slots.slots, self._masks(slots), slots.predicted[:, -1])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return both errors, summed over an image; in training the temperature goes on."""
        videos = batch["video"]
        self.check_frames(videos)
        frames = videos.flatten(0, 1)
        images = images_of(frames)
        temperature = self.temperature(advance=self.training)
        relaxed, codes = self.dvae.sample(self.dvae(images), temperature)
        embedded = self.embedding(codes)
        features = self.features(frames, embedded)
        slots = self.recurrence(torch.unflatten(features, 0, videos.shape[:2])).slots.flatten(0, 1)
        logits = self.decoder(embedded[:, :-1], slots)
        error = (self.dvae.decode(relaxed) - images).square().sum()
        surprise = F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="sum")
        return {
            "reconstruction": error / len(images),
            "cross_entropy": surprise / len(images),
        }

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the discrete VAE, which learns at its full rate from the start, and the rest."""
        dvae = list(self.dvae.parameters())
        decoder = [*self.embedding.parameters(), *self.decoder.code_parameters()]
        apart = {id(parameter) for parameter in (*dvae, *decoder)}
        slots = [parameter for parameter in self.parameters() if id(parameter) not in apart]
        return [
            ParameterGroup(dvae, rate=self.dvae_rate, constant=True),
            ParameterGroup(decoder, rate=self.decoder_rate),
            ParameterGroup(slots),
        ]

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Tell the likeliest codes from the slots alone, one after the other, and paint them."""
        videos = batch["video"]
        encoded = self.encode_video(videos)
        grid, slots = code_grid(self.image_size), encoded.tokens.flatten(0, 1)
        codes = self.decoder.generate(self.embedding, slots, grid[0] * grid[1])
        one_hot = torch.unflatten(F.one_hot(codes, self.dvae.vocabulary_size).float().mT, -1, grid)
        images = (self.dvae.decode(one_hot), images_of(videos.flatten(0, 1)))
        told, target = (torch.unflatten(pixels_of(x), 0, videos.shape[:2]) for x in images)
        return Reconstruction(told, target, encoded.masks)

    def to_images(self, values: Tensor) -> Tensor:
        """Return pixels (..., H * W, 3) as uint8 images (..., H, W, 3)."""
        return frames_of(values, self.image_size)

    def _masks(self, slots: SlotState) -> Tensor:
        return torch.unflatten(slots.attention, -1, self.feature_grid)


def _initialise(projection: nn.Module, recurrence: SlotRecurrence) -> None:
    """Draw the weights around slot attention as the public code of both does."""
    for module in (*projection.modules(), *recurrence.corrector.modules()):
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.GRUCell):
            nn.init.xavier_uniform_(module.weight_ih)
            nn.init.orthogonal_(module.weight_hh)
            nn.init.zeros_(module.bias_ih)
            nn.init.zeros_(module.bias_hh)
    if isinstance(recurrence.initializer, RandomInitializer):
        nn.init.xavier_uniform_(recurrence.initializer.mean)
        nn.init.xavier_uniform_(recurrence.initializer.log_std)
