"""Pretraining of a backbone: a stage of its own, before those of encoders and agents."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import Subset

from ocrl.data.clips import Clip, evaluation_clips
from ocrl.encoders.kmeans import BackboneFeatures, ColourPosition
from ocrl.files import write_text
from ocrl.metrics.neighbours import Features, NeighbourProbe
from ocrl.modules.backbones import TimmBackbone
from ocrl.pretraining.backbones import BackbonePretraining, TeacherSchedule, save_backbone
from ocrl.pretraining.callbacks import FeaturePictures
from ocrl.pretraining.loop import PretrainingSettings, fit
from ocrl.pretraining.self_distillation import SelfDistillation
from ocrl_envs.protocols import SEGMENT_STRIDE
from ocrl_studies.core.tables import print_table
from ocrl_studies.invocation import repeat
from ocrl_studies.plain import plain
from ocrl_studies.rollouts import SegmentKinds
from ocrl_studies.runs import Run
from ocrl_studies.sources import Mixture, Source, make_source

SAME = ("data", "backbone", "crops", "distillation", "teacher", "pretraining", "seed")
"""What a backbone is made of: a run that goes on has the same."""


def pretrain_backbone(cfg: DictConfig) -> Path:
    """Train a backbone on frames alone, then score its features beside simpler ones.

    Args:
        cfg: as ``configs/pretrain_backbone.yaml``.

    Returns:
        The weights.
    """
    torch.set_num_threads(cfg.num_threads)
    run = Run.of(cfg, SAME)
    run.check()
    path, pictures = run.folder / "backbone.safetensors", run.folder / "pictures"
    if path.exists() and (run.folder / "scores.json").exists():
        print(f"{path} is trained already")
        return path
    source = make_source(cfg.data)
    height, width = cfg.backbone.image_size
    size = (height, width)
    clips = source.training_clips(1, size)
    validation = source.scoring_clips(cfg.scoring.num_frames, 1, size)
    parts = source.sources if isinstance(source, Mixture) else [source]
    unseen = [part.scoring_clips(cfg.scoring.num_frames, 1, size) for part in parts]
    probes = {
        part.run_name: probe
        for part, frames in zip(parts, unseen, strict=True)
        if (probe := make_probe(part, frames, size)) is not None
    }
    torch.manual_seed(cfg.seed)
    backbone, untrained = (instantiate(cfg.backbone) for _ in range(2))
    distillation = SelfDistillation(backbone, **plain(cfg.distillation))
    pretraining = PretrainingSettings(seed=cfg.seed, device=cfg.device, **plain(cfg.pretraining))
    module = BackbonePretraining(
        distillation,
        instantiate(cfg.crops),
        pretraining,
        TeacherSchedule(**plain(cfg.teacher)),
        probes,
    )
    each = max(1, cfg.scoring.num_pictures // len(parts))
    drawn = [stack(frames, "video", each) for frames in unseen]
    with run.open():
        if run.is_first:
            place = f"on {cfg.device}: {run.folder}"
            print(f"Training {cfg.backbone.name} on {cfg.data.run_name}, {place}")
        fit(
            module,
            clips,
            validation,
            pretraining,
            run.folder,
            callbacks=[FeaturePictures(distillation.backbone, torch.cat(drawn), pictures)],
            resume=cfg.resume,
        )
        if not run.is_first:
            return path
        trained = distillation.backbone.cpu().eval()
        assert isinstance(trained, TimmBackbone)
        notes = {
            "command": repeat("pretrain_backbone"),
            "data": cfg.data.run_name,
            "seed": cfg.seed,
            "steps": cfg.pretraining.max_steps,
        }
        save_backbone(path, trained, notes)  # whatever becomes of its scoring
        contenders: dict[str, Features] = {
            cfg.backbone.name: BackboneFeatures(trained),
            "the same, untrained": BackboneFeatures(untrained.eval()),
            "colours of patches": ColourPosition(trained.grid_size, position_weight=0.0),
        }
        scores = {
            name: {data: probe.accuracy(features) for data, probe in probes.items()}
            for name, features in contenders.items()
        }
        for data in probes:
            kinds = list(scores[cfg.backbone.name][data])
            rows = [
                [who, *(f"{100 * row[data][k]:.1f}" for k in kinds)] for who, row in scores.items()
            ]
            print_table([f"nearest neighbours, {data}", *kinds], rows)
        write_text(run.folder / "scores.json", json.dumps(scores, indent=2))
        save_backbone(path, trained, {**notes, "nearest neighbours": scores})
    print(f"backbone: {path}\nfeatures: {pictures}")
    return path


def make_probe(
    source: Source, unseen: Subset[Clip], size: tuple[int, int]
) -> NeighbourProbe | None:
    """Return labelled frames of a source and unseen ones, or None if there are no true segments."""
    bank = evaluation_clips(
        source.training_videos(),
        1,
        2 * len(unseen),
        image_size=size,
        fitting=source.scoring_fitting,
    )
    if "segments" not in bank[0]:
        return None
    frames, kinds = stack(bank, "video"), segment_kinds(stack(bank, "segments"), source.kinds)
    unseen_kinds = segment_kinds(stack(unseen, "segments"), source.kinds)
    return NeighbourProbe(frames, kinds, stack(unseen, "video"), unseen_kinds, source.kinds.names)


def segment_kinds(segments: Tensor, kinds: SegmentKinds) -> Tensor:
    """Return the kind of each true segment, in which stuff has been merged.

    Example:
        >>> maze = SegmentKinds(("sky", "floor", "wall", "picture", "object"), num_stuff=3)
        >>> segment_kinds(torch.tensor([1, 2, 12290, 16385]), maze).tolist()
        [1, 2, 3, 4]
        >>> segment_kinds(torch.tensor([0, 1, 5]), SegmentKinds()).tolist()
        [0, 1, 1]
    """
    thing = (segments // SEGMENT_STRIDE).clamp(kinds.num_stuff, len(kinds.names) - 1)
    return torch.where(segments < kinds.num_stuff, segments, thing)


def stack(clips: Subset[Clip], entry: str, num: int | None = None) -> Tensor:
    """Return the first frame, or its segments, of some of the clips, spread evenly over all."""
    num = len(clips) if num is None else num
    places = torch.linspace(0, len(clips) - 1, num).round().int().tolist()
    return torch.stack([clips[i][entry][0] for i in places])
