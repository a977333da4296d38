"""Which clips are seen in which epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Draws clips with replacement, the same ones for the same seed, epoch and process.

    So a run resumed at an epoch's start sees exactly the clips that an uninterrupted one would
    have seen, and each process of a distributed run its own.

    Example:
        >>> sampler = EpochSampler(range(100), num_draws=3, epoch=lambda: 1, seed=0)
        >>> list(sampler) == list(sampler)
        True

    Args:
        clips: the dataset, of which only the length matters.
        num_draws: clips per epoch.
        epoch: tells the epoch that begins.
        seed: of the whole run.
        rank: of this process.
    """

    def __init__(
        self, clips: Sized, num_draws: int, epoch: Callable[[], int], seed: int, rank: int = 0
    ) -> None:
        self.num_clips = len(clips)
        self.num_draws = num_draws
        self.epoch = epoch
        self.seed = seed
        self.rank = rank

    def __len__(self) -> int:
        return self.num_draws

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.rank, self.epoch()))
        yield from generator.integers(self.num_clips, size=self.num_draws).tolist()
