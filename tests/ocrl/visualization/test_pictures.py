from __future__ import annotations

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import Subset

from ocrl.data.clips import Clip, ClipDataset
from ocrl.data.videos import ArrayVideos
from ocrl.encoder import Encoder
from ocrl.metrics.scoring import SegmentationScores
from ocrl.modules.backbones import MICRO, TimmBackbone
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.pretraining.callbacks import MaskPictures
from ocrl.visualization import draw_masks, draw_reconstructions
from ocrl.visualization.features import draw_features
from ocrl_studies.composition import find_configs

MARGIN = 18
"""Pixels at the left that have titles."""


def build(name: str, *overrides: str) -> Encoder:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        config = compose(overrides=[f"+encoder={name}", *overrides])
    torch.manual_seed(0)
    encoder: Encoder = instantiate(config.encoder.model)
    return encoder.eval()


def some_clips(length: int = 3, size: int = 64) -> Subset[Clip]:
    frames = np.random.default_rng(0).integers(0, 255, (6, size, size, 3), np.uint8)
    clips: ClipDataset = ClipDataset(ArrayVideos(frames, [6]), length)
    return Subset(clips, range(2))


def test_the_upper_row_of_reconstructions_is_the_target() -> None:
    encoder, clips = build("slotcontrast"), some_clips()
    picture = draw_reconstructions(encoder, [clips[0]])
    assert picture is not None
    assert picture.shape == (2 * 64 + 2, MARGIN + 3 * 64 + 2 * 2, 3)
    target = encoder.target(clips[0]["video"][None], torch.empty(0))
    first = encoder.target.to_images(target)[0, 0].numpy()
    assert (picture[:64:4, MARGIN : MARGIN + 64 : 4] == first).all()
    assert not (picture[66::4, MARGIN : MARGIN + 64 : 4] == first).all()


def test_any_encoder_that_paints_colours_is_drawn() -> None:
    for name in ("vector", "vae", "grid"):
        picture = draw_reconstructions(build(name), some_clips())
        assert picture is not None
        assert picture.shape == (4 * 64 + 3 * 2, MARGIN + 3 * 64 + 2 * 2, 3)


@pytest.mark.parametrize("size", [40, 96, 144])
def test_frames_of_any_size_are_drawn(size: int) -> None:
    encoder = build("slotcontrast", f"encoder.image_size=[{size},{size}]")
    clips = some_clips(size=size)
    assert draw_reconstructions(encoder, clips) is not None
    assert draw_masks(encoder, clips) is not None
    vit = TimmBackbone(MICRO, (size, size), pretrained=False)
    frames = clips[0]["video"]
    assert draw_features(vit, frames) is not None


def test_encoders_that_paint_no_colours_draw_none() -> None:
    assert draw_reconstructions(build("slotcontrast_vit"), [some_clips()[0]]) is None
    assert draw_reconstructions(build("cnn"), [some_clips()[0]]) is None


def test_tensorboard_has_pictures_and_what_is_measured_alone(tmp_path) -> None:
    clips = some_clips()
    settings = PretrainingSettings(
        max_steps=5,
        steps_per_epoch=2,
        batch_size=2,
        learning_rate=1e-3,
        warmup_steps=0,
        gradient_clip=1.0,
        seed=0,
    )
    pretrain(
        build("slotcontrast"),
        clips,
        clips,
        settings,
        tmp_path,
        scores=SegmentationScores(),
        callbacks=[MaskPictures(clips, 2, tmp_path / "pictures")],
    )
    events = EventAccumulator(str(tmp_path)).Reload()
    assert {"masks", "reconstructions"} <= set(events.Tags()["images"])
    (first, second) = events.Scalars("validation/slots_used")
    assert 1 <= first.value <= 7
    assert (first.step, second.step) == (1, 3)
    drawn = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn == ["step=000002.png", "step=000004.png", "step=000005.png"], (
        "the last weights too"
    )
    assert not {"epoch", "hp_metric"} & set(events.Tags()["scalars"])
    assert not list(tmp_path.rglob("hparams.yaml"))


def test_whole_videos_of_different_lengths_are_drawn() -> None:
    clips = [some_clips(length)[0] for length in (2, 5)]
    for draw in (draw_masks, draw_reconstructions):
        together, alone = draw(build("slotcontrast"), clips), draw(build("slotcontrast"), clips[:1])
        assert together is not None
        assert alone is not None
        assert (together[: len(alone), : alone.shape[1]] == alone).all()
