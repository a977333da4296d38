"""Self-distillation with no labels: DINO (Caron et al. 2021, arXiv 2104.14294)."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocrl.data.crops import Crops
from ocrl.modules.backbones import Backbone
from ocrl.modules.mlp import MLP


class Head(nn.Module):
    """Mean of an image's tokens to similarities with prototypes (section 3.1 and appendix C).

        z = MLP(LN(mean_n token_n));  y_k = <z / |z|, w_k / |w_k|>

    The paper reads a vision transformer's class token. The mean instead trains every patch token
    directly, and patches are what slots read.

    >>> Head(8, hidden_dim=16, bottleneck_dim=4, num_prototypes=32)(torch.rand(2, 9, 8)).shape
    torch.Size([2, 32])

    Args:
        feature_dim: F.
        hidden_dim: width of the two hidden layers.
        bottleneck_dim: width of z.
        num_prototypes: K.
    """

    def __init__(
        self, feature_dim: int, *, hidden_dim: int, bottleneck_dim: int, num_prototypes: int
    ) -> None:
        super().__init__()
        self.mlp = MLP(feature_dim, [hidden_dim, hidden_dim], bottleneck_dim, layer_norm=True)
        self.prototypes = nn.Parameter(torch.randn(num_prototypes, bottleneck_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (B, N, F) to similarities (B, K) in [-1, 1]."""
        codes = self.mlp(tokens.mean(dim=1))
        return F.linear(F.normalize(codes, dim=-1), F.normalize(self.prototypes, dim=-1))


class DistillationOutcome(NamedTuple):
    """One step's outcome.

    Attributes:
        loss: scalar.
        certainty: 1 - entropy of a teacher's output / log K, mean over the batch: 0 where the
            teacher collapsed to saying nothing.
        variety: entropy of the teacher's mean output / log K: 0 where it collapsed to always
            saying the same.
    """

    loss: Tensor
    certainty: Tensor
    variety: Tensor


class SelfDistillation(nn.Module):
    """A student learns to say of small crops what its own moving average says of large ones.

        teacher:  P_t = softmax((y_t - c) / tau_t)         sharpened by tau_t, centred by c
        student:  P_s = softmax(y_s / tau_s)
        L = mean over views u != v of  -sum_k P_t(u)_k log P_s(v)_k
        theta_t <- m theta_t + (1 - m) theta_s;   c <- m_c c + (1 - m_c) mean(y_t)

    Figure 2 and algorithm 1. Centring alone would end in uniform outputs, sharpening alone in one
    prototype; together they keep from both.

    Args:
        backbone: what is trained; its ``extract`` takes images of any crop's size.
        hidden_dim: width of the head's hidden layers.
        bottleneck_dim: width of what is compared with the prototypes.
        num_prototypes: K.
        student_temperature: tau_s.
        centre_momentum: m_c.
    """

    centre: Tensor

    def __init__(
        self,
        backbone: Backbone,
        *,
        hidden_dim: int = 256,
        bottleneck_dim: int = 64,
        num_prototypes: int = 1024,
        student_temperature: float = 0.1,
        centre_momentum: float = 0.9,
    ) -> None:
        super().__init__()
        head = Head(
            backbone.feature_dim,
            hidden_dim=hidden_dim,
            bottleneck_dim=bottleneck_dim,
            num_prototypes=num_prototypes,
        )
        self.student = nn.ModuleDict({"backbone": backbone, "head": head})
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.student_temperature = student_temperature
        self.centre_momentum = centre_momentum
        self.register_buffer("centre", torch.zeros(num_prototypes))

    @property
    def backbone(self) -> Backbone:
        """The teacher's backbone, which is the better one and the result (section 5.1)."""
        backbone = self.teacher["backbone"]
        assert isinstance(backbone, Backbone)
        return backbone

    def forward(self, crops: Crops, teacher_temperature: float) -> DistillationOutcome:
        """Return the loss on crops; in training mode the centre moves.

        Args:
            crops: views of B frames.
            teacher_temperature: tau_t.
        """
        with torch.no_grad():
            similarities = _outputs(self.teacher, crops.large)
            targets = torch.softmax((similarities - self.centre) / teacher_temperature, dim=-1)
            if self.training:
                self.centre.lerp_(similarities.mean((0, 1)), 1 - self.centre_momentum)
        outputs = [_outputs(self.student, views) for views in crops]
        log_predictions = torch.log_softmax(torch.cat(outputs) / self.student_temperature, dim=-1)
        largest = math.log(len(self.centre))
        return DistillationOutcome(
            cross_view_entropy(targets, log_predictions),
            1 - _entropy(targets).mean() / largest,
            _entropy(targets.mean((0, 1))) / largest,
        )

    @torch.no_grad()
    def update_teacher(self, momentum: float) -> None:
        """Move the teacher's weights towards the student's."""
        pairs = zip(self.teacher.parameters(), self.student.parameters(), strict=True)
        for teacher, student in pairs:
            teacher.lerp_(student, 1 - momentum)


def cross_view_entropy(targets: Tensor, log_predictions: Tensor) -> Tensor:
    """Mean cross-entropy over all pairs of a target's view and *another* view.

    Args:
        targets: probabilities (G, B, K) of the first G views.
        log_predictions: (V, B, K) of all V views, in the same order, V at least 2.

    Returns:
        A scalar.
    """
    pairs = -torch.einsum("gbk,vbk->gv", targets, log_predictions) / targets.shape[1]
    same = torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
    return pairs[~same].mean()


def _outputs(network: nn.ModuleDict, views: Tensor) -> Tensor:
    """Map views (V, B, 3, S, S) in [0, 1] to similarities (V, B, K)."""
    backbone = network["backbone"]
    assert isinstance(backbone, Backbone)
    images = (views.flatten(0, 1) - backbone.mean) / backbone.std
    similarities: Tensor = network["head"](backbone.extract(images))
    return torch.unflatten(similarities.float(), 0, views.shape[:2])


def _entropy(probabilities: Tensor) -> Tensor:
    entropy: Tensor = torch.special.entr(probabilities).sum(dim=-1)
    return entropy
