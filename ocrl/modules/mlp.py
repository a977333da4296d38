"""Multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Module):
    """Linear layers with ReLU between them.

    With ``layer_norm`` it is the map from backbone features to slot attention's inputs (DINOSAUR,
    arXiv 2209.14860, appendix); with ``residual`` too, the one that ends an iteration of slot
    attention (arXiv 2006.15055, algorithm 1).

    >>> import torch
    >>> MLP(8, [16], 4, layer_norm=True)(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 4])

    Args:
        in_dim: width of the input.
        hidden_dims: widths in between.
        out_dim: width of the output.
        layer_norm: normalise the input first.
        residual: add the input to the output; the two must be equally wide.
        final_activation: end with a ReLU.
    """

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        out_dim: int,
        *,
        layer_norm: bool = False,
        residual: bool = False,
        final_activation: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        layers: list[nn.Module] = [nn.LayerNorm(in_dim)] if layer_norm else []
        widths = [in_dim, *hidden_dims, out_dim]
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*(layers if final_activation else layers[:-1]))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (..., in_dim) to (..., out_dim)."""
        outputs: Tensor = self.layers(inputs)
        return inputs + outputs if self.residual else outputs
