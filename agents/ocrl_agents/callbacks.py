"""What happens beside the training: scores of episodes, evaluation, checkpoints, progress."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from tqdm.auto import tqdm

from ocrl_agents.evaluation import evaluate, mean_scores, scalars_of


class EpisodeScores(BaseCallback):
    """Logs the mean of what environments report at the end of episodes, as `rollout/<name>`."""

    def __init__(self) -> None:
        super().__init__()
        self._scores: dict[str, list[float]] = {}

    def _on_step(self) -> bool:
        for i in np.flatnonzero(self.locals["dones"]):
            for name, value in scalars_of(self.locals["infos"][i]).items():
                self._scores.setdefault(name, []).append(value)
        return True

    def _on_rollout_end(self) -> None:
        for name, values in self._scores.items():
            known = [value for value in values if not np.isnan(value)]
            if known:
                self.logger.record(f"rollout/{name}", float(np.mean(known)))
        self._scores = {}


class Every(BaseCallback):
    """Does something each `interval` environment steps, between updates, and at the end."""

    def __init__(self, interval: int) -> None:
        super().__init__()
        self._interval = interval
        self._next = 0

    @abstractmethod
    def act(self) -> None:
        """Do it."""

    def _on_training_start(self) -> None:
        # a run that goes on has just done it, unless it was interrupted at the very beginning
        self._next = self._following() if self.num_timesteps else 0

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self._next:
            self.act()
            self._next = self._following()

    def _following(self) -> int:
        return (self.num_timesteps // self._interval + 1) * self._interval

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self.act()


class Evaluate(Every):
    """Plays the same episodes again and again, and logs their scores as `eval_<name>/<score>`.

    Args:
        environments: by name, environments that are used for nothing else.
        seeds: of the episodes.
        interval: environment steps of training between two evaluations.
        on_scores: called with all scores, by name of the environments.
        progress: show a bar.
    """

    def __init__(
        self,
        environments: Mapping[str, VecEnv | VectorEnv[Any, Any, Any]],
        seeds: Sequence[int],
        interval: int,
        on_scores: Callable[[dict[str, dict[str, float]]], None],
        progress: bool = True,
    ) -> None:
        super().__init__(interval)
        self._environments = environments
        self._seeds = seeds
        self._on_scores = on_scores
        self._progress = progress

    def act(self) -> None:
        """Evaluate on all environments."""
        scores = {}
        for name, envs in self._environments.items():
            title = f"evaluation, {name}" if self._progress else None
            played = evaluate(self.model.policy, envs, self._seeds, title=title)
            scores[name] = mean_scores(played)
            for key, value in scores[name].items():
                self.logger.record(f"eval_{name}/{key}", value)
        self.logger.dump(self.num_timesteps)
        self._on_scores(scores)


class Checkpoint(Every):
    """Saves the agent.

    Args:
        interval: environment steps between two checkpoints.
        save: what saves it.
    """

    def __init__(self, interval: int, save: Callable[[], None]) -> None:
        super().__init__(interval)
        self._save = save

    def act(self) -> None:
        """Save."""
        if self.num_timesteps:
            self._save()


class Progress(BaseCallback):
    """A progress bar with the mean return of the last episodes."""

    def __init__(self, total_timesteps: int) -> None:
        super().__init__()
        self._total = total_timesteps
        self._bar: tqdm[Any] | None = None

    def _on_training_start(self) -> None:
        self._bar = tqdm(
            total=self._total,
            initial=self.num_timesteps,
            unit=" steps",
            dynamic_ncols=True,
            mininterval=1.0,
        )

    def _on_step(self) -> bool:
        if self._bar is not None:
            # the last rollout is played to its end, beyond the steps asked for
            left = self._total - int(self._bar.n)
            self._bar.update(min(self.training_env.num_envs, left))
        return True

    def _on_rollout_end(self) -> None:
        episodes = self.model.ep_info_buffer
        if self._bar is not None and episodes:
            returns = np.mean([episode["r"] for episode in episodes])
            self._bar.set_postfix_str(f"return {returns:.2f}")

    def _on_training_end(self) -> None:
        if self._bar is not None:
            self._bar.close()
