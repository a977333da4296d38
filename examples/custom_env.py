"""From your own environment to an agent that sees slots: one file, read from top to bottom.

    pip install minigrid
    python examples/custom_env.py

The environment is MiniGrid's LavaGap, seen from where the agent stands: reach the green square
through the gap in the lava. For another one change `make_env`; all it needs is an RGB image as its
observation, of any size.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hydra.utils import instantiate
from omegaconf import OmegaConf

from ocrl.checkpoints import save_encoder
from ocrl.data.clips import ClipDataset, evaluation_clips
from ocrl.data.videos import ArrayVideos
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.visualization import save_image, save_video, segmentation_strip
from ocrl_agents.evaluation import evaluate, mean_scores
from ocrl_agents.training import make_ppo, train
from ocrl_agents.vec_env import GymnasiumVecEnv, VecSlotObservation
from ocrl_agents.videos import film
from ocrl_studies.composition import compose

MakeEnv = Callable[[], gym.Env[Any, Any]]
IMAGE_SIZE = (64, 64)


def make_env() -> gym.Env[Any, Any]:
    """Return one environment, whose observation is an image: Box (56, 56, 3) uint8."""
    from minigrid.wrappers import ImgObsWrapper, RGBImgPartialObsWrapper

    return ImgObsWrapper(RGBImgPartialObsWrapper(gym.make("MiniGrid-LavaGapS5-v0")))


def make_envs(make: MakeEnv, num_envs: int) -> SyncVectorEnv:
    """Return many of them, each of which begins its next episode in the step that ends one."""
    return SyncVectorEnv([make] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)


def collect(make: MakeEnv, num_steps: int, num_envs: int = 16) -> ArrayVideos:
    """1. Rollouts: what a random agent sees, as videos; `lengths` says where each one ends."""
    envs = make_envs(make, num_envs)
    frames, _ = envs.reset(seed=0)
    running = [[frame] for frame in frames]
    videos = []
    for _ in range(num_steps // num_envs):
        frames, _, terminations, truncations, infos = envs.step(envs.action_space.sample())
        for i, ended in enumerate(terminations | truncations):
            running[i].append(infos["final_obs"][i] if ended else frames[i])
            if ended:
                videos.append(running[i])
                running[i] = [frames[i]]
    videos += running
    envs.close()
    lengths = [len(video) for video in videos]
    return ArrayVideos(np.concatenate([np.stack(video) for video in videos]), lengths)


def pretrain_encoder(videos: ArrayVideos, folder: Path, max_steps: int) -> Path:
    """2. An encoder: SlotContrast learns to find the objects, without a label."""
    node = compose("pretrain_slots", ["env=nav_maze_1", "encoder=slotcontrast"])
    config = OmegaConf.to_container(node.encoder.model, resolve=True)
    encoder = instantiate(config)
    clips = ClipDataset(videos, clip_length=4, image_size=IMAGE_SIZE)
    watched = evaluation_clips(videos, clip_length=4, num_clips=16, image_size=IMAGE_SIZE)
    settings = PretrainingSettings(
        max_steps=max_steps,
        steps_per_epoch=max(1, max_steps // 8),
        batch_size=8,
        learning_rate=8e-4,
        warmup_steps=max_steps // 8,
        gradient_clip=0.1,
        seed=0,
    )
    scores = SegmentationScores()
    pretrain(encoder, clips, watched, settings, folder / "pretraining", scores=scores, callbacks=[])
    path = folder / "encoder.safetensors"
    save_encoder(path, encoder, config)
    clip = watched[0]["video"]
    save_image(
        folder / "masks.png",
        segmentation_strip(clip, encoder.eval().segment({"video": clip[None]})[0]),
    )
    return path


def train_agent(make: MakeEnv, encoder: Path, folder: Path, num_steps: int) -> dict[str, float]:
    """3. An agent: PPO with a transformer over the slots; the encoder is frozen.

    The wrapper is one line. Everything else is stable-baselines3.
    """
    wrap = partial(VecSlotObservation, encoder=encoder)
    model = make_ppo(wrap(GymnasiumVecEnv(make_envs(make, 16))), seed=0, learning_rate=1e-3)
    train(model, num_steps, folder / "agent", encoder=encoder)
    test_envs = wrap(GymnasiumVecEnv(make_envs(make, 16)))
    save_video(folder / "agent.mp4", film(model.policy, test_envs, seed=1, num_steps=100))
    return mean_scores(evaluate(model.policy, test_envs, seeds=range(100)))


def main(
    make: MakeEnv = make_env,
    folder: Path = Path("runs/custom_env"),
    rollout_steps: int = 20_000,
    pretraining_steps: int = 800,
    agent_steps: int = 300_000,
) -> None:
    """Do all three."""
    videos = collect(make, rollout_steps)
    encoder = pretrain_encoder(videos, folder, pretraining_steps)
    print(f"encoder: {encoder}\nmasks:   {folder / 'masks.png'}")
    scores = train_agent(make, encoder, folder, agent_steps)
    print(f"agent:   {folder / 'agent'}\nvideo:   {folder / 'agent.mp4'}\nscores:  {scores}")


if __name__ == "__main__":
    main()
