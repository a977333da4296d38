"""Probes: small networks that read facts from frozen tokens; two are what policies read with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ocrl_agents.extractors import MLPExtractor, TransformerExtractor
from ocrl_agents.token_extractor import Observations, TokenExtractor
from ocrl_studies.probes.sightings import Sightings
from ocrl_studies.probes.targets import Targets


class ProbeSettings(NamedTuple):
    """How a probe is trained.

    Attributes:
        num_steps: of AdamW; each fact is read where it was read best in frames that were held out.
        batch_size: frames of a step.
        learning_rate: of AdamW.
        weight_decay: likewise.
        dim: width of the networks.
    """

    num_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    dim: int


class FlatExtractor(TokenExtractor):
    """All tokens in a row, standardised and otherwise as they are: a head on them is linear."""

    def __init__(self, space: gym.Space[object]) -> None:
        super().__init__(space, dim=1)
        assert space.shape is not None
        self._features_dim = space.shape[0] * space.shape[1]

    def forward(self, observations: Observations) -> Tensor:
        """Return tokens (B, K, D) as (B, K * D)."""
        assert isinstance(observations, Tensor)
        flat: Tensor = self.standardisers[0](observations).flatten(1)
        return flat


PROBES: Mapping[str, Callable[[gym.Space[object], int], TokenExtractor]] = {
    "linear": lambda space, dim: FlatExtractor(space),
    "mlp": lambda space, dim: MLPExtractor(space, dim=dim, hidden_dim=2 * dim),
    "transformer": lambda space, dim: TransformerExtractor(space, dim=dim, depth=2),
}
"""A space of tokens and a width in, what makes features of such tokens out."""

HELD_OUT = 8
"""Every so manyth episode is held out of training, to know when a fact is read best."""
CHECKED = 50
"""So many steps lie between two looks at them."""


def read_facts(
    probe: str, encoder: str, train: Sightings, test: Sightings, settings: ProbeSettings
) -> dict[str, NDArray[np.float32]]:
    """Train a probe on what was seen, and return what it reads elsewhere.

    Args:
        probe: one of `PROBES`.
        encoder: whose tokens are read.
        train: frames to learn from.
        test: frames to read.
        settings: how.

    Returns:
        Predictions (M, C) for each fact, see `Targets`.
    """
    targets = Targets(train.facts)
    tokens, truths = train.tokens[encoder], targets.tensors(train.facts)
    space = gym.spaces.Box(-np.inf, np.inf, tuple(tokens.shape[1:]), np.float32)
    extractor = PROBES[probe](space, settings.dim)
    head = nn.Linear(extractor.features_dim, sum(targets.widths.values()))
    nn.init.zeros_(head.weight)  # what is not learned is said as the mean
    nn.init.zeros_(head.bias)
    network = nn.Sequential(extractor, head)
    is_held_out = torch.from_numpy(train.episode % HELD_OUT == 0)
    held_out, used = is_held_out.nonzero()[:, 0], (~is_held_out).nonzero()[:, 0]
    extractor.calibrate(tokens[used])
    optimizer = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )

    def errors(frames: Tensor) -> dict[str, Tensor]:
        wanted = {name: truth[frames] for name, truth in truths.items()}
        return targets.errors(network(tokens[frames]), wanted)

    best = dict.fromkeys(targets.widths, float("inf"))
    read: dict[str, NDArray[np.float32]] = {}
    for step in range(settings.num_steps + 1):
        if step % CHECKED == 0 or step == settings.num_steps:
            with torch.no_grad():
                now = {name: float(error) for name, error in errors(held_out).items()}
                outputs = torch.cat(
                    [network(part) for part in torch.split(test.tokens[encoder], 1024)]
                )
            better = {name for name, error in now.items() if error < best[name]}
            best |= {name: now[name] for name in better}
            said = targets.predictions(outputs)
            read |= {name: said[name] for name in better}
        drawn = used[torch.randint(len(used), (settings.batch_size,))]
        loss = torch.stack(list(errors(drawn).values())).mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return read
