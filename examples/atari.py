"""Atari Breakout: the commands as functions, then the agent frame by frame, in one file.

    pip install ale-py
    python examples/atari.py

On the command line the first two steps are `python scripts/pretrain_slots.py` and `train_agent.py`
with the words of `WORLD`. Another game is another `env.id`.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import gymnasium as gym

from ocrl_agents import load_agent
from ocrl_studies.composition import compose
from ocrl_studies.stages.pretrain_slots import pretrain_slots
from ocrl_studies.stages.train_agent import train_agent

WORLD = ("env=custom", "env.id=ale_py:ALE/Breakout-v5", "env.max_episode_steps=2000")


def play(agent_file: Path, num_steps: int) -> float:
    """Return what the agent scores in an episode, or in its first so many steps."""
    agent = load_agent(agent_file)
    env = gym.make("ale_py:ALE/Breakout-v5", max_episode_steps=num_steps)
    frame, _ = env.reset(seed=0)
    total, done = 0.0, False
    while not done:
        frame, reward, terminated, truncated, _ = env.step(int(agent.predict(frame)))
        total += float(reward)
        done = terminated or truncated
    env.close()
    return total


def main(
    folder: Path = Path("runs/atari"),
    pretraining: Sequence[str] = ("pretraining.max_steps=1000",),
    training: Sequence[str] = ("total_steps=500_000",),
    num_steps: int = 2000,
) -> None:
    """Collect rollouts, train an encoder and an agent, and play."""
    os.environ.setdefault("MINARI_DATASETS_PATH", str(folder / "rollouts"))
    words = [*WORLD, f"runs_dir={folder}"]
    pretrain_slots(compose("pretrain_slots", [*words, *pretraining]))
    agent_file = train_agent(compose("train_agent", [*words, *training]))
    print(f"score: {play(agent_file, num_steps):g}")


if __name__ == "__main__":
    main()
