from __future__ import annotations

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from ocrl import UsageError
from ocrl.encoders import SAVi
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl_studies.composition import find_configs

BOXES = "encoder.model.boxes=true"
FLOW = "encoder.model.flow=true"


def make(*overrides: str) -> SAVi:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        small = "encoder.model.decoder_dims=[4, 4, 4, 4]"
        config = compose(overrides=["+encoder=savi", "encoder.num_slots=3", small, *overrides])
    torch.manual_seed(0)
    encoder: SAVi = instantiate(config.encoder.model)
    return encoder.eval()


def videos(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (2, 2, 64, 64, 3), dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def test_slots_follow_the_boxes_they_are_given():
    encoder = make(BOXES)
    boxes = torch.tensor([[[0.1, 0.1, 0.3, 0.4], [0.5, 0.5, 0.9, 0.8], [0.0] * 4]]).expand(
        2, -1, -1
    )
    order = torch.tensor([1, 2, 0])
    running = torch.zeros(2, dtype=torch.bool)
    plain, permuted = (
        encoder.step(videos()[:, 0], encoder.first_state({"boxes": chosen}), running).tokens
        for chosen in (boxes, boxes[:, order])
    )
    torch.testing.assert_close(permuted, plain[:, order])
    assert not torch.allclose(plain[:, 0], plain[:, 1], atol=1e-3)


def losses(encoder: SAVi, boxes: torch.Tensor, flow: torch.Tensor) -> dict[str, torch.Tensor]:
    return encoder.losses({"video": videos(), "boxes": boxes, "flow": flow})


def test_boxes_and_flow_change_the_objective():
    encoder = make(BOXES, FLOW)
    boxes = torch.rand(2, 3, 4)
    plain = losses(encoder, boxes, videos())["reconstruction"]
    plain.backward()
    assert all(p.grad is not None for p in encoder.parameters())
    assert losses(encoder, boxes.flip(0), videos())["reconstruction"] != plain
    assert losses(encoder, boxes, videos(1))["reconstruction"] != plain


def test_what_it_asks_for():
    assert make().asks_for == ()
    assert make(BOXES).asks_for == ("boxes",)
    assert make(FLOW).asks_for == ("flow",)
    assert make(BOXES, FLOW).asks_for == ("boxes", "flow")
    assert make().first_state({"video": videos(), "boxes": torch.rand(2, 3, 4)}) is None


@torch.inference_mode()
def test_video_equals_stream_from_boxes():
    encoder = make(BOXES, FLOW)
    boxes, frames = torch.rand(2, 3, 4), videos()
    state, running = encoder.first_state({"boxes": boxes}), torch.zeros(2, dtype=torch.bool)
    outputs = []
    for t in range(2):
        outputs.append(encoder.step(frames[:, t], state, running))
        state = outputs[-1].state
    video = encoder.encode_video(frames, encoder.first_state({"boxes": boxes}))
    torch.testing.assert_close(video.tokens, torch.stack([o.tokens for o in outputs], 1))
    torch.testing.assert_close(video.masks, torch.stack([o.masks for o in outputs], 1))
    torch.testing.assert_close(video.state, state)
    attention = AttentionMasks(encoder)
    assert attention.asks_for == encoder.asks_for
    torch.testing.assert_close(attention.segment({"video": frames, "boxes": boxes}), video.masks)
    decoded = encoder.reconstruct({"video": frames, "boxes": boxes, "flow": videos(1)})
    assert torch.equal(decoded.target, encoder.target(videos(1), frames))
    torch.testing.assert_close(encoder.segment({"video": frames, "boxes": boxes}), decoded.masks)


@torch.inference_mode()
def test_slots_without_an_object_are_one_segment():
    encoder, frames = make(BOXES), videos()
    boxes = torch.tensor([[0.0] * 4, [0.2, 0.3, 0.8, 0.9], [0.0] * 4]).expand(2, 3, 4)
    batch = {"video": frames, "boxes": boxes}
    masks, drawn = encoder.segment(batch), encoder.reconstruct(batch)
    assert (masks[:, :, 2] == 0).all()
    torch.testing.assert_close(masks[:, :, 0], drawn.masks[:, :, 0] + drawn.masks[:, :, 2])
    torch.testing.assert_close(masks[:, :, 1], drawn.masks[:, :, 1])
    state, running = encoder.first_state({"boxes": boxes}), torch.zeros(2, dtype=torch.bool)
    for t in range(2):
        output = encoder.segment_step(frames[:, t], state, running)
        torch.testing.assert_close(output.masks, masks[:, t])
        state = output.state


@torch.inference_mode()
def test_the_error_is_summed_over_a_clip():
    encoder = make()
    decoded = encoder.reconstruct({"video": videos()})
    expected = (decoded.reconstruction - decoded.target).square().sum() / 2
    torch.testing.assert_close(encoder.losses({"video": videos()})["reconstruction"], expected)


def test_boxes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match=r"expected \(B, 3, 4\)"):
        make(BOXES).first_state({"boxes": torch.rand(2, 4, 4)})
    with pytest.raises(UsageError, match="was given none"):
        make(BOXES).segment({"video": videos()})
