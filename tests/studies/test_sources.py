from __future__ import annotations

from pathlib import Path
from typing import Any

import imageio.v3 as iio
import miniatures
import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from ocrl.data.transforms import Fitting
from ocrl.errors import UsageError
from ocrl_studies.composition import find_configs
from ocrl_studies.sources import Mixture, PublishedData, Rollouts, Source
from ocrl_studies.sources.generated import Scenes


def source(*overrides: str) -> Source:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        made: Source = instantiate(compose("pretrain_slots", [*overrides]).data)
    return made


def video_files(*overrides: str) -> Source:
    return source("data=video_files", *overrides)


def write_video(path: Path, num_frames: int, grey: int) -> None:
    path.parent.mkdir(exist_ok=True)
    iio.imwrite(
        path, np.full((num_frames, 48, 64, 3), grey, np.uint8), plugin="pyav", codec="mpeg4", fps=10
    )


@pytest.mark.parametrize(("split", "num_layouts"), [("train", 200), ("validation", 50)])
def test_rollouts_are_of_all_layouts_of_a_split(
    split: str, num_layouts: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))  # where none are yet
    seen: list[int] = []

    def watch(environments: Any, *args: Any, **kwargs: Any) -> None:
        seen.append(len(environments.unwrapped.simulation.layouts))

    monkeypatch.setattr("ocrl_studies.sources.rollouts.collect_rollouts", watch)
    rollouts = source("data=rollouts")
    assert isinstance(rollouts, Rollouts)
    rollouts.collect(split)
    assert seen == [num_layouts]


def test_walls_that_stay_apart_are_stuff_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))

    def of(*overrides: str) -> tuple[Any, Source]:
        made = source("data=rollouts", "data.num_steps.validation=16", *overrides)
        return made.scoring_videos().segments(0, 0, 16), made

    merged, whole = of()
    apart, walls = of("data.apart=[wall]")
    is_thing = merged >= whole.num_stuff
    assert (is_thing == (apart >= walls.num_stuff)).all()
    assert (merged[is_thing] == apart[is_thing]).all()
    assert set(np.unique(merged[~is_thing])) <= {0, 1, 2}
    assert len(np.unique(apart[merged == 2])) > 3  # runs of wall, over several places
    assert (apart[merged < 2] == merged[merged < 2]).all()
    for word in ("walls", "[walls]"):
        with pytest.raises(UsageError, match="no stuff 'walls': did you mean wall"):
            of(f"data.apart={word}")


def test_video_files_come_in_the_size_of_the_encoder(tmp_path: Path) -> None:
    write_video(tmp_path / "train/a.mp4", 6, 200)
    write_video(tmp_path / "validation/b.mp4", 5, 50)
    folders = f"data.path={tmp_path}/train", f"data.held_out={tmp_path}/validation"
    source = video_files(*folders, "encoder.image_size=[32,40]", "data.every=2")
    clips = source.training_clips(2, (32, 40))
    assert [clips[i]["video"].shape for i in range(2)] == [(2, 32, 40, 3)] * 2
    scored = source.scoring_clips(1, 3, (32, 40))
    assert scored[0].keys() == {"video"}
    assert abs(scored[0]["video"].float().mean() - 50) < 3


def test_a_mixture_has_the_clips_of_its_sources(tmp_path: Path) -> None:
    miniatures.voc(tmp_path)

    def voc(crop: str, *, flip: bool = False) -> PublishedData:
        made = source("data=voc", f"data.path={tmp_path}", "data.scoring_crop=central")
        assert isinstance(made, PublishedData)
        made.training_fitting = Fitting(crop, flip)
        made.extra_scores = ("j_and_f",)
        return made

    parts = [voc("central"), voc("random", flip=True)]
    mixed = Mixture(run_name="mixed", sources=dict(zip("ab", parts, strict=True)))
    size = (32, 32)
    clips, own = mixed.training_clips(1, size), [part.training_clips(1, size) for part in parts]
    for index in range(12):
        place, which = divmod(index, 2)
        expected = own[which][place % len(own[which])]
        assert (clips[index]["video"] == expected["video"]).all()
    assert len(clips) == 2 * len(own[1])
    scored, expected = (each.scoring_clips(1, 1, size)[0] for each in (mixed, parts[0]))
    assert all((scored[name] == expected[name]).all() for name in expected)
    assert mixed.extra_scores == ("j_and_f",)
    nested = Mixture(run_name="nested", sources={"mixed": mixed, "c": parts[0]})
    assert (nested.training_clips(1, size)[2]["video"] == clips[1]["video"]).all()


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    source = video_files(f"data.path={tmp_path}", f"data.held_out={tmp_path}")
    with pytest.raises(UsageError, match="no video file in"):
        source.training_clips(2, (64, 64))


