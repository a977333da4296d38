"""What is scored is cropped as `data.scoring_crop` says, and so is what it is compared with."""

from pathlib import Path

import miniatures
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from ocrl.data.transforms import central_crop
from ocrl_studies.composition import find_configs
from ocrl_studies.segmentation.plan import Scoring
from ocrl_studies.segmentation.scoring import Truth
from ocrl_studies.sources import PublishedData
from ocrl_studies.stages.pretrain_backbone import make_probe


def voc(folder: Path, crop: str) -> PublishedData:
    miniatures.voc(folder)
    overrides = ["data=voc", f"data.path={folder}", f"data.scoring_crop={crop}"]
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        made: PublishedData = instantiate(compose("pretrain_slots", overrides).data)
    return made


def test_a_comparison_scores_the_square(tmp_path: Path) -> None:
    for crop in ("central", "short_side", "none"):
        source = voc(tmp_path / crop, crop)
        videos = source.scoring_videos()
        frames = torch.tensor(videos.frames(0, 0, 1))
        segments = torch.tensor(videos.segments(0, 0, 1).astype("int32"))
        assert frames.shape[1] != frames.shape[2]
        if crop != "none":
            side = min(frames.shape[1:3])
            frames, segments = (central_crop(each, (side, side)) for each in (frames, segments))
        truth = Truth.of(Scoring(source, 1, 1, 1, 1, 1))
        for clips in (truth.clips, truth.long_clips):
            assert torch.equal(clips[0]["video"], frames)
            assert torch.equal(clips[0]["segments"], segments)
        assert truth.image_size == tuple(frames.shape[1:3])


def test_a_probe_labels_cropped_frames(tmp_path: Path) -> None:
    source = voc(tmp_path, "central")
    size = (32, 32)
    unseen = source.scoring_clips(1, 1, size)
    probe = make_probe(source, unseen, size)
    assert probe is not None
    for videos, shown in (
        (source.training_videos(), probe.frames),
        (source.scoring_videos(), unseen[0]["video"]),
    ):
        frames = torch.tensor(videos.frames(0, 0, 1))
        assert torch.equal(shown[:1], central_crop(frames, size))
