"""Block masks and k-means: what they cut, and that they obey the encoder contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.cluster.vq import kmeans2
from torch import Tensor

from ocrl.encoder import Encoder
from ocrl.encoders.block_masks import BlockMasks, block_masks
from ocrl.encoders.kmeans import BackboneFeatures, ColourPosition, KMeans
from ocrl.errors import UsageError
from ocrl.metrics import AdjustedRandIndex
from ocrl.modules.backbones import Backbone


def coloured_squares(num_frames: int = 4) -> tuple[Tensor, Tensor]:
    """A video of three squares of one colour each that move over grey, and its segments."""
    frames = torch.full((1, num_frames, 64, 64, 3), 90, dtype=torch.uint8)
    segments = torch.zeros(1, num_frames, 64, 64, dtype=torch.long)
    colours = torch.tensor([[250, 20, 20], [20, 240, 30], [30, 20, 250]], dtype=torch.uint8)
    for t in range(num_frames):
        for i, (y, x) in enumerate([(4, 4 + 4 * t), (28, 40 - 4 * t), (44, 8 + 4 * t)]):
            frames[0, t, y : y + 16, x : x + 16] = colours[i]
            segments[0, t, y : y + 16, x : x + 16] = i + 1
    return frames, segments


def encoders() -> list[Encoder]:
    return [BlockMasks(num_slots=5, num_columns=2), KMeans(num_slots=5)]


@pytest.mark.parametrize(("num_slots", "num_columns"), [(11, 3), (7, 3), (4, 4), (1, 1)])
def test_blocks_partition_the_image_evenly(num_slots: int, num_columns: int) -> None:
    masks = block_masks(num_slots, num_columns, (66, 60))
    assert torch.equal(masks.sum(0), torch.ones(66, 60))
    sizes = masks.sum((1, 2))
    ideal = 66 * 60 / num_slots
    assert sizes.min() > 0.6 * ideal
    assert sizes.max() < 1.5 * ideal
    for mask in masks.numpy():
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert rows * columns == mask.sum()


def test_block_tokens_are_mean_colours() -> None:
    frames = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    output = BlockMasks().step(frames, None, torch.ones(2, dtype=torch.bool))
    assert output.masks is not None
    for row, token, mask in zip(frames, output.tokens[:, 3], output.masks[:, 3], strict=True):
        torch.testing.assert_close(token, row[mask.bool()].float().mean(0) / 255)


def test_kmeans_finds_coloured_things_and_keeps_their_slots() -> None:
    frames, segments = coloured_squares()
    encoder = KMeans(num_slots=4, features=ColourPosition(grid=(16, 16), position_weight=0))
    masks = encoder.encode_video(frames).masks
    metric = AdjustedRandIndex(ignore_background=False)
    metric.update(masks, segments)
    assert float(metric.compute()) == pytest.approx(1, abs=0.02)


def test_features_are_mean_colours_and_weighted_places() -> None:
    frames = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    features = ColourPosition(grid=(4, 8), position_weight=0.5)(frames)
    cell = frames[0, 16:32, 8:16].float().mean((0, 1)) / 255
    torch.testing.assert_close(features[0, 1, 1, :3], cell)
    torch.testing.assert_close(features[0, 3, 0, 3:], torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(features[0, 0, 7, 3:], torch.tensor([0.0, 0.5]))


def test_kmeans_of_one_frame_is_scipys() -> None:
    frames = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    output = KMeans(num_slots=3).step(frames, None, torch.ones(1, dtype=torch.bool))
    points = ColourPosition()(frames).view(-1, 5).double().numpy()
    centres, ids = kmeans2(points, 3, 10, minit="++", rng=0)
    np.testing.assert_allclose(output.tokens[0].numpy(), centres, atol=1e-6)
    assert output.masks is not None
    assert (output.masks[0].argmax(0).flatten().numpy() == ids).all()


def test_kmeans_starts_from_the_last_centres() -> None:
    frames, _ = coloured_squares()
    encoder = KMeans(num_slots=4)
    first = encoder.step(frames[:, 0], None, torch.ones(1, dtype=torch.bool))
    swapped = first.tokens[:, [2, 0, 3, 1]]
    second = encoder.step(frames[:, 0], swapped, torch.zeros(1, dtype=torch.bool))
    torch.testing.assert_close(second.tokens, swapped, atol=0.02, rtol=0)
    fresh = encoder.step(frames[:, 0], swapped, torch.ones(1, dtype=torch.bool))
    torch.testing.assert_close(fresh.tokens, first.tokens)


@pytest.mark.parametrize("encoder", encoders(), ids=lambda e: type(e).__name__)
def test_encoder_contract(encoder: Encoder) -> None:
    videos = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    output = encoder.encode_video(videos)
    assert output.masks is not None
    assert output.tokens.shape == (2, 3, encoder.num_tokens, encoder.token_dim)
    assert output.masks.shape[:3] == (2, 3, encoder.num_tokens)
    torch.testing.assert_close(output.masks.sum(2), torch.ones_like(output.masks[:, :, 0]))
    for row in range(2):
        alone = encoder.encode_video(videos[row : row + 1])
        torch.testing.assert_close(alone.tokens[0], output.tokens[row])


class ColourCells(Backbone):
    """Tokens are the mean colours of 8x8 cells, scaled by the frame's brightness."""

    def __init__(self) -> None:
        super().__init__((64, 64), [0.0] * 3, [1.0] * 3, frozen=True)
        self.grid_size, self.feature_dim = (8, 8), 3

    def extract(self, images: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(images, 8).flatten(2).mT + 0.01


def test_kmeans_on_a_backbone_compares_directions() -> None:
    frames = torch.zeros(1, 1, 64, 64, 3, dtype=torch.uint8)
    frames[..., :32, :, 0], frames[..., 32:, :, 1] = 200, 200
    frames[..., :, 32:, :] //= 4
    encoder = KMeans(num_slots=2, features=BackboneFeatures(ColourCells()))
    assert encoder.token_dim == 3
    masks = encoder.encode_video(frames).masks
    assert masks is not None
    upper = masks[0, 0, :, :4]
    assert sorted(upper.mean((1, 2)).tolist()) == [0, 1]
    assert masks[0, 0, :, 4:].mean((1, 2)).tolist() == upper.mean((1, 2)).tolist()[::-1]


def test_kmeans_survives_frames_of_one_colour() -> None:
    output = KMeans().encode_video(torch.zeros(1, 2, 64, 64, 3, dtype=torch.uint8))
    assert output.tokens.isfinite().all()


def test_bad_input() -> None:
    with pytest.raises(UsageError, match="num_columns is between 1 and num_slots = 3"):
        block_masks(3, 4, (8, 8))
    with pytest.raises(UsageError, match="fewer slots or a finer grid"):
        KMeans(num_slots=20, features=ColourPosition(grid=(4, 4)))
    with pytest.raises(UsageError, match="takes uint8 frames"):
        KMeans().step(torch.zeros(1, 32, 32, 3).byte(), None, torch.ones(1, dtype=torch.bool))
