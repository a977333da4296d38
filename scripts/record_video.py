"""Film a policy: see ``python scripts/record_video.py --help``."""

from pathlib import Path

import gymnasium
import numpy as np
from omegaconf import DictConfig
from tqdm import tqdm

from configs.cli import script
from configs.environments import settings
from envs.maze.policies import make_policy
from ocrl.errors import UsageError
from ocrl.visualization import save_video

DECISIONS_PER_SECOND = 15


@script("record_video")
def main(cfg: DictConfig) -> None:
    """Play one maze from its beginning."""
    output = Path(cfg.output)
    if output.exists() and not cfg.overwrite:
        raise UsageError(f"{output} exists: replace it with overwrite=true, or set another output")
    kwargs = {**settings(cfg.env.kwargs), **settings(cfg.variation)}
    env = gymnasium.make(cfg.env.id, render_mode="rgb_array", **kwargs)
    policy = make_policy(cfg.policy, env, cfg.seed)
    frame, _ = env.reset(seed=cfg.seed)
    pictures = [env.render()]
    for _ in tqdm(range(cfg.steps), unit="step"):
        frame, _, _, truncated, _ = env.step(policy(frame[None])[0])
        pictures.append(env.render())
        if truncated:
            break
    save_video(output, np.stack(pictures), DECISIONS_PER_SECOND)
    print(f"video: {output}")


if __name__ == "__main__":
    main()
