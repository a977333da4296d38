"""Sizes follow from each other: any image, patch and number of slots makes a working encoder."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st

import ocrl
from ocrl import UsageError
from ocrl.zoo import find_encoder
from ocrl_studies.composition import find_configs

# In sizes that a test has time for. The published sizes of the classics are tested elsewhere.
NAMES = [name for name in ocrl.list_encoders() if not name.endswith("_published")]
# Encoders of which every size works, and masks have the grid that follows from it. Others may
# refuse a size in one line, and put masks together on a grid of their own, the background's too.
ANY_SIZE = {
    "cnn",
    "dinosaur",
    "grid",
    "savi",
    "slot_attention",
    "slotcontrast",
    "slotcontrast_features",
    "slotcontrast_vit",
    "vae",
    "vector",
    "videosaur",
}
SMALL = {
    "backbone": "vit_tiny_patch16_224",
    "pretrained": False,
    "slot_dim": 16,
    "decoder_dims": [8, 8, 8, 8],
}


def create(name: str, rows: int, columns: int, patch: int, num_slots: int) -> ocrl.Encoder:
    """Make an encoder for frames of so many patches, as small as it may be."""
    takes = inspect.signature(find_encoder(name)).parameters
    trained_patch = 8 if "resnet34" in str(takes.get("backbone")) or name == "cnn" else 4
    vit = "backbone_options" in takes
    side = patch if vit else trained_patch
    arguments: dict[str, Any] = {"image_size": (rows * side * 2, columns * side * 2)}
    if "num_slots" in takes:
        arguments["num_slots"] = num_slots
    arguments |= {k: v for k, v in SMALL.items() if k in takes and (k != "backbone" or vit)}
    if vit:
        arguments["backbone_options"] = {
            "patch_size": patch,
            "embed_dim": 16,
            "num_heads": 2,
            "depth": 1,
        }
    return ocrl.create_encoder(name, **arguments)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.integers(2, 4), st.sampled_from([4, 8, 14]), st.integers(2, 5))
def test_every_encoder_works_in_every_size(
    name: str, rows: int, columns: int, patch: int, num_slots: int
) -> None:
    torch.manual_seed(0)
    try:
        encoder = create(name, rows, columns, patch, num_slots)
    except UsageError as error:
        if name in ANY_SIZE or "\n" in str(error):
            raise
        return
    height, width = encoder.image_size
    batch = {"video": torch.randint(0, 256, (2, 2, height, width, 3), dtype=torch.uint8)}
    if isinstance(encoder, ocrl.TrainableEncoder):
        encoder.train()
        optimizer = torch.optim.Adam([p for p in encoder.parameters() if p.requires_grad], 1e-3)
        loss = encoder.total_loss(encoder.losses(batch))
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)
    encoder.eval()
    with torch.inference_mode():
        output = encoder.encode_video(batch["video"])
        masks = encoder.segment(batch)
    assert output.tokens.shape == (2, 2, encoder.num_tokens, encoder.token_dim)
    for found in (output.masks, masks):
        if found is not None:
            assert found.shape[:2] == (2, 2)
        if found is not None and name in ANY_SIZE:
            assert found.shape[2] == encoder.num_tokens
            # cells are as wide as they are high
            assert found.shape[-2] * width == found.shape[-1] * height


@pytest.mark.parametrize("size", [(128, 128), (32, 128)])
@pytest.mark.parametrize(
    ("name", "cell"), [("slotcontrast", 4), ("slotcontrast_vit", 4), ("savi_small", 4), ("grid", 8)]
)
def test_a_configuration_needs_no_more_than_the_image_size(
    name: str, cell: int, size: tuple[int, int]
) -> None:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        config = compose(
            "pretrain_slots", [f"encoder={name}", f"encoder.image_size=[{size[0]},{size[1]}]"]
        )
    encoder = instantiate(config.encoder.model).eval()
    video = torch.zeros(1, 1, *size, 3, dtype=torch.uint8)
    with torch.inference_mode():
        decoded = encoder.reconstruct({"video": video})
    assert decoded.masks.shape[-2:] == (size[0] // cell, size[1] // cell)
