"""Pretrain an encoder: see ``python scripts/pretrain_slots.py --help``."""

import json

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from configs.cli import script
from configs.environments import settings
from configs.runs import open_run, write_text
from configs.scoreboard import baselines, make_scoreboard
from configs.sources import Source
from configs.tables import print_table
from ocrl.checkpoints import save_encoder
from ocrl.pictures import MaskPictures, draw_masks
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.scoring import SegmentationScores


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
    clips = source.training_clips(cfg.clip_length, size)
    validation = source.scoring_clips(cfg.scoring.num_clips, cfg.scoring.clip_length, size)
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
    if "segments" in validation[0] and draw_masks(encoder, [validation[0]]) is not None:
        contenders = {cfg.encoder.name: encoder.cpu(), **baselines(encoder.num_tokens, size)}
        board = make_scoreboard(contenders, validation, source.num_stuff)
        print_table(*board.table())
        scores = board.scores
    write_text(run_dir / "scores.json", json.dumps(scores, indent=2))
    model = OmegaConf.to_container(cfg.encoder.model, resolve=True)
    save_encoder(path, encoder, model, {"seed": cfg.seed, "scores": scores})
    print(f"encoder: {path}\nmasks:   {run_dir / 'pictures'}")


if __name__ == "__main__":
    main()
