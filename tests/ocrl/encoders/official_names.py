"""Parameter names of the official code in ours."""

from __future__ import annotations

from torch import Tensor, nn

PREFIXES = {
    "initializer.": "recurrence.initializer.",
    "encoder.module.backbone.model.": "backbone.model.",
    "encoder.module.output_transform.": "projection.",
    "processor.module.corrector.": "recurrence.corrector.",
    "processor.module.predictor.": "recurrence.predictor.",
    "decoder.module.": "decoder.",
}


def rename(key: str) -> str:
    old = next(prefix for prefix in PREFIXES if key.startswith(prefix))
    return PREFIXES[old] + key.removeprefix(old)


def renamed(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {rename(key): value.float() for key, value in tensors.items()}


def fill(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Load golden weights; an initialiser's noise and where training is are ours alone."""
    missing, extra = module.load_state_dict(renamed(tensors), strict=False)
    assert extra == []
    ours = ("eval_noise", "step", "errors", "directions")
    assert set(missing) <= {"trained_steps", *(f"recurrence.initializer.{name}" for name in ours)}


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {key: p.grad for key, p in module.named_parameters() if p.grad is not None}
