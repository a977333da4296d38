"""Where an encoder is, with and without weights."""

from __future__ import annotations

import pytest

from ocrl.encoder import Encoder
from ocrl.encoders.block_masks import BlockMasks
from ocrl.zoo import create_encoder


@pytest.mark.parametrize("encoder", [BlockMasks(), create_encoder("vector")])
def test_an_encoder_is_where_its_numbers_are(encoder: Encoder) -> None:
    assert encoder.device.type == "cpu"
    assert encoder.to("meta").device.type == "meta"
