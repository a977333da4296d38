"""A growing number of slots: the learned ones take part by and by, where the error stays high."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ocrl.errors import UsageError
from ocrl.modules.initializers import LearnedInitializer

REACH = 0.2
"""How far a new slot starts from its parent, in distances from there to the most similar slot."""


class GrowingInitializer(LearnedInitializer):
    """Two learned slots at first, half of them later, then all (SlotCurri, arXiv 2603.22758).

    A tenth and a quarter of the way through training, new slots start beside old ones. How many
    beside which is decided by the error that each slot is to blame for, measured one step before:
    the new ones are shared out in proportion, by the method of the largest remainder. One step
    later they take part. So says the public code; nothing of it is in effect once training is over,
    and whoever asks for slots gets all of them at any time.

    Where training is and what it needs next is kept with the weights, the directions in which new
    slots depart too: a resumed run goes on as if it had not stopped, and all processes of a run
    grow alike, by the errors of the first.

    Args:
        num_slots: K, at least 4.
        slot_dim: D.
        training_steps: of the whole run, at least 10.
    """

    step: Tensor
    errors: Tensor
    directions: Tensor

    def __init__(self, num_slots: int, slot_dim: int, training_steps: int) -> None:
        super().__init__(num_slots, slot_dim)
        if num_slots < 4:
            raise UsageError(
                f"num_slots is {num_slots}: two slots grow to half of all and then to all, "
                "which takes 4 at least"
            )
        if training_steps < 10:
            raise UsageError(
                f"training_steps is {training_steps}: slots are added after a tenth of training, "
                "which takes 10 steps at least"
            )
        self.stages = (2, num_slots // 2, num_slots)
        self.growth_steps = (training_steps // 10, training_steps // 4)
        # on the CPU even where tensors have no values, for Python decides by it
        self.register_buffer("step", torch.zeros((), dtype=torch.long, device="cpu"))
        self.register_buffer("errors", torch.zeros(num_slots))
        self.register_buffer("directions", torch.randn(num_slots, slot_dim))

    def grow(self) -> int:
        """Start new slots, if it is time to; return how many slots take part in this step."""
        step = int(self.step)
        for at, before, after in zip(self.growth_steps, self.stages, self.stages[1:], strict=False):
            if step == at:
                self._start(before, after)
        return self.stages[sum(step > at for at in self.growth_steps)]

    def advance(self, errors: Tensor) -> None:
        """Count a step of training.

        Args:
            errors: one for each slot that took part in it, not negative.
        """
        if int(self.step) + 1 in self.growth_steps:
            self.errors[: len(errors)] = errors.detach()
        self.step += 1

    @torch.no_grad()
    def _start(self, before: int, after: int) -> None:
        """Start slots ``before`` to ``after``.

            s_new = s_i + 0.2 |s_i - s_j| |s_i| / mean_k |s_k|  u,   s_j the most similar to s_i

        with u a direction of its own; j and k run over all slots, also those that do not take part.
        """
        slots = self.slots[0]
        units = F.normalize(slots, dim=-1)
        nearest = (units @ units.T).fill_diagonal_(-1.0).argmax(dim=1)
        counts = share_out(after - before, self.errors[:before])
        for parent, count in enumerate(counts.tolist()):
            new = slice(before, before + count)
            reach = REACH * (slots[parent] - slots[nearest[parent]]).norm()
            reach = reach * slots[parent].norm() / slots.norm(dim=-1).mean()
            slots[new] = slots[parent] + reach * F.normalize(self.directions[new], dim=-1)
            before += count


def share_out(total: int, weights: Tensor) -> Tensor:
    """Share out whole things in proportion to weights, by the method of the largest remainder.

    >>> share_out(3, torch.tensor([0.5, 1.0, 0.1]))
    tensor([1, 2, 0])

    Args:
        total: how many there are.
        weights: (N,), not negative, not all zero.

    Returns:
        Integers (N,) with that total.
    """
    shares = total * weights / weights.sum()
    counts = shares.floor().long()
    left = total - int(counts.sum())
    counts[(shares - counts).argsort(descending=True)[:left]] += 1
    return counts
