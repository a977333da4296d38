"""Training on kept features equals training without, but for rounding."""

import dataclasses

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from ocrl.data.clips import ClipDataset, MixedClips
from ocrl.data.features import VideoFeatures
from ocrl.data.transforms import Fitting
from ocrl.data.videos import ArrayVideos
from ocrl.errors import UsageError
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.pretraining.cached_features import with_cached_features
from ocrl_studies.composition import find_configs

SETTINGS = PretrainingSettings(
    max_steps=4,
    steps_per_epoch=2,
    batch_size=2,
    learning_rate=1e-3,
    warmup_steps=1,
    gradient_clip=1.0,
    seed=0,
)
FRAMES = np.random.default_rng(0).integers(0, 255, (9, 64, 64, 3), np.uint8)
VIDEOS = ArrayVideos(FRAMES, [4, 5])
SMALLER = [
    "encoder.model.pretrained=false",
    "+encoder.model.backbone_options={depth: 1}",
]


def build(name, *overrides):
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        cfg = compose("pretrain_slots", overrides=[f"encoder={name}", *overrides])
    torch.manual_seed(0)
    return instantiate(cfg.encoder.model)


def small(name):
    return build(name, *SMALLER)


def train(encoder, folder, feature_cache):
    clips = ClipDataset(VIDEOS, 2)
    settings = dataclasses.replace(SETTINGS, feature_cache=feature_cache)
    scores = SegmentationScores()
    pretrain(encoder, clips, clips, settings, folder, scores=scores, callbacks=[])
    return encoder


@pytest.mark.parametrize("name", ["slotcontrast_vit", "videosaur_small", "dinosaur_small"])
def test_training_equals_that_without_a_cache(name, tmp_path):
    plain = train(small(name), tmp_path / "plain", None)
    cached = train(small(name), tmp_path / "cached", str(tmp_path / "features"))
    start, end, rounded = (
        torch.cat([weight.detach().flatten() for weight in encoder.parameters()])
        for encoder in (small(name), plain, cached)
    )
    # Adam makes a step of the smallest gradient too, whose sign rounding may turn.
    assert 0 < (rounded - end).norm() < 0.1 * (end - start).norm()


def test_kept_features_are_those_of_the_clip(tmp_path):
    encoder = small("videosaur_small")
    clips = with_cached_features(
        MixedClips([ClipDataset(VIDEOS, 2), ClipDataset(ArrayVideos(FRAMES[:6], [6]), 2)]),
        encoder,
        tmp_path,
    )
    for index in (0, 1, 5, 8):
        clip = clips[index]
        expected = encoder.frozen_features().compute(clip["video"][None])
        for name in ("features", "keys"):
            torch.testing.assert_close(clip[name], expected[name][0], atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("fitting", [Fitting(), Fitting("central"), Fitting("short_side")])
def test_kept_features_are_those_of_the_cropped_clip(fitting, tmp_path):
    frames = np.random.default_rng(1).integers(0, 255, (3, 96, 144, 3), np.uint8)
    encoder, videos = small("dinosaur_small"), ArrayVideos(frames, [3])
    plain = ClipDataset(videos, 2, image_size=(64, 64))
    cropped = ClipDataset(videos, 2, image_size=(64, 64), fitting=fitting)
    with_cached_features(plain, encoder, tmp_path)  # kept under other names
    clip = with_cached_features(cropped, encoder, tmp_path)[1]
    expected = encoder.frozen_features().compute(clip["video"][None])["features"][0]
    torch.testing.assert_close(clip["features"], expected, atol=2e-3, rtol=2e-3)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_there_is_not_computed_again(tmp_path):
    calls = []

    def compute(frames):
        calls.append(len(frames))
        return {"mean": frames.float().mean((1, 2, 3))}

    VideoFeatures(tmp_path, VIDEOS, compute, "a")
    assert sum(calls) == 9 + 1
    (tmp_path / sorted(path.name for path in tmp_path.iterdir())[0]).unlink()
    calls.clear()
    again = VideoFeatures(tmp_path, VIDEOS, compute, "a")
    assert sum(calls) in (4 + 1, 5 + 1)
    expected = torch.from_numpy(FRAMES[5:8]).float().mean((1, 2, 3)).half().float()
    assert torch.equal(again.read(1, 1, 4)["mean"], expected)
    calls.clear()
    VideoFeatures(tmp_path, VIDEOS, compute, "another network")
    VideoFeatures(tmp_path, ArrayVideos(FRAMES + 1, [4, 5]), compute, "a")
    assert sum(calls) == 2 * (9 + 1)


def test_features_that_change_are_not_kept(tmp_path):
    clips = ClipDataset(VIDEOS, 2)
    with pytest.raises(UsageError, match="feature_cache=null"):
        with_cached_features(clips, build("slotcontrast"), tmp_path)
    encoder = small("dinosaur_small")
    mirrored = ClipDataset(VIDEOS, 2, image_size=(64, 64), fitting=Fitting(flip=True))
    with pytest.raises(UsageError, match="at random"):
        with_cached_features(mirrored, encoder, tmp_path)
    with pytest.raises(UsageError, match="at random"):
        with_cached_features(MixedClips([clips, mirrored]), encoder, tmp_path)
    assert not list(tmp_path.iterdir())  # refused before anything was computed
    before = with_cached_features(clips, encoder, tmp_path)[0]["features"]
    with torch.no_grad():
        next(encoder.backbone.parameters()).add_(0.5)
    after = with_cached_features(clips, encoder, tmp_path)[0]["features"]
    assert not torch.equal(before, after)
