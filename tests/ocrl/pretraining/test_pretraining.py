"""Pretraining: resumed equals uninterrupted, and trouble is said in one line."""

import dataclasses

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.data import Dataset

import ocrl
from ocrl.data.sampler import EpochSampler
from ocrl.encoder import EncoderOutput, TrainableEncoder
from ocrl.errors import UsageError
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.pretraining.checkpoint_io import WholeCheckpoints
from ocrl.pretraining.encoders import slots_used

SETTINGS = PretrainingSettings(
    max_steps=12,
    steps_per_epoch=4,
    batch_size=2,
    learning_rate=1e-2,
    warmup_steps=2,
    gradient_clip=1.0,
    seed=0,
)


class Noisy(TrainableEncoder):
    """Two tokens from the mean colour, with noise in the loss: resume has to restore that too."""

    num_tokens, token_dim, image_size = 2, 3, (4, 4)

    def __init__(self):
        super().__init__()
        self.loss_weights = {"error": 1.0}
        self.linear = nn.Linear(3, 6)

    def step(self, frames, state, is_first):
        tokens = self.linear(frames.float().mean((1, 2)) / 255).unflatten(1, (2, 3))
        masks = torch.softmax(tokens, dim=1).mean(2)[..., None, None].expand(-1, -1, 4, 4)
        return EncoderOutput(tokens, masks, None)

    def losses(self, batch):
        tokens = self.encode_video(batch["video"]).tokens
        return {"error": (tokens - torch.randn_like(tokens)).square().mean()}


class Clips(Dataset):
    def __init__(self, value=None):
        generator = np.random.default_rng(0)
        self.videos = torch.from_numpy(generator.integers(0, 255, (9, 3, 4, 4, 3), np.uint8))
        self.value = value

    def __len__(self):
        return len(self.videos)

    def __getitem__(self, index):
        return {
            "video": self.videos[index],
            "segments": (self.videos[index, ..., 0] > 127).int(),
        }


class InterruptAt(Callback):
    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step == self.step:
            raise self.error


class CountSteps(Callback):
    count = 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.count += 1


def run(folder, callbacks=(), resume=False, encoder=None, settings=SETTINGS, clips=None):
    torch.manual_seed(0)
    encoder = encoder or Noisy()
    pretrain(
        encoder,
        clips or Clips(),
        Clips(),
        settings,
        folder,
        scores=SegmentationScores(),
        callbacks=list(callbacks),
        resume=resume,
    )
    return encoder


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("killed")])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, error):
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else RuntimeError):
        run(tmp_path / "broken", [InterruptAt(6, error)])
    steps = CountSteps()
    resumed = run(tmp_path / "broken", [steps], resume=True)
    assert steps.count == SETTINGS.max_steps - SETTINGS.steps_per_epoch
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(whole.linear.weight, Noisy().linear.weight)


def test_a_finished_run_that_grows_equals_a_longer_one(tmp_path):
    longer = dataclasses.replace(SETTINGS, decay_steps=10)
    assert longer.may_grow
    assert not SETTINGS.may_grow
    whole = run(tmp_path / "whole", settings=longer)
    run(tmp_path / "grown", settings=dataclasses.replace(longer, max_steps=8))
    grown = run(tmp_path / "grown", resume=True, settings=longer)
    assert torch.equal(whole.linear.weight, grown.linear.weight)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole.update({"pytorch-lightning_version": "nope"}),
        lambda whole: whole["optimizer_states"][0]["state"].update({"weight": "x"}),
        lambda whole: whole["optimizer_states"][0].update(param_groups="none"),
        lambda whole: whole["loops"].update(fit_loop=3),
    ],
)
def test_a_checkpoint_that_fits_nowhere_is_one_line(tmp_path, damage):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, [InterruptAt(6, KeyboardInterrupt)])
    path = tmp_path / "last.ckpt"
    whole = torch.load(path, weights_only=True)
    damage(whole)
    WholeCheckpoints().save_checkpoint(whole, path)
    with pytest.raises(UsageError, match="checkpoint") as error:
        run(tmp_path, resume=True)
    assert "\n" not in str(error.value)


def counting(name, training_steps, seed):
    torch.manual_seed(seed)
    return ocrl.create_encoder(
        name,
        backbone="vit_tiny_patch16_224",
        image_size=(4, 4),
        pretrained=False,
        backbone_options={"patch_size": 2, "embed_dim": 8, "num_heads": 2, "depth": 1},
        num_slots=9,
        slot_dim=8,
        decoder_dims=[8],
        training_steps=training_steps,
    )


