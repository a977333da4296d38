"""What SLATE and STEVE have in common in their recordings: noise, losses, steps of Adam."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import public_names
import pytest
import torch
from torch import Tensor

from ocrl.encoders.slate import SLATE
from ocrl.encoders.steve import STEVE
from ocrl.modules import discrete_vae, distributions
from ocrl.modules.initializers import RandomInitializer

Rename = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
# Adding the same to the logits of all slots leaves their softmax as it is.
INERT = "recurrence.corrector.norm_slots.bias"
OURS_ALONE = {"temperature.step", "recurrence.initializer.eval_noise"}


def give(
    monkeypatch: pytest.MonkeyPatch, encoder: SLATE | STEVE, noise: Mapping[str, Any], tau: float
) -> None:
    """Let noise and temperature be those that were recorded."""
    soft, hard = (
        -torch.log(draw + torch.finfo(draw.dtype).tiny)
        for draw in (noise["gumbel_exponential_soft"], noise["gumbel_exponential_hard"])
    )
    monkeypatch.setattr(distributions, "gumbel_noise", lambda like: soft)
    monkeypatch.setattr(
        discrete_vae, "draw_categories", lambda logits, dim: (logits + hard).argmax(dim)
    )
    slots = noise["slot_init_normal"]
    monkeypatch.setattr(RandomInitializer, "noise", lambda self, batch_size: slots)
    monkeypatch.setattr(type(encoder.temperature), "forward", lambda self, **_: tau)


def check_losses(losses: Mapping[str, Tensor], expected: Mapping[str, Any], relative: float):
    assert losses["reconstruction"].item() == pytest.approx(expected["mse"], rel=relative)
    assert losses["cross_entropy"].item() == pytest.approx(expected["cross_entropy"], rel=relative)


def check_gradients(encoder: SLATE | STEVE, video: Tensor, reference: Any, renamed: Rename) -> None:
    """Compare losses, their sum and its gradients; noise is given."""
    losses = encoder.losses({"video": video})
    check_losses(losses, reference["losses"], 1e-6)
    total = encoder.total_loss(losses)
    assert total.item() == pytest.approx(reference["losses"]["total"], rel=1e-6)
    total.backward()
    public_names.all_close(
        public_names.gradients(encoder),
        renamed(reference["grads"]),
        public_names.of_largest(1e-5),
        leave_out=[INERT],
    )


def check_training(
    monkeypatch: pytest.MonkeyPatch,
    encoder: SLATE | STEVE,
    video: Tensor,
    training: Mapping[str, Any],
    renamed: Rename,
    rates: Sequence[str],
    clip: float,
) -> None:
    """Take the recorded steps of Adam; compare losses and norms on the way, weights at the end.

    Args:
        monkeypatch: of the test.
        encoder: before the first step.
        video: what it is trained on.
        training: what was recorded.
        renamed: names public tensors as ours.
        rates: public names of the learning rates, a name for each of the encoder's groups.
        clip: largest entry of all gradients.
    """
    groups = encoder.parameter_groups()
    optimizer = torch.optim.Adam([{"params": group.parameters} for group in groups])
    for step in training["steps"]:
        give(monkeypatch, encoder, step, step["tau"])
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = step[rate]
        losses = encoder.losses({"video": video})
        check_losses(losses, step, 1e-5)
        optimizer.zero_grad()
        encoder.total_loss(losses).backward()
        norm = torch.nn.utils.clip_grad_norm_(encoder.parameters(), clip, norm_type=torch.inf)
        assert norm.item() == pytest.approx(step["grad_norm_inf_before_clip"], rel=1e-4)
        optimizer.step()
    after = renamed(training["params_after"])
    trained = dict(encoder.named_parameters())
    assert trained.keys() == after.keys()
    off = torch.cat([(trained[k] - after[k]).abs().flatten() for k in after if k != INERT])
    # where a gradient is all rounding, the sign of Adam's step is the processor's
    assert (off > 2e-5).float().mean() < 5e-3
    assert off.max() < sum(max(step[rate] for rate in rates) for step in training["steps"])
