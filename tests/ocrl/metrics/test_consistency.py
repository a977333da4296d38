"""Scores without ground truth, against brute force and cases whose answer is known."""

from itertools import pairwise

import hydra
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate

from ocrl.encoders.block_masks import BlockMasks
from ocrl.metrics.consistency import mask_persistence, score_without_truth, slot_persistence
from ocrl_studies.composition import find_configs


def test_slot_persistence_equals_brute_force():
    tokens = torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    hits = []
    for video in tokens:
        for here, there in pairwise(video):
            for k, slot in enumerate(here):
                cosines = [torch.cosine_similarity(slot, other, dim=0) for other in there]
                hits.append(int(torch.stack(cosines).argmax()) == k)
    assert slot_persistence(tokens).item() == pytest.approx(sum(hits) / len(hits))


def test_mask_persistence_equals_brute_force():
    masks = torch.rand(2, 3, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    overlaps = []
    for video in masks.argmax(2):
        for here, there in pairwise(video):
            for k in range(4):
                a, b = here == k, there == k
                if (a | b).any():
                    overlaps.append((a & b).sum() / (a | b).sum())
    assert mask_persistence(masks).item() == pytest.approx(torch.stack(overlaps).mean().item())


def test_blocks_stay_where_they_are_and_explain_nothing():
    video = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8)
    scores = score_without_truth(BlockMasks(), [{"video": video}] * 2)
    assert scores["mask_persistence"] == 1.0
    assert "unexplained" not in scores


def test_a_perfect_reconstruction_leaves_nothing_unexplained(monkeypatch):
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(find_configs()), version_base="1.3"):
        encoder = instantiate(hydra.compose("pretrain_slots").encoder.model)
    video = torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8)
    clips = [{"video": video}] * 3
    assert score_without_truth(encoder, clips)["unexplained"] > 0.5
    whole = encoder.reconstruct

    def perfect(batch):
        decoded = whole(batch)
        return decoded._replace(reconstruction=decoded.target)

    monkeypatch.setattr(encoder, "reconstruct", perfect)
    assert score_without_truth(encoder, clips)["unexplained"] == 0
