"""PPO over tokens: stable-baselines3's, for policies with memory as well.

Observations stay tensors from the rollout to the update, statistics are read once an update, and
the ends of episodes alone are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance, obs_as_tensor
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from torch.nn import functional as F

from ocrl.errors import UsageError
from ocrl_agents.policies import SlotPolicy
from ocrl_agents.rollout import Minibatch, Rollout, apply
from ocrl_agents.shared_vec_env import cores_left_to_workers
from ocrl_agents.token_extractor import Observations
from ocrl_agents.vec_env import stack_observations


class Losses(NamedTuple):
    """What an update minimises and reports, scalars.

    Attributes:
        policy: the clipped surrogate objective, negative.
        value: mean squared error of the critic.
        entropy: of the actions, negative.
        clip_fraction: how many probability ratios were clipped.
        kl: how far the policy went, Schulman's estimator k3.
    """

    policy: Tensor
    value: Tensor
    entropy: Tensor
    clip_fraction: Tensor
    kl: Tensor


class TokenPPO(PPO):
    """PPO (Schulman et al. 2017) for a `SlotPolicy`, with or without memory.

    The arguments, the callbacks, the logs, the files and the mathematics are those of
    stable-baselines3's `PPO`. A policy with memory learns from whole segments: T steps of an
    environment as they came, from the memory that it began them with, back to which gradients are
    propagated (truncated backpropagation through time).

        >>> model = TokenPPO(SlotPolicy, venv, n_steps=8, batch_size=16).learn(16)

    Raises:
        UsageError: for what it cannot do: another policy than a `SlotPolicy`, state-dependent
            exploration (`use_sde`), separate features of actor and critic, discrete actions that
            do not begin at 0, minibatches without a whole segment for a memory.
    """

    policy: SlotPolicy
    rollout_buffer: Rollout  # type: ignore[assignment]

    def __init__(self, policy: type[SlotPolicy], env: Any, **kwargs: Any) -> None:
        if not (isinstance(policy, type) and issubclass(policy, SlotPolicy)):
            raise UsageError(
                f"TokenPPO trains a SlotPolicy, not {policy}: take ocrl_agents.policies.SlotPolicy,"
                " or stable-baselines3's PPO"
            )
        if kwargs.get("use_sde"):
            raise UsageError("TokenPPO has no use_sde: leave it out")
        if not (kwargs.get("policy_kwargs") or {}).get("share_features_extractor", True):
            raise UsageError(
                "in TokenPPO actor and critic read the same features: leave out "
                "share_features_extractor=False"
            )
        # stable-baselines3 makes whatever buffer it is given
        super().__init__(policy, env, **{"rollout_buffer_class": Rollout, **kwargs})

    def _setup_model(self) -> None:
        if np.any(getattr(self.action_space, "start", 0)):
            raise UsageError(
                f"PPO numbers discrete actions from 0, the environment has {self.action_space}: "
                "wrap it so that its actions begin at 0"
            )
        super()._setup_model()
        if self.policy.memory_dim and self.batch_size % self.n_steps:
            raise UsageError(
                f"batch_size={self.batch_size} holds no whole number of segments of "
                f"n_steps={self.n_steps}, from which a memory learns: take "
                f"batch_size={self.n_steps * max(1, self.batch_size // self.n_steps)}"
            )
        self.memory = self.policy.initial_memory(self.n_envs)

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: Any,
        n_rollout_steps: int,
    ) -> bool:
        """Play `n_rollout_steps` steps in all environments; False if a callback ended it."""
        with cores_left_to_workers(env):
            return self._play(env, callback, rollout_buffer, n_rollout_steps)

    def _play(
        self, env: VecEnv, callback: BaseCallback, rollout: Rollout, n_rollout_steps: int
    ) -> bool:
        rollout.memory = self.memory
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        for step in range(n_rollout_steps):
            observations, starts = self._now()
            with torch.inference_mode():
                decision = self.policy.decide(observations, self.memory, starts)
            rollout.write(
                step,
                observations=observations,
                starts=starts,
                actions=decision.actions,
                values=decision.values,
                log_probs=decision.log_probs,
            )
            # distributions draw continuous actions as rows, whatever shape the environment takes
            shape = self.action_space.shape or ()
            actions = decision.actions.cpu().numpy().reshape(-1, *shape)
            if isinstance(self.action_space, spaces.Box):
                actions = np.clip(actions, self.action_space.low, self.action_space.high)
            new_obs, rewards, dones, infos = env.step(actions)
            self.num_timesteps += env.num_envs
            # callbacks read `dones` and `infos` by these names
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            ended = np.flatnonzero(dones)
            self._update_info_buffer([infos[i] for i in ended], dones[ended])
            rewards = rewards + self._rest_of_return(infos, ended, decision.memory)
            rollout.write(step, rewards=torch.from_numpy(rewards))
            self.memory = decision.memory
            self._last_obs, self._last_episode_starts = new_obs, dones  # type: ignore[assignment]
        observations, starts = self._now()
        with torch.inference_mode():
            rollout.finish(self.policy.expect(observations, self.memory, starts), starts)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Update the policy by the rollout."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        history: list[Losses] = []
        for _ in range(self.n_epochs):
            goes_on = self._pass(history)
            self._n_updates += 1
            if not goes_on:
                break
        self._report(history)

    def dump_logs(self, iteration: int = 0) -> None:
        """Log what stable-baselines3 does, with all rollouts counted, earlier starts' as well."""
        super().dump_logs(self.num_timesteps // (self.n_envs * self.n_steps))

    def losses(self, batch: Minibatch) -> Losses:
        """Return the terms of the objective (Schulman et al. 2017, equation 9) on a minibatch."""
        clip_range = self._at_this_point(self.clip_range)
        shape = batch.starts.shape
        flat = apply(batch.observations, lambda entry: entry.flatten(0, len(shape) - 1))
        features = self.policy.features(flat).view(*shape, -1)
        features, _ = self.policy.remember(features, batch.memory, batch.starts)
        distribution, values = self.policy.heads(features.flatten(0, len(shape) - 1))
        actions = batch.actions.flatten(0, len(shape) - 1)
        log_probs, entropy = distribution.log_prob(actions), distribution.entropy()

        advantages = batch.advantages.flatten()
        if self.normalize_advantage and len(advantages) > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        log_ratio = log_probs - batch.log_probs.flatten()
        ratio = log_ratio.exp()
        clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
        gain = torch.min(advantages * ratio, advantages * clipped).mean()
        if self.clip_range_vf is not None:
            before, reach = batch.values.flatten(), self._at_this_point(self.clip_range_vf)
            values = before + (values - before).clamp(-reach, reach)
        with torch.no_grad():
            clip_fraction = ((ratio - 1).abs() > clip_range).float().mean()
            kl = (ratio - 1 - log_ratio).mean()
        return Losses(
            policy=-gain,
            value=F.mse_loss(batch.returns.flatten(), values),
            entropy=-(-log_probs if entropy is None else entropy).mean(),
            clip_fraction=clip_fraction,
            kl=kl,
        )

    def _now(self) -> tuple[Observations, Tensor]:
        """Return what the environments show, and bool (N,), where an episode begins with it."""
        observations: Any = self._last_obs
        starts = torch.as_tensor(self._last_episode_starts, dtype=torch.bool, device=self.device)
        shown: Any = obs_as_tensor(observations, self.device)
        return shown, starts

    def _rest_of_return(
        self, infos: Sequence[dict[str, Any]], ended: npt.NDArray[np.int64], memory: Tensor
    ) -> npt.NDArray[np.float32]:
        """Return what the critic expects beyond the end of episodes that were cut off, (N,)."""
        rest = np.zeros(len(infos), np.float32)
        cut = [int(i) for i in ended if infos[i].get("TimeLimit.truncated", False)]
        if cut:
            finals: Any = stack_observations([infos[i]["terminal_observation"] for i in cut])
            starts = torch.zeros(len(cut), dtype=torch.bool, device=self.device)
            with torch.inference_mode():
                values = self.policy.expect(obs_as_tensor(finals, self.device), memory[cut], starts)
            rest[cut] = self.gamma * values.cpu().numpy()
        return rest

    def _pass(self, history: list[Losses]) -> bool:
        """Learn from every step once; False if the policy went too far (`target_kl`)."""
        for batch in self.rollout_buffer.minibatches(self.batch_size, self.policy.memory_dim > 0):
            losses = self.losses(batch)
            history.append(Losses(*(term.detach() for term in losses)))
            if self.target_kl is not None and losses.kl > 1.5 * self.target_kl:
                return False
            self.policy.optimizer.zero_grad()
            self._total(losses).backward()
            nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
            self.policy.optimizer.step()
        return True

    def _total(self, losses: Losses) -> Any:
        return losses.policy + self.ent_coef * losses.entropy + self.vf_coef * losses.value

    def _at_this_point(self, schedule: Any) -> float:
        return float(schedule(self._current_progress_remaining))

    def _report(self, history: list[Losses]) -> None:
        """Log what stable-baselines3 does."""
        means = Losses(*(torch.stack(terms).mean() for terms in zip(*history, strict=True)))
        rollout = self.rollout_buffer
        explained = explained_variance(
            rollout.values.flatten().cpu().numpy(), rollout.returns.flatten().cpu().numpy()
        )
        report = {
            "entropy_loss": means.entropy,
            "policy_gradient_loss": means.policy,
            "value_loss": means.value,
            "approx_kl": means.kl,
            "clip_fraction": means.clip_fraction,
            "loss": self._total(means),
            "explained_variance": explained,
            "n_updates": self._n_updates,
            "clip_range": self._at_this_point(self.clip_range),
        }
        if hasattr(self.policy, "log_std"):
            report["std"] = float(self.policy.log_std.detach().exp().mean())
        for name, value in report.items():
            self.logger.record(f"train/{name}", float(value))
