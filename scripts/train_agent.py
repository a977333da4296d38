"""Train an agent: see ``python scripts/train_agent.py --help``."""

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from agents.training import train
from configs.cli import script
from configs.environments import make_token_environments
from configs.runs import find_checkpoint, open_run
from ocrl.checkpoints import load_encoder


@script("train_agent")
def main(cfg: DictConfig) -> None:
    """Train PPO on train layouts, evaluating on train and validation layouts."""
    torch.set_num_threads(cfg.num_threads)
    checkpoint = find_checkpoint(cfg)
    encoder = load_encoder(checkpoint).to(cfg.device)
    run_dir = open_run(cfg, same=("env", "encoder", "agent", "checkpoint", "seed"))
    environments = make_token_environments(cfg.env, cfg.env.train, cfg.agent.num_envs, encoder)
    model = instantiate(cfg.agent.model, environments, seed=cfg.seed, device=cfg.device)
    print(f"Training on {cfg.total_steps} steps of {cfg.env.id}: {run_dir}")
    train(
        model,
        cfg.total_steps,
        run_dir,
        encoder=checkpoint,
        evaluations={
            split: make_token_environments(cfg.env, cfg.env[split], cfg.eval_episodes, encoder)
            for split in ("train", "validation")
            if cfg.eval_every
        },
        eval_every=cfg.eval_every,
        eval_episodes=cfg.eval_episodes,
        notes=OmegaConf.to_container(cfg, resolve=True),
        resume=cfg.resume,
    )
    print(f"agent: {run_dir / 'last.safetensors'}")


if __name__ == "__main__":
    main()
