"""The objective beyond the published one: parity with that is in test_slotcontrast_parity."""

from __future__ import annotations

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from ocrl import UsageError
from ocrl.encoders import SlotContrast
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl.modules.initializers import LearnedInitializer
from ocrl_studies.composition import find_configs


def make(*overrides: str) -> SlotContrast:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        config = compose(overrides=["+encoder=slotcontrast", "encoder.num_slots=3", *overrides])
    torch.manual_seed(0)
    encoder: SlotContrast = instantiate(config.encoder.model)
    return encoder.eval()


def videos(num_frames: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (2, num_frames, 64, 64, 3)
    noise = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    # Later frames are darker: frames of noise alone have nearly the same losses.
    return noise // torch.arange(1, num_frames + 1, dtype=torch.uint8).view(-1, 1, 1, 1)


@torch.inference_mode()
def test_a_frame_of_the_default_has_the_same_slots_wherever_it_stands():
    encoder = make()
    clip = videos()
    alone = encoder.encode_video(clip[:, 2:]).tokens[:, 0]
    torch.testing.assert_close(encoder.encode_video(clip).tokens[:, 2], alone)
    assert not torch.allclose(encoder.encode_video(clip).tokens[:, 1], alone)


def test_gradients_of_the_contrast_reach_slots_through_every_frame():
    encoder = make()
    clip = videos()
    encoder.losses({"video": clip})["slot_contrast"].backward()
    start = encoder.recurrence.initializer.slots
    assert start.grad is not None
    assert start.grad.abs().max() > 0


def test_scores_and_pictures_are_of_the_decoder_s_masks():
    encoder = make()
    decoded = encoder.reconstruct({"video": videos()})
    assert torch.equal(encoder.segment({"video": videos()}), decoded.masks)
    assert decoded.masks.shape == (2, 3, 3, 16, 16)
    assert encoder.target.to_images(decoded.reconstruction).shape == (2, 3, 16, 16, 3)


@torch.inference_mode()
def test_where_slots_look_can_be_scored_in_place_of_what_a_decoder_draws():
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        config = compose(overrides=["+encoder=slotcontrast_vit"])
    encoder = instantiate(config.encoder.model).eval()
    masks = AttentionMasks(encoder).segment({"video": videos()})
    state = encoder.initial_state(2)
    for t in range(3):
        output = encoder.step(videos()[:, t], state, torch.full((2,), t == 0))
        state = output.state
        torch.testing.assert_close(masks[:, t], output.masks, atol=1e-5, rtol=0)
    assert not torch.allclose(masks, encoder.segment({"video": videos()}), atol=1e-3)


def test_clips_of_one_frame_are_refused():
    with pytest.raises(UsageError, match="2 frames or more"):
        make().losses({"video": videos(num_frames=1)})


def test_slots_of_different_widths_are_refused():
    encoder = make()
    wide = LearnedInitializer(3, 65)
    parts = (encoder.recurrence.corrector, encoder.recurrence.predictor)
    with pytest.raises(UsageError, match="same slot_dim"):
        SlotContrast(
            encoder.backbone, encoder.projection, wide, *parts, encoder.decoder, encoder.target
        )