@pytest.mark.parametrize(
    ("name", "training_steps", "counter"),
    [
        # slots are added at steps 4 and 10, by the errors of steps 3 and 9
        ("slotcurri", 40, "recurrence.initializer.step"),
        # labels are taught from step 9 on
        ("ssync", 30, "trained_steps"),
    ],
)
def test_a_resumed_run_knows_how_far_it_was(tmp_path, name, training_steps, counter):
    whole, broken, other = (counting(name, training_steps, seed) for seed in (0, 0, 1))
    run(tmp_path / "whole", encoder=whole)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", [InterruptAt(6, KeyboardInterrupt)], encoder=broken)
    # other weights and other directions for new slots: those of the checkpoint count
    resumed = run(tmp_path / "broken", resume=True, encoder=other).state_dict()
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed[key]), key
    assert resumed[counter] == 12  # validation counts no steps
    if name == "slotcurri":
        assert (resumed["recurrence.initializer.errors"][:4] > 0).all()


class SeenClips(Callback):
    def __init__(self):
        self.batches = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append(batch["video"].clone())


def test_the_same_seed_gives_the_same_batches_whoever_loads_them(tmp_path):
    clips, numbers = Clips(), np.random.default_rng
    expected = [
        torch.stack([clips[i]["video"] for i in batch])
        for epoch in range(3)
        for batch in numbers((SETTINGS.seed, 0, epoch)).integers(len(clips), size=(4, 2))
    ]
    for num_workers in (0, 2):
        seen = SeenClips()
        settings = dataclasses.replace(SETTINGS, num_workers=num_workers)
        run(tmp_path / str(num_workers), [seen], settings=settings, clips=clips)
        assert len(seen.batches) == len(expected)
        assert all(map(torch.equal, seen.batches, expected))


class Unreadable(Clips):
    def __getitem__(self, index):
        raise UsageError("photograph.jpg: cannot be read: copy it again")


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_clip_that_cannot_be_read_is_one_line_whoever_loads_it(tmp_path, num_workers):
    settings = dataclasses.replace(SETTINGS, num_workers=num_workers)
    with pytest.raises(UsageError, match=r"^photograph\.jpg: cannot be read: copy it again$"):
        run(tmp_path, settings=settings, clips=Unreadable())


def test_losses_and_scores_are_logged(tmp_path):
    run(tmp_path)
    header = (tmp_path / "csv" / "version_0" / "metrics.csv").read_text().splitlines()[0]
    for name in ("train/error", "validation/loss", "validation/ari", "validation/mbo"):
        assert name in header


def test_a_loss_that_is_not_finite_stops_with_the_last_good_checkpoint(tmp_path):
    class Diverging(Noisy):
        def losses(self, batch):
            scale = torch.inf if self.training and self.calls() > 5 else 1
            return {"error": super().losses(batch)["error"] * scale}

        def calls(self):
            self.count = getattr(self, "count", 0) + 1
            return self.count

    with pytest.raises(UsageError, match=r"not finite at step 5.*keeps its rate; begin another"):
        run(tmp_path, encoder=Diverging())
    weights = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert weights["global_step"] == 4
    assert all(torch.isfinite(tensor).all() for tensor in weights["state_dict"].values())


def test_learning_rate_schedules():
    cosine = [SETTINGS.learning_rate_factor(step) for step in (0, 1, 2, 7, 12)]
    assert cosine == pytest.approx([0, 0.5, 1, 0.5, 0])
    published = dataclasses.replace(SETTINGS, decay_steps=102)
    factors = [published.learning_rate_factor(step) for step in (0, 2, 102, 202)]
    assert factors == pytest.approx([0, 1, 0.5, 0.25])


def test_epochs_and_processes_draw_different_clips():
    def draws(epoch, rank, batch_size=5, number=3):
        others = {"seed": 0, "rank": rank, "num_processes": number}
        return tuple(EpochSampler(range(1000), 4, batch_size, lambda: epoch, **others))

    assert len({draws(epoch, rank) for epoch in range(3) for rank in range(3)}) == 9
    assert draws(1, 1) == draws(1, 1)
    # together they draw the batches of one process
    parts = np.array([draws(2, rank) for rank in range(3)]).reshape(3, 4, 5)
    whole = np.array(draws(2, 0, 15, 1)).reshape(4, 3, 5)
    np.testing.assert_array_equal(parts.swapaxes(0, 1), whole)


def test_the_objective_is_compiled_if_asked_for(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda function: compiled.append(function) or function)
    plain = run(tmp_path / "plain")
    assert not compiled
    encoder = run(tmp_path / "compiled", settings=dataclasses.replace(SETTINGS, compile=True))
    assert compiled == [encoder.losses]
    assert torch.equal(plain.linear.weight, encoder.linear.weight)


def test_slots_that_own_nothing_are_not_used():
    masks = torch.zeros(1, 2, 3, 4, 4)
    masks[0, 0, 1] = 1
    masks[0, 1, 0, :2] = 1
    masks[0, 1, 2, 2:] = 1
    assert slots_used(masks) == (1 + 2) / 2
