"""Which clips are seen in which epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[int]):
    """Draws clips with replacement, the same ones for the same seed, epoch and process.

    So a run resumed at an epoch's start sees exactly the clips that an uninterrupted one would
    have seen. Of several processes each draws its own part of every batch, and all together what
    one process would draw for batches that much larger.

    Example:
        >>> sampler = EpochSampler(range(100), steps=2, batch_size=2, epoch=lambda: 1, seed=0)
        >>> list(sampler) == list(sampler)
        True
        >>> half = EpochSampler(
        ...     range(100), steps=2, batch_size=1, epoch=lambda: 1, seed=0, rank=1, num_processes=2
        ... )
        >>> list(half) == list(sampler)[1::2]
        True

    Args:
        clips: the dataset, of which only the length matters.
        steps: batches per epoch.
        batch_size: clips of a batch that this process draws.
        epoch: tells the epoch that begins.
        seed: of the whole run.
        rank: of this process.
        num_processes: that train together.
    """

    def __init__(
        self,
        clips: Sized,
        steps: int,
        batch_size: int,
        epoch: Callable[[], int],
        seed: int,
        rank: int = 0,
        num_processes: int = 1,
    ) -> None:
        self.num_clips = len(clips)
        self.steps = steps
        self.batch_size = batch_size
        self.epoch = epoch
        self.seed = seed
        self.rank = rank
        self.num_processes = num_processes

    def __len__(self) -> int:
        return self.steps * self.batch_size

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, 0, self.epoch()))
        shape = (self.steps, self.num_processes, self.batch_size)
        yield from generator.integers(self.num_clips, size=shape)[:, self.rank].ravel().tolist()
