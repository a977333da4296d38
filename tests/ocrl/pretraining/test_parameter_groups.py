"""Groups of parameters learn at their own rates, and the norm that is asked for is clipped."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ocrl.encoder import ParameterGroup
from ocrl.encoders.air import air
from ocrl.encoders.iodine import iodine
from ocrl.encoders.scalor import scalor
from ocrl.encoders.slate import slate
from ocrl.encoders.space import space
from ocrl.encoders.sqair import sqair
from ocrl.encoders.steve import steve
from ocrl.errors import UsageError
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining.encoders import Pretraining
from ocrl.pretraining.optimizers import JointOptimizer, make_optimizer


def module(encoder, **options) -> Pretraining:
    return Pretraining(
        encoder,
        learning_rate=1e-4,
        factor=lambda step: 0.25,
        scores=SegmentationScores(),
        **options,
    )


@pytest.mark.parametrize(("make", "decoder_rate"), [(slate, 1e-4), (steve, 3e-4)])
def test_the_discrete_vae_learns_at_its_own_rate_from_the_start(make, decoder_rate):
    encoder = make()
    optimizer = module(encoder).configure_optimizers()["optimizer"]
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert rates.keys() == {id(p) for p in encoder.parameters()}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(rates)
    assert rates[id(encoder.dvae.decoder[0][0].weight)] == pytest.approx(3e-4)
    assert rates[id(encoder.decoder.to_logits.weight)] == pytest.approx(decoder_rate / 4)
    assert rates[id(encoder.decoder.to_memory.weight)] == pytest.approx(1e-4 / 4)
    assert rates[id(encoder.recurrence.corrector.to_q.weight)] == pytest.approx(1e-4 / 4)


def test_adam_has_the_betas_of_the_group():
    (group,) = module(iodine()).configure_optimizers()["optimizer"].param_groups
    assert group["betas"] == (0.95, 0.999)


@pytest.mark.parametrize("norm", [2.0, math.inf])
def test_the_norm_that_is_asked_for_is_clipped(norm):
    training = module(slate(), clip_norm=norm)
    for parameter in training.encoder.parameters():
        parameter.grad = torch.randn_like(parameter)
    training.configure_gradient_clipping(torch.optim.SGD([torch.zeros(1)]), 0.5)
    gradients = torch.cat([p.grad.flatten() for p in training.encoder.parameters()])
    assert torch.linalg.vector_norm(gradients, norm).item() == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("make", [air, space, scalor, sqair])
def test_groups_hold_every_parameter_once(make):
    encoder = make()
    grouped = [id(p) for group in encoder.parameter_groups() for p in group.parameters]
    assert sorted(grouped) == sorted(map(id, encoder.parameters()))


def optimised(num_steps: int, save_after: int | None = None) -> list[float]:
    """Return two parameters that an optimiser each has moved, perhaps by copies half-way."""

    def start(values: list[float]) -> tuple[list[torch.nn.Parameter], torch.optim.Optimizer]:
        parameters = [torch.nn.Parameter(torch.tensor([value])) for value in values]
        kinds = (torch.optim.RMSprop, torch.optim.Adam)
        groups = [
            ParameterGroup([parameter], rate, optimizer=kind)
            for parameter, kind, rate in zip(parameters, kinds, (0.5, 1.0), strict=True)
        ]
        return parameters, make_optimizer(groups, 0.1)

    parameters, optimizer = start([1.0, 2.0])
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [lambda n: 0.5**n, lambda n: 1.0])
    for step in range(num_steps):
        if step == save_after:
            kept = optimizer.state_dict(), schedule.state_dict()
            parameters, optimizer = start([p.item() for p in parameters])
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, [lambda n: 0.5**n, lambda n: 1.0]
            )
            optimizer.load_state_dict(kept[0])
            schedule.load_state_dict(kept[1])
        optimizer.zero_grad()
        sum(p.square() for p in parameters).backward()
        optimizer.step()
        schedule.step()
    assert isinstance(optimizer, JointOptimizer)
    return [p.item() for p in parameters]


def test_joint_optimisers_go_on_where_they_were():
    assert optimised(5, save_after=3) == optimised(5) != optimised(4)


@pytest.mark.parametrize("kind", [torch.optim.RMSprop, torch.optim.Adam])
def test_state_of_an_optimiser_is_looked_at_whatever_its_kind(kind):
    training = module(slate())
    weight = torch.nn.Parameter(torch.zeros(3))
    optimizer = kind([weight])
    weight.grad = torch.ones(3)
    optimizer.step()
    training._trainer = SimpleNamespace(optimizers=[optimizer])
    training.on_train_start()
    state = optimizer.state[weight]
    name = next(name for name, value in state.items() if value.ndim)
    state[name] = torch.zeros(4)
    with pytest.raises(UsageError, match="does not fit its weights"):
        training.on_train_start()
