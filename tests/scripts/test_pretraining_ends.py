"""How a pretraining ends: it grows if it may, and what it trained outlives its scoring."""

import pytest
import torch

from ocrl.checkpoints import read_checkpoint
from ocrl.encoders.block_masks import BlockMasks
from ocrl.pretraining import PretrainingSettings
from ocrl_studies.segmentation.scoring import Truth, measure
from ocrl_studies.stages import pretrain_slots

TINY = [
    "pretrain_slots.py",
    "encoder=vector",
    "data.num_envs=2",
    "data.num_steps.train=60",
    "data.num_steps.validation=40",
    "pretraining.steps_per_epoch=2",
    "pretraining.batch_size=2",
    "clip_length=2",
    "scoring.num_clips=2",
    "scoring.clip_length=2",
    "scoring.num_pictures=1",
]
STEPS = "pretraining.max_steps="


def notes(home):
    (path,) = home.glob("runs/pretrain/*/vector/seed=0/encoder.safetensors")
    return read_checkpoint(path).metadata


@pytest.fixture
def own(run, home):
    """Give each test runs of its own."""
    yield run
    if (home / "runs").exists():
        (home / "runs").rename(home / f"runs{len(list(home.iterdir()))}")


def test_a_finished_run_goes_on_where_the_schedule_allows_it(own, home):
    words = [*TINY, "resume=true", "pretraining.decay_steps=300"]
    assert own(*words, f"{STEPS}2")[0] == 0
    assert "trained already" in own(*words, f"{STEPS}2")[1]
    code, out, err = own(*words, f"{STEPS}4")
    assert code == 0, err
    assert "trained already" not in out
    assert notes(home)["steps"] == 4
    (checkpoint,) = home.glob("runs/**/last.ckpt")
    assert torch.load(checkpoint, weights_only=True)["global_step"] == 4


def test_a_cosine_that_is_over_is_not_prolonged(own, home):
    assert own(*TINY, f"{STEPS}2")[0] == 0
    code, _, err = own(*TINY, "resume=true", f"{STEPS}4")
    assert code == 2
    assert err.count("\n") == 1
    assert "was started with pretraining.max_steps=2, now it is 4" in err
    assert notes(home)["steps"] == 2


def test_what_is_trained_is_kept_though_its_scoring_fails_and_is_scored_later(
    own, home, monkeypatch
):
    with monkeypatch.context() as patch:

        def fail(*_):
            raise MemoryError

        patch.setattr(pretrain_slots, "score_without_truth", fail)
        with pytest.raises(MemoryError):
            own(*TINY, f"{STEPS}2")
    assert notes(home)["scores"] is None
    assert own(*TINY, f"{STEPS}2", "resume=true")[0] == 0
    assert notes(home)["scores"]["vector"]["unexplained"] > 0
    assert "trained already" in own(*TINY, f"{STEPS}2", "resume=true")[1]


def test_it_is_scored_on_the_device_of_the_training(own, monkeypatch):
    events = []
    to = torch.nn.Module.to

    def move(module, *given, **named):
        events.append(given[0])
        return module if given[0] == "the GPU" else to(module, *given, **named)

    def score(*_):
        events.append("scored")
        return {}

    monkeypatch.setattr(PretrainingSettings, "torch_device", "the GPU")
    monkeypatch.setattr(torch.nn.Module, "to", move)
    monkeypatch.setattr(pretrain_slots, "score_without_truth", score)
    assert own(*TINY, f"{STEPS}2")[0] == 0
    assert events[-2:] == ["the GPU", "scored"]


class Elsewhere(torch.Tensor):
    """Masks that are to be brought to the CPU before anything else."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if func is not torch.Tensor.cpu:
            raise AssertionError(f"{func} of what is on another device")
        with torch._C.DisableTorchFunctionSubclass():
            return args[0].as_subclass(torch.Tensor)


class Remote(BlockMasks):
    def segment(self, batch):
        return super().segment(batch).as_subclass(Elsewhere)


def test_masks_are_scored_on_the_cpu():
    video = torch.zeros(3, 64, 64, 3, dtype=torch.uint8)
    segments = torch.zeros(3, 64, 64, dtype=torch.int32)
    segments[:, :32] = 1
    clips = torch.utils.data.Subset([{"video": video, "segments": segments}], [0])
    remote, local = (
        measure(kind(), Truth(clips, clips, 1, (64, 64)))[0] for kind in (Remote, BlockMasks)
    )
    assert remote == pytest.approx(local, nan_ok=True)
