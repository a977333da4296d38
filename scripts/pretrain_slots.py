"""Pretrain an encoder: see ``python scripts/pretrain_slots.py --help``."""

import json

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from configs.cli import script
from configs.environments import settings
from configs.runs import open_run, write_text
from configs.sources import Source
from configs.tables import print_scores
from ocrl.baselines import BlockMasks, ColourPosition, KMeans
from ocrl.checkpoints import save_encoder
from ocrl.data.clips import ClipDataset, evaluation_clips
from ocrl.encoder import Encoder
from ocrl.pictures import MaskPictures
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.scoring import SegmentationScores, score


@script("pretrain_slots")
def main(cfg: DictConfig) -> None:
    """Train on clips of train layouts, then score on clips of validation layouts."""
    torch.set_num_threads(cfg.num_threads)
    run_dir = open_run(cfg, same=("data", "encoder", "clip_length", "seed"))
    path = run_dir / "encoder.safetensors"
    if path.exists():
        print(f"{path} is trained already")
        return
    source: Source = instantiate(cfg.data)
    size = tuple(cfg.encoder.image_size)
    clips = ClipDataset(source.training_videos(), cfg.clip_length, image_size=size)
    validation = evaluation_clips(
        source.scoring_videos(), cfg.scoring.clip_length, cfg.scoring.num_clips, image_size=size
    )
    torch.manual_seed(cfg.seed)
    encoder = instantiate(cfg.encoder.model)
    print(f"Training {cfg.encoder.name} on {len(clips)} clips, on {cfg.device}: {run_dir}")
    pretrain(
        encoder,
        clips,
        validation,
        PretrainingSettings(seed=cfg.seed, device=cfg.device, **settings(cfg.pretraining)),
        run_dir,
        scores=SegmentationScores(source.num_stuff),
        callbacks=[MaskPictures(validation, cfg.scoring.num_pictures, run_dir / "pictures")],
        resume=cfg.resume,
    )
    scores = {}
    if (
        validation[0].keys() >= {"segments"}
        and encoder.segment(validation[0]["video"][None]) is not None
    ):
        contenders: dict[str, Encoder] = {cfg.encoder.name: encoder.cpu()}
        contenders |= baselines(encoder, size)
        scores = {
            name: score(contender, validation, source.num_stuff).compute()
            for name, contender in contenders.items()
        }
        print_scores(scores)
    write_text(run_dir / "scores.json", json.dumps(scores, indent=2))
    model = OmegaConf.to_container(cfg.encoder.model, resolve=True)
    save_encoder(path, encoder, model, {"seed": cfg.seed, "scores": scores})
    print(f"encoder: {path}\nmasks:   {run_dir / 'pictures'}")


def baselines(encoder: Encoder, image_size: tuple[int, int]) -> dict[str, Encoder]:
    """Return what a slot encoder must beat, with as many segments and tokens as it has."""
    grid = (image_size[0] // 4, image_size[1] // 4)
    k = encoder.num_tokens
    return {
        "block masks": BlockMasks(k, image_size=image_size),
        "k-means on colour": KMeans(k, ColourPosition(grid), image_size=image_size),
    }


if __name__ == "__main__":
    main()
