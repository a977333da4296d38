"""MAE: patch tokens from a vision transformer that learns to fill in what it does not see."""

from __future__ import annotations

import dataclasses

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from ocrl.encoder import Batch, EncoderOutput, Reconstruction, TrainableEncoder
from ocrl.errors import UsageError
from ocrl.modules.patches import images_of_patches, mean_and_deviation, patches_of, standardise
from ocrl.modules.pixels import frames_of, images_of, pixels_of
from ocrl.modules.position import sine_positions
from ocrl.zoo import register_encoder


class MAE(TrainableEncoder):
    """Masked autoencoders are scalable vision learners (He et al. 2022, arXiv 2111.06377).

        image -> patches -> a quarter of them -> transformer -> tokens
        tokens, and one learned vector for each hidden patch -> small transformer -> pixels

        L = mean over hidden patches of |pixels - patch|^2

    with the pixels of a patch scaled to mean 0 and variance 1 (section 4.1), and no class token.
    The dense self-supervised baseline of slots: its tokens are the patches of the whole image, and
    a token's mask is its patch. Every frame of a video is an image of its own.

    Args:
        image_size: (height, width), divisible by the patch size.
        patch_size: side of a patch.
        dim: D, width of the encoder.
        num_blocks: its depth.
        num_heads: divides D.
        decoder_dim: width of the decoder.
        decoder_blocks: its depth.
        decoder_heads: divides its width.
        hidden_share: share of the patches that the encoder does not see in training.
    """

    masks: Tensor
    place: Tensor
    decoder_place: Tensor
    eval_order: Tensor

    def __init__(
        self,
        image_size: tuple[int, int],
        *,
        patch_size: int,
        dim: int,
        num_blocks: int,
        num_heads: int,
        decoder_dim: int,
        decoder_blocks: int,
        decoder_heads: int,
        hidden_share: float,
    ) -> None:
        super().__init__()
        height, width = image_size
        if height % patch_size or width % patch_size:
            raise UsageError(
                f"patches of {patch_size} do not divide images of {height}x{width}: choose a "
                "patch_size that divides both sides"
            )
        for size, heads in ((dim, num_heads), (decoder_dim, decoder_heads)):
            if size % heads:
                raise UsageError(f"{heads} heads do not divide a width of {size}: change either")
        self.grid_size = (height // patch_size, width // patch_size)
        self.num_tokens = self.grid_size[0] * self.grid_size[1]
        self.num_seen = round(self.num_tokens * (1 - hidden_share))
        if not 0 < self.num_seen < self.num_tokens:
            raise UsageError(
                f"hidden_share {hidden_share} hides {self.num_tokens - self.num_seen} of "
                f"{self.num_tokens} patches: choose one between 0 and 1, such as 0.75"
            )
        self.image_size = (height, width)
        self.token_dim = dim
        self.patch_size = patch_size
        self.loss_weights = {"reconstruction": 1.0}
        pixels = 3 * patch_size**2
        self.embedding = nn.Linear(pixels, dim)
        self.encoder = _transformer(dim, num_blocks, num_heads)
        self.to_decoder = nn.Linear(dim, decoder_dim)
        self.hidden = nn.Parameter(0.02 * torch.randn(decoder_dim))
        self.decoder = nn.Sequential(
            _transformer(decoder_dim, decoder_blocks, decoder_heads), nn.Linear(decoder_dim, pixels)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        self.register_buffer("place", sine_positions(self.grid_size, dim), persistent=False)
        decoder_place = sine_positions(self.grid_size, decoder_dim)
        self.register_buffer("decoder_place", decoder_place, persistent=False)
        masks = torch.eye(self.num_tokens).view(-1, *self.grid_size)
        self.register_buffer("masks", masks, persistent=False)
        order = torch.randperm(self.num_tokens, generator=torch.Generator().manual_seed(0))
        self.register_buffer("eval_order", order, persistent=False)

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames (B, H, W, 3) as one token for each patch; nothing is carried."""
        self.check_frames(frames)
        tokens = self.encoder(self.embed(patches_of(images_of(frames), self.patch_size)))
        return EncoderOutput(tokens, self.masks.expand(len(frames), -1, -1, -1), None)

    def segment(self, batch: Batch) -> None:
        """Return None: patches are no segments."""

    def segment_step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        """Encode frames as ``step``, without masks."""
        return dataclasses.replace(self.step(frames, state, is_first), masks=None)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the error on hidden patches."""
        self.check_frames(batch["video"])
        patches = patches_of(images_of(batch["video"].flatten(0, 1)), self.patch_size)
        order = self.draw_order(len(patches))
        errors = (self.fill_in(patches, order) - standardise(patches)).square().mean(-1)
        return {"reconstruction": errors.gather(1, order[:, self.num_seen :]).mean()}

    def reconstruct(self, batch: Batch) -> Reconstruction:
        """Fill in hidden patches, the same in all images, at the true patch's mean and variance."""
        videos = batch["video"]
        self.check_frames(videos)
        images = images_of(videos.flatten(0, 1))
        patches = patches_of(images, self.patch_size)
        order = self.eval_order.expand(len(patches), -1)
        mean, deviation = mean_and_deviation(patches)
        filled = self.fill_in(patches, order) * deviation + mean
        seen = order[:, : self.num_seen, None].expand(-1, -1, patches.shape[-1])
        whole = filled.scatter(1, seen, patches.gather(1, seen))
        painted = images_of_patches(whole, self.patch_size, self.grid_size)
        painted, target = (
            torch.unflatten(pixels_of(x), 0, videos.shape[:2]) for x in (painted, images)
        )
        return Reconstruction(painted, target)

    def to_images(self, values: Tensor) -> Tensor:
        """Return pixels (..., H * W, 3) as uint8 images (..., H, W, 3)."""
        return frames_of(values, self.image_size)

    def draw_order(self, batch_size: int) -> Tensor:
        """Return the patches of each image in random order, (B, N): the first of them are seen."""
        if not self.training:
            return self.eval_order.expand(batch_size, -1)
        return torch.rand(batch_size, self.num_tokens, device=self.device).argsort(dim=1)

    def fill_in(self, patches: Tensor, order: Tensor) -> Tensor:
        """Predict standardised patches (B, N, P) from those that come first in an order (B, N)."""
        seen = order[:, : self.num_seen, None]
        embedded = self.embed(patches)
        tokens = self.encoder(embedded.gather(1, seen.expand(-1, -1, embedded.shape[-1])))
        narrow = self.to_decoder(tokens)
        places = seen.expand(-1, -1, narrow.shape[-1])
        hidden = self.hidden.to(narrow).expand(*patches.shape[:2], -1)
        filled: Tensor = self.decoder(hidden.scatter(1, places, narrow) + self.decoder_place)
        return filled

    def embed(self, patches: Tensor) -> Tensor:
        """Map patches (B, N, P) to vectors (B, N, D) with their places."""
        embedded: Tensor = self.embedding(patches) + self.place
        return embedded


def _transformer(dim: int, num_blocks: int, num_heads: int) -> nn.Sequential:
    blocks = (Block(dim, num_heads, qkv_bias=True) for _ in range(num_blocks))
    return nn.Sequential(*blocks, nn.LayerNorm(dim))


@register_encoder
def mae(
    *,
    image_size: tuple[int, int] = (64, 64),
    patch_size: int = 8,
    dim: int = 96,
    num_blocks: int = 4,
    num_heads: int = 4,
    decoder_dim: int = 64,
    decoder_blocks: int = 2,
    decoder_heads: int = 4,
    hidden_share: float = 0.75,
) -> MAE:
    """Make an MAE, small enough for one core; arguments as `MAE` has them."""
    return MAE(
        image_size,
        patch_size=patch_size,
        dim=dim,
        num_blocks=num_blocks,
        num_heads=num_heads,
        decoder_dim=decoder_dim,
        decoder_blocks=decoder_blocks,
        decoder_heads=decoder_heads,
        hidden_share=hidden_share,
    )
