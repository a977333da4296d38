"""Many scenes, in parallel."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor

import numpy as np

from ocrl_envs.scenes.recipes import Recipe
from ocrl_envs.scenes.scene import Scene, generate_scene


def generate_scenes(
    recipe: Recipe, num_scenes: int, seed: int, *, first: int = 0, num_workers: int = 0
) -> Iterator[Scene]:
    """Yield random scenes, the same ones in the same order whatever the number of workers.

    Scene i does not depend on how many scenes there are: asking for more adds to them.

    Args:
        recipe: what scenes are made of.
        num_scenes: how many.
        seed: of all of them.
        first: number of the first one; those before it are not generated.
        num_workers: processes that generate; 0 is this process.

    Example:
        >>> from ocrl_envs.scenes.recipes import movi_a_like
        >>> scenes = generate_scenes(movi_a_like(num_frames=2), num_scenes=3, seed=0)
        >>> [scene.video.shape for scene in scenes]
        [(2, 64, 64, 3), (2, 64, 64, 3), (2, 64, 64, 3)]
    """
    seeds = (np.random.SeedSequence((seed, i)) for i in range(first, num_scenes))
    if num_workers == 0:
        for scene_seed in seeds:
            yield generate_scene(recipe, scene_seed)
        return
    # Forked children would inherit the locks of other threads, such as torch's.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        pending: deque[Future[Scene]] = deque()
        try:
            for scene_seed in seeds:
                pending.append(pool.submit(generate_scene, recipe, scene_seed))
                # Few at a time, so that finished scenes do not pile up.
                if len(pending) > 4 * num_workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
