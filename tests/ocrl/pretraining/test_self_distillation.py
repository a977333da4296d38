"""The objective of DINO, against algorithm 1 written out view by view."""

import copy
import math

import pytest
import torch
from torch import nn

from ocrl.data.crops import Crops
from ocrl.modules.backbones import TimmBackbone
from ocrl.pretraining.self_distillation import SelfDistillation, cross_view_entropy

TINY = {"embed_dim": 16, "depth": 1, "num_heads": 2}


def tiny():
    torch.manual_seed(0)
    backbone = TimmBackbone(
        "vit_micro_patch4_32", (64, 64), pretrained=False, frozen=False, model_kwargs=TINY
    )
    return SelfDistillation(backbone, hidden_dim=16, bottleneck_dim=8, num_prototypes=12)


@pytest.fixture
def crops():
    generator = torch.Generator().manual_seed(0)
    return Crops(
        torch.rand(2, 5, 3, 32, 32, generator=generator),
        torch.rand(3, 5, 3, 16, 16, generator=generator),
    )


def outputs(network, views):
    """One view after the other through backbone, mean, MLP and weight-normed linear layer."""
    head = network["head"]
    last = nn.utils.parametrizations.weight_norm(nn.Linear(8, 12, bias=False))
    last.parametrizations.weight.original0.data.fill_(1)
    last.parametrizations.weight.original1.data.copy_(head.prototypes)
    rows = []
    for view in views:
        tokens = network["backbone"].extract((view - 0.5) / 0.5)
        rows.append(last(nn.functional.normalize(head.mlp(tokens.mean(1)), dim=-1)))
    return rows


def test_loss_and_centre_are_those_of_algorithm_1(crops):
    distillation = tiny().train()
    distillation.centre.copy_(torch.linspace(-0.1, 0.1, 12))
    centre = distillation.centre.clone()
    teacher = outputs(distillation.teacher, crops.large)
    student = [*outputs(distillation.student, crops.large)]
    student += outputs(distillation.student, crops.small)
    terms = []
    for i, t in enumerate(teacher):
        target = torch.softmax((t - centre) / 0.04, dim=1)
        for j, s in enumerate(student):
            if i != j:
                terms.append(-(target * torch.log_softmax(s / 0.1, dim=1)).sum(1).mean())
    assert len(terms) == 2 * 5 - 2
    outcome = distillation(crops, 0.04)
    assert outcome.loss.item() == pytest.approx(torch.stack(terms).mean().item(), abs=1e-5)
    expected = 0.9 * centre + 0.1 * torch.cat(teacher).mean(0)
    torch.testing.assert_close(distillation.centre, expected)


def test_only_the_student_learns_and_the_teacher_follows(crops):
    distillation = tiny().train()
    distillation(crops, 0.04).loss.backward()
    assert all(p.grad is not None for p in distillation.student.parameters())
    assert all(p.grad is None for p in distillation.teacher.parameters())
    before = copy.deepcopy(distillation.teacher)
    for weight in distillation.student.parameters():
        weight.data += 1
    distillation.update_teacher(0.75)
    for old, new in zip(before.parameters(), distillation.teacher.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.25)


def test_evaluation_moves_nothing(crops):
    distillation = tiny().eval()
    before = copy.deepcopy(distillation.state_dict())
    distillation(crops, 0.04)
    for name, value in distillation.state_dict().items():
        assert torch.equal(value, before[name])


def test_both_collapses_are_seen(crops):
    distillation = tiny().eval()
    healthy = distillation(crops, 0.04)
    assert 0.05 < healthy.certainty < 0.95
    uniform = distillation(crops, 1e6)
    assert uniform.certainty.item() == pytest.approx(0, abs=1e-5)
    assert uniform.variety.item() == pytest.approx(1, abs=1e-5)
    distillation.centre[3] = -1e4
    constant = distillation(crops, 0.04)
    assert constant.certainty.item() == pytest.approx(1, abs=1e-5)
    assert constant.variety.item() == pytest.approx(0, abs=1e-5)


def test_agreement_costs_nothing_and_ignorance_the_logarithm():
    targets = torch.eye(4).expand(2, 4, 4)
    certain = torch.log(torch.eye(4).clamp_min(1e-30)).expand(5, 4, 4)
    assert cross_view_entropy(targets, certain) == 0
    unsure = torch.full((5, 4, 4), -math.log(4))
    assert cross_view_entropy(targets, unsure).item() == pytest.approx(math.log(4))