@pytest.mark.parametrize(
    ("settings", "other", "key"),
    [
        (["data=rollouts", "data.num_steps.validation=60"], "data.policy=random", "data.policy"),
        (
            ["data=movi_a_like", "data.num_videos.validation=1", "data.recipe.num_frames=2"],
            "data.recipe.num_frames=3",
            "data.recipe",
        ),
    ],
)
def test_data_made_with_other_settings_is_not_reused(
    settings: list[str],
    other: str,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    settings = [*settings, f"data_dir={tmp_path}"]
    made = source(*settings).scoring_videos()
    assert list(source(*settings).scoring_videos().lengths) == list(made.lengths)
    with pytest.raises(UsageError, match=rf"made with {key}=.*overwrite=true"):
        source(*settings, other).scoring_videos()


def test_the_same_collection_again_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a kill between the last write and the end, where nobody knows that it is whole."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    words = ["data=rollouts", "data.num_steps.train=20", "data.num_envs=2"]

    def collect(*more: str, **options: bool) -> None:
        rollouts = source(*words, *more)
        assert isinstance(rollouts, Rollouts)
        rollouts.collect("train", **options)

    collect()
    (kinds,) = tmp_path.glob("**/segment_kinds.json")
    before = kinds.stat().st_ino
    collect()
    assert "are there already" in capsys.readouterr().out
    assert kinds.stat().st_ino == before
    for other in ("data.seed=1", "data.policy=random"):
        with pytest.raises(UsageError, match="overwrite=true"):
            collect(other)
    collect(overwrite=True)
    assert kinds.stat().st_ino != before


def test_what_a_kill_left_of_the_settings_of_scenes_goes(tmp_path: Path) -> None:
    words = [f"data.path={tmp_path}", "data.num_videos.train=1", "data.recipe.num_frames=2"]
    scenes = source("data=movi_a_like", *words)
    assert isinstance(scenes, Scenes)
    scenes.generate("train")
    whole = sorted(tmp_path.iterdir())
    (tmp_path / ".train.manifest.123.partial.json").touch()
    scenes.generate("train")
    assert sorted(tmp_path.iterdir()) == whole


def test_rollouts_are_of_frames_alone_whatever_agents_are_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    steps = ["data.num_envs=2", "data.num_steps.train=20", "data.num_steps.validation=20"]
    rollouts = source("env.velocity=true", *steps)
    assert rollouts.training_videos().frames(0, 0, 1).shape == (1, 64, 64, 3)


@pytest.mark.parametrize("name", ["sprites", "moving_sprites", "digits", "moving_digits"])
def test_sprites_are_made_while_they_are_read(name: str) -> None:
    sprites = source(f"data={name}", "data.recipe.image_size=[32,32]")
    length = sprites.recipe.num_frames
    clip = sprites.scoring_clips(2, length, (32, 32))[1]
    assert clip["video"].shape == (length, 32, 32, 3)
    assert clip["segments"].shape == (length, 32, 32)
    assert (clip["segments"] == 0).any()
    assert sprites.extra_scores == (("tracking",) if length > 1 else ())
    again = source(f"data={name}", "data.recipe.image_size=[32,32]", "data.seed=7")
    assert (again.scoring_clips(2, length, (32, 32))[1]["video"] == clip["video"]).all()
    trained, others = (x.training_clips(length, (32, 32)) for x in (sprites, again))
    assert not (trained[0]["video"] == others[0]["video"]).all()
