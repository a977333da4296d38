"""Pretraining a backbone: resumed equals uninterrupted, and what is saved is what was trained."""

import dataclasses

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from ocrl.data.clips import ClipDataset
from ocrl.data.crops import MultiCrop
from ocrl.data.videos import ArrayVideos
from ocrl.errors import UsageError
from ocrl.metrics.neighbours import NeighbourProbe
from ocrl.modules.backbones import TimmBackbone
from ocrl.pretraining.backbones import BackbonePretraining, TeacherSchedule, save_backbone
from ocrl.pretraining.callbacks import FeaturePictures
from ocrl.pretraining.loop import PretrainingSettings, fit
from ocrl.pretraining.self_distillation import SelfDistillation
from ocrl.visualization.features import principal_colours

TINY = {"embed_dim": 16, "depth": 1, "num_heads": 2}
SETTINGS = PretrainingSettings(
    max_steps=6,
    steps_per_epoch=2,
    batch_size=4,
    learning_rate=1e-2,
    warmup_steps=1,
    gradient_clip=1.0,
    seed=0,
)
SCHEDULE = TeacherSchedule(0.9, (0.04, 0.07), 3, 0.04)
FRAMES = np.random.default_rng(0).integers(0, 255, (12, 64, 64, 3), np.uint8)


def tiny(**settings):
    return TimmBackbone("vit_micro_patch4_32", (64, 64), model_kwargs=TINY, **settings)


def run(folder, callbacks=(), resume=False):
    torch.manual_seed(0)
    distillation = SelfDistillation(
        tiny(pretrained=False, frozen=False), hidden_dim=8, bottleneck_dim=4, num_prototypes=8
    )
    frames = torch.from_numpy(FRAMES)
    kinds = (frames[..., 0] > 127).long()
    probe = NeighbourProbe(frames[:6], kinds[:6], frames[6:], kinds[6:], ("dark", "light"))
    clips = ClipDataset(ArrayVideos(FRAMES, [12]), 1)
    pictures = FeaturePictures(distillation.backbone, frames[:3], folder / "pictures")
    module = BackbonePretraining(distillation, MultiCrop(), SETTINGS, SCHEDULE, {"noise": probe})
    callbacks = [pictures, *callbacks]
    fit(module, clips, clips, SETTINGS, folder, callbacks=callbacks, resume=resume)
    return distillation


class Interrupt(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == 3:
            raise RuntimeError("killed")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return run(folder), folder


def test_a_resumed_run_equals_an_uninterrupted_one(whole, tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path, [Interrupt()])
    resumed = run(tmp_path, resume=True)
    for name, value in whole[0].state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_teacher_differs_from_student_and_both_from_the_start(whole):
    start = tiny(pretrained=False)
    torch.manual_seed(0)
    start = tiny(pretrained=False, frozen=False).state_dict()
    for name, value in start.items():
        student = whole[0].student["backbone"].state_dict()[name]
        teacher = whole[0].backbone.state_dict()[name]
        assert 0 < (teacher - value).abs().sum() < (student - value).abs().sum(), name


def test_scores_collapse_monitor_and_pictures_are_there(whole):
    header = (whole[1] / "csv" / "version_0" / "metrics.csv").read_text().splitlines()[0]
    for name in (
        "train/certainty",
        "train/variety",
        "validation/loss",
        "validation/feature_std",
        "neighbours_noise/balanced",
    ):
        assert name in header
    assert len(list((whole[1] / "pictures").glob("step=*.png"))) == 3


def test_saved_weights_are_those_trained_but_for_rounding(whole, tmp_path):
    path = tmp_path / "backbone.safetensors"
    save_backbone(path, whole[0].backbone, {"seed": 0})
    loaded = tiny(weights=path)
    frames = torch.from_numpy(FRAMES)
    expected = whole[0].backbone.eval()(frames)
    torch.testing.assert_close(loaded(frames), expected, atol=0.02, rtol=0.02)
    assert not any(weight.requires_grad for weight in loaded.parameters())
    with pytest.raises(UsageError, match="no weights at"):
        tiny(weights=tmp_path / "missing.safetensors")


def test_the_teacher_becomes_slower_and_softer():
    schedule = dataclasses.replace(SCHEDULE, warmup_steps=10)
    momenta = [schedule.momentum_at(step, 100) for step in (0, 50, 100)]
    assert momenta == pytest.approx([0.9, 0.95, 1.0])
    temperatures = [schedule.temperature_at(step) for step in (0, 5, 10, 99)]
    assert temperatures == pytest.approx([0.04, 0.055, 0.07, 0.07])


def test_principal_colours_follow_the_largest_variation_and_no_sign():
    features = torch.randn(2, 5, 5, 6) * torch.tensor([9.0, 3.0, 1.0, 0.1, 0.1, 0.1])
    colours = principal_colours(features)
    red = colours[..., 0].flatten().float()
    correlation = torch.corrcoef(torch.stack([red, features[..., 0].flatten()]))[0, 1]
    assert correlation > 0.95
    rotated = principal_colours(features @ torch.linalg.qr(torch.randn(6, 6)).Q)
    same = torch.minimum((colours - rotated.int()).abs(), (colours - (255 - rotated.int())).abs())
    assert same.float().mean() < 2
