"""Small things: what an encoder's tokens hold of Breakout's ball and paddle, by the game's memory.

    pip install ale-py
    python scripts/pretrain_slots.py env=custom env.id=ale_py:ALE/Breakout-v5
    python examples/small_things.py runs/pretrain/ALE-Breakout-v5/slotcontrast/seed=0/*.safetensors

For a world of your own, `FACTS` is what it knows of its frames.
"""

import sys
from collections.abc import Mapping, Sequence

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from ocrl import load_encoder
from ocrl.encoder import Encoder
from ocrl.encoders.positions import TokenPositions
from ocrl_studies.probes.networks import PROBES, ProbeSettings, read_facts
from ocrl_studies.probes.scores import score
from ocrl_studies.probes.sightings import Sightings, StreamReader

FACTS = {"paddle x": 72, "ball x": 99, "ball y": 101}
"""Places in the memory of the console."""


def facts(memory: NDArray[np.uint8]) -> list[float]:
    """Return where paddle and ball are, the ball nan while there is none."""
    paddle, *ball = (float(memory[place]) for place in FACTS.values())
    return [paddle, *(ball if ball[1] else [np.nan, np.nan])]


def see(encoders: Mapping[str, Encoder], num_frames: int, seed: int, num_envs: int) -> Sightings:
    """Play at random, and keep every fourth frame as all encoders tell it."""
    envs = SyncVectorEnv(
        [lambda: gym.make("ale_py:ALE/Breakout-v5")] * num_envs,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    readers = {name: StreamReader(encoder, envs) for name, encoder in encoders.items()}
    frames, _ = envs.reset(seed=seed)
    envs.action_space.seed(seed)
    is_first = np.ones(num_envs, dtype=bool)
    kept, known = [], []
    for step in range(4 * num_frames // num_envs):
        tokens = {name: read(frames, is_first) for name, read in readers.items()}
        if step % 4 == 0:
            kept.append(tokens)
            known += [facts(env.unwrapped.ale.getRAM()) for env in envs.envs]
        frames, _, ended, cut, _ = envs.step(envs.action_space.sample())
        is_first = ended | cut
    envs.close()
    return Sightings(
        {name: torch.cat([tokens[name] for tokens in kept]) for name in readers},
        dict(zip(FACTS, np.array(known).T, strict=True)),
        np.tile(np.arange(num_envs), len(kept)),
    )


def main(
    paths: Sequence[str], num_frames: int = 4000, num_envs: int = 16, num_steps: int = 1000
) -> None:
    """Print R2 of where things are, read from the tokens of encoders by each probe."""
    encoders: dict[str, Encoder] = {}
    for path in paths:
        encoders[path] = load_encoder(path)
        encoders[f"{path}, positions"] = TokenPositions(load_encoder(path))
    torch.manual_seed(0)
    settings = ProbeSettings(num_steps, 256, 1e-3, 1e-2, dim=64)
    train = see(encoders, num_frames, 0, num_envs)
    test = see(encoders, num_frames // 2, 99, num_envs)
    for name in encoders:
        print(f"{name}:")
        for probe in PROBES:
            read = read_facts(probe, name, train, test, settings)
            said = [f"{fact} {score(test.facts[fact], read[fact]):.2f}" for fact in FACTS]
            print(f"  {probe:12} {', '.join(said)}")


if __name__ == "__main__":
    main(sys.argv[1:])
