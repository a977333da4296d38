"""SAVi with boxes and flow, from generated scenes to a video file."""

import imageio.v3 as iio
import numpy as np

from ocrl.visualization import save_video

TINY = [
    "experiment=savi_movi_a_like",
    "data.num_videos.train=2",
    "data.num_videos.validation=2",
    "data.recipe.num_frames=7",
    "scoring.num_clips=2",
    "scoring.clip_length=3",
    "scoring.num_pictures=1",
    "pretraining.max_steps=2",
    "pretraining.steps_per_epoch=1",
    "pretraining.batch_size=2",
]


def test_it_is_trained_scored_and_shown_what_to_follow(run, home):
    assert run("pretrain_slots.py", *TINY)[0] == 0
    folder = home / "runs/pretrain/movi_a_like/savi_small_conditional/seed=0"
    checkpoint = f"checkpoint={folder / 'encoder.safetensors'}"
    assert list((folder / "pictures").glob("*.png"))
    shared = [part for part in TINY if part.startswith(("data.", "scoring."))]
    code, out, err = run("evaluate_slots.py", "data=movi_a_like", *shared, checkpoint)
    assert code == 0, err
    assert f"segment.py {checkpoint} path=VIDEO" in out
    assert "unexplained" in out

    save_video(home / "ball.mp4", np.zeros((3, 64, 64, 3), np.uint8))
    script = ["segment.py", "path=ball.mp4", checkpoint]
    code, _, err = run(*script)
    assert code == 2
    assert "follows the objects in boxes" in err
    for boxes, expected in (
        ("[[0.1,0.1,0.5]]", "expected (N, 4)"),
        ("[[0.1,0.1,0.5,0.5],[0.1]]", "expected [[top, left, bottom, right], ...]"),
        ("5", "expected [[top, left, bottom, right], ...]"),
        ("[[10,10,50,50]]", "top < bottom and left < right in [0, 1]"),
    ):
        code, _, err = run(*script, f"boxes={boxes}")
        assert code == 2
        assert len(err.strip().splitlines()) == 1
        assert expected in err
    code, out, err = run(*script, "boxes=[[0.1,0.1,0.5,0.5],[0.2,0.6,0.4,0.9]]")
    assert code == 0, err
    assert iio.imread(home / "runs/segments/ball.masks.mkv", plugin="pyav").shape[0] == 3


def test_videos_without_flow_are_refused_before_anything_is_trained(run):
    short = ["data.num_envs=2", "data.num_steps.train=60", "data.num_steps.validation=30"]
    code, _, err = run(
        "pretrain_slots.py", *TINY[4:], "encoder=savi_small", "encoder.model.flow=true", *short
    )
    assert code == 2
    assert "optical flow, and these videos have none" in err
