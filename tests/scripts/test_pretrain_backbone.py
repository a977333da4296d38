"""A backbone from the command line, and an encoder on it."""

import json

import pytest

TINY = [
    "data.num_envs=2",
    "data.num_steps.train=60",
    "data.num_steps.validation=40",
    "pretraining.max_steps=2",
    "pretraining.steps_per_epoch=1",
    "pretraining.batch_size=4",
]
TINY_BACKBONE = [*TINY, "scoring.num_frames=8", "+backbone.model_kwargs={depth: 1}"]
TINY_ENCODER = [
    *TINY,
    "scoring.num_clips=1",
    "scoring.clip_length=2",
    "scoring.num_pictures=1",
    "+encoder.model.backbone_options={depth: 1}",
]


def test_a_backbone_of_ones_own_and_an_encoder_on_its_kept_features(run, home):
    code, out, err = run("pretrain_backbone.py", *TINY_BACKBONE)
    assert code == 0, err
    folder = home / "runs/backbone/nav_maze_1/vit_micro_patch4_32/seed=0"
    scores = json.loads((folder / "scores.json").read_text())
    assert set(scores) == {"vit_micro_patch4_32", "the same, untrained", "colours of patches"}
    assert "balanced" in scores["colours of patches"]["nav_maze_1"]
    assert "nearest neighbours, nav_maze_1" in out
    assert len(list((folder / "pictures").glob("*.png"))) == 2
    assert run("pretrain_backbone.py", *TINY_BACKBONE)[0] == 2  # nothing is overwritten unasked
    assert "trained already" in run("pretrain_backbone.py", *TINY_BACKBONE, "resume=true")[1]

    weights = f"backbone.weights={folder / 'backbone.safetensors'}"
    arguments = ["pretrain_slots.py", "encoder=dinosaur_small", weights, *TINY_ENCODER]
    code, _, err = run(*arguments)
    assert code == 0, err
    assert list((home / "data/features").glob("*.features.npy"))
    code, _, err = run(*arguments[:2], "backbone.weights=nowhere", "seed=1", *TINY_ENCODER)
    assert code == 2
    assert "error: there are no weights at nowhere" in err


def test_a_backbone_outlives_a_scoring_that_fails(run, home, monkeypatch):
    def fail(*_, **__):
        raise OSError("no memory left")

    arguments = ["pretrain_backbone.py", *TINY_BACKBONE, "seed=3"]
    with monkeypatch.context() as broken:
        broken.setattr("ocrl_studies.stages.pretrain_backbone.ColourPosition", fail)
        with pytest.raises(OSError, match="no memory"):
            run(*arguments)
    folder = home / "runs/backbone/nav_maze_1/vit_micro_patch4_32/seed=3"
    assert (folder / "backbone.safetensors").exists()
    assert not (folder / "scores.json").exists()
    code, out, err = run(*arguments, "resume=true")
    assert code == 0, err
    assert "nearest neighbours" in out
    assert (folder / "scores.json").exists()
