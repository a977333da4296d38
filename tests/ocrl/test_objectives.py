from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ocrl import UsageError
from ocrl.objectives import (
    feature_reconstruction,
    flat_mixture_likelihood,
    label_error,
    slot_slot_contrast,
    structural_dissimilarity,
    temporal_similarity,
    temporal_similarity_target,
)


def unit(vector: torch.Tensor) -> torch.Tensor:
    return vector / vector.norm()


def test_reconstruction_is_the_mean_over_everything():
    assert feature_reconstruction(torch.zeros(2, 3, 4), torch.full((2, 3, 4), 3.0)) == 9


@given(seed=st.integers(0, 1000), batch=st.integers(1, 3), frames=st.integers(2, 3))
def test_contrast_slot_by_slot(seed, batch, frames):
    torch.manual_seed(seed)
    slots = torch.randn(batch, frames, 2, 3)
    pairs = [(b, k) for b in range(batch) for k in range(2)]
    terms = []
    for t in range(frames - 1):
        for later in pairs:
            found = unit(slots[later[0], t + 1, later[1]])
            scores = {p: math.exp(unit(slots[p[0], t, p[1]]) @ found / 0.1) for p in pairs}
            terms.append(-math.log(scores[later] / sum(scores.values())))
    assert slot_slot_contrast(slots, 0.1).item() == pytest.approx(sum(terms) / len(terms), abs=1e-4)


def test_label_error_cell_by_cell():
    torch.manual_seed(0)
    probabilities = torch.rand(2, 3, 4, 2, 5).softmax(dim=2)
    labels, where = torch.randint(4, (2, 3, 2, 5)), torch.rand(2, 3, 2, 5) < 0.4
    terms = [
        (probabilities[b, t, k, y, x].item() - (k == labels[b, t, y, x]).item()) ** 2
        for b, t, y, x in where.nonzero().tolist()
        for k in range(4)
    ]
    error = label_error(probabilities, labels, where)
    assert error.item() == pytest.approx(sum(terms) / len(terms))
    assert label_error(probabilities, labels, torch.zeros_like(where)) == 0


def test_contrast_is_small_for_slots_that_stay_and_large_for_slots_that_swap():
    slots = torch.eye(4).expand(1, 2, 4, 4)
    swapped = torch.stack([torch.eye(4), torch.eye(4).roll(1, 0)]).unsqueeze(0)
    assert slot_slot_contrast(slots) < 1e-3
    assert slot_slot_contrast(swapped) > 9


def test_contrast_compares_over_the_batch():
    twins = torch.eye(4).expand(2, 2, 4, 4)
    assert slot_slot_contrast(twins).item() == pytest.approx(math.log(2), abs=1e-3)


def test_similarity_patch_by_patch():
    torch.manual_seed(0)
    keys = torch.randn(1, 2, 4, 3)
    target = temporal_similarity_target(keys, 0.25)
    for n in range(4):
        scores = [(unit(keys[0, 0, n]) @ unit(keys[0, 1, m])).item() for m in range(4)]
        weights = [math.exp(score / 0.25) if score >= 0 else 0.0 for score in scores]
        expected = [weight / sum(weights) for weight in weights]
        assert target[0, 0, n].tolist() == pytest.approx(expected, abs=1e-5)


def test_a_patch_that_resembles_none_is_uniform():
    keys = torch.stack([torch.ones(3, 2), -torch.ones(3, 2)]).unsqueeze(0)
    torch.testing.assert_close(
        temporal_similarity_target(keys, 0.1), torch.full((1, 1, 3, 3), 1 / 3)
    )


def test_similarity_is_cross_entropy():
    logits, target = torch.randn(2, 1, 3, 3), torch.rand(2, 1, 3, 3).softmax(-1)
    rows = [
        torch.nn.functional.cross_entropy(row, goal)
        for row, goal in zip(logits.view(-1, 3), target.view(-1, 3), strict=True)
    ]
    torch.testing.assert_close(temporal_similarity(logits, target), torch.stack(rows).mean())


def test_the_target_passes_no_gradient():
    keys = torch.randn(1, 2, 3, 4, requires_grad=True)
    assert not temporal_similarity_target(keys, 0.1).requires_grad


def test_mixture_token_by_token():
    torch.manual_seed(0)
    target, constants = torch.randn(2, 5, 3), torch.randn(2, 4, 3)
    masks = torch.randn(2, 4, 5).softmax(dim=1)
    terms = []
    for b in range(2):
        for n in range(5):
            density = sum(
                masks[b, k, n]
                * math.exp(-(target[b, n] - constants[b, k]).pow(2).sum() / (2 * 0.49))
                for k in range(4)
            )
            terms.append(-math.log(density))
    actual = flat_mixture_likelihood(target, masks, constants, 0.7).item()
    assert actual == pytest.approx(sum(terms) / 10, abs=1e-5)


def test_a_mask_of_zero_keeps_the_likelihood_and_its_gradient_finite():
    masks = torch.tensor([[[1.0], [0.0]]], requires_grad=True)
    loss = flat_mixture_likelihood(torch.zeros(1, 1, 2), masks, torch.ones(1, 2, 2), 0.5)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(masks.grad).all()


@pytest.mark.parametrize("frames", [1, 2, 4])
def test_structural_dissimilarity_window_by_window(frames):
    videos = torch.rand(2, 2, frames, 4, 5, 3, dtype=torch.float64) * 7 - 2
    size = (3 if frames >= 3 else 1, 3, 3)
    weights = torch.ones(1, dtype=torch.float64)
    for length in size:
        line = torch.arange(length) - length // 2
        weights = torch.outer(weights, torch.exp(-(line**2) / 4.5)).flatten()
    weights = weights / weights.sum()
    terms = []
    for y, h in videos:
        low, high = min(y.min(), h.min()), max(y.max(), h.max())
        y, h = ((x - low) / (high - low) for x in (y, h))
        for t, i, j in torch.cartesian_prod(
            *(torch.arange(n - s + 1) for n, s in zip((frames, 4, 5), size, strict=True))
        ).tolist():
            block = (slice(t, t + size[0]), slice(i, i + 3), slice(j, j + 3))
            for c in range(3):
                a, b = y[block][..., c].flatten(), h[block][..., c].flatten()
                covariance = torch.cov(torch.stack([a, b]), correction=0, aweights=weights)
                means = (weights @ a, weights @ b)
                terms.append(
                    (2 * means[0] * means[1] + 1e-4)
                    / (means[0] ** 2 + means[1] ** 2 + 1e-4)
                    * (2 * covariance[0, 1] + 9e-4)
                    / (covariance[0, 0] + covariance[1, 1] + 9e-4)
                )
    actual = structural_dissimilarity(*(x.flatten(2, 3) for x in videos.unbind(1)), (4, 5))
    assert actual.item() == pytest.approx(1 - torch.stack(terms).mean().item(), abs=1e-5)
    same = structural_dissimilarity(*[videos[:, 0].flatten(2, 3)] * 2, (4, 5))
    assert same.item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("objective", [slot_slot_contrast, temporal_similarity_target])
def test_clips_of_one_frame_are_refused(objective):
    with pytest.raises(UsageError, match="2 frames or more"):
        objective(torch.randn(2, 1, 3, 4), 0.1)
