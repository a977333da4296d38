"""Commands load encoders of one's own once their package is trusted."""

from __future__ import annotations

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor

import ocrl
from ocrl import Encoder, EncoderOutput, UsageError
from ocrl_studies.composition import compose
from ocrl_studies.trust import load_trusted


class Own(Encoder):
    num_tokens, token_dim = 1, 3

    def __init__(self, image_size: list[int], scale: int) -> None:
        super().__init__()
        self.image_size = (image_size[0], image_size[1])
        self.scale = torch.nn.Parameter(torch.full((), float(scale)))

    def step(self, frames: Tensor, state: Tensor | None, is_first: Tensor) -> EncoderOutput:
        return EncoderOutput(frames.float().mean((1, 2)).unsqueeze(1) * self.scale, None, None)


def test_a_class_of_one_s_own_is_named_trusted_and_loaded(tmp_path):
    own = [f"encoder.model._target_={__name__}.Own", "+encoder.model.scale=5"]
    cfg = compose("train_agent", ["encoder=custom", *own])
    path = tmp_path / "encoder.safetensors"
    model = OmegaConf.to_container(cfg.encoder.model, resolve=True)
    ocrl.save_encoder(path, instantiate(cfg.encoder.model), model)
    with pytest.raises(UsageError, match="trusted="):
        load_trusted(path, cfg.trusted)
    loaded = load_trusted(path, compose("train_agent", [f"trusted=[{__name__}]"]).trusted)
    assert isinstance(loaded, Own)
    assert loaded.image_size == (64, 64)
