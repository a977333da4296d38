"""What every encoder owes to wrappers and policies, whatever it is made of."""

from __future__ import annotations

import copy
from pathlib import Path

import hydra
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import ocrl
from ocrl import Encoder, UsageError
from ocrl.encoder import TrainableEncoder
from ocrl.encoders.attention_masks import AttentionMasks
from ocrl_studies.composition import find_configs

# What has no objective of its own is tested elsewhere.
WITHOUT_OBJECTIVE = {"cnn", "custom", "ground_truth", "shuffled", "slotcontrast_positions"}
FILES = (Path(ocrl.__file__).parents[1] / "configs/encoder").glob("*")
# The same functions with larger numbers: test_published_sizes.py builds them.
LARGE = {f"{name}_published" for name in ("iodine", "mae", "monet", "savi", "slate", "steve")}
LARGE |= {"savi_medium", "savi_large", "slate_large"}
NAMES = sorted({path.stem for path in FILES} - WITHOUT_OBJECTIVE - LARGE)
# Large systems are tested small, and no pretrained backbone is fetched.
SMALL_VIT = [
    "encoder.pretrained=false",
    "encoder.slot_dim=16",
    "encoder.image_size=[56, 56]",
    "+encoder.model.backbone_options={embed_dim: 24, num_heads: 2, depth: 2}",
]
SMALL_DECODER = ["encoder.model.decoder_dims=[8, 8, 8, 8]"]
OVERRIDES = {
    "savi": SMALL_DECODER,
    "slot_attention": SMALL_DECODER,
    "slot_attention_resnet": ["encoder.image_size=[32, 32]", *SMALL_DECODER],
    "slotcontrast_dinov2": SMALL_VIT,
    "slotcurri_dinov2": SMALL_VIT,
    "ssync_dinov2": SMALL_VIT,
    "dinosaur": [*SMALL_VIT, "encoder.model.decoder_dims=[64, 64]"],
    "dinosaur_autoregressive": SMALL_VIT,
    "iodine": ["encoder.image_size=[32, 32]"],
    "videosaur": [*SMALL_VIT, "encoder.image_size=[64, 64]"],
    "scalor_station": ["encoder.image_size=[64, 64]", "encoder.model.width=0.25"],
    "space": ["encoder.image_size=[32, 32]"],
    "space_rooms": ["encoder.image_size=[32, 32]", "encoder.model.width=0.25"],
    "spair": ["encoder.model.cut_steps=0"],
    "spair_published": ["encoder.model.cut_steps=0"],
}
# These refine what they find by decoding it.
DECODING = {"iodine"}
# These segment a whole video forward and back: what they know of its end is in its beginning.
BACK = {"slotcurri", "slotcurri_dinov2"}
# These start every frame afresh: there is nothing to restart.
AFRESH = {
    "air",
    "air_tutorial",
    "dinosaur",
    "dinosaur_autoregressive",
    "dinosaur_small",
    "slate",
    "slot_attention",
    "slot_attention_resnet",
    "slot_attention_small",
    "slotcontrast",
    "slotcontrast_fine",
    "slotcontrast_features",
    "space",
    "space_rooms",
    "spair",
    "spair_published",
    "untrained",
}
# Group normalisation of flat glimpses amplifies the rounding noise of single images and batches.
ROUNDING = {"scalor": 3e-4, "scalor_station": 1e-2}


def composed(name: str) -> DictConfig:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        overrides = [f"+encoder={name}", *OVERRIDES.get(name, [])]
        config: DictConfig = compose(overrides=overrides).encoder
    return config


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def built(name: str) -> TrainableEncoder:
    config = composed(name)
    assert config.name == name
    torch.manual_seed(0)
    encoder = hydra.utils.instantiate(config.model)
    # Without this, position codes and initial slots are near zero, and errors in them invisible.
    for parameter in encoder.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return encoder


@pytest.fixture
def encoder(built: TrainableEncoder) -> TrainableEncoder:
    return copy.deepcopy(built).eval()


def clips(encoder: Encoder, batch_size: int, num_frames: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch_size, num_frames, *encoder.image_size, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def close(actual: torch.Tensor | None, expected: torch.Tensor | None, atol: float = 3e-5) -> None:
    if expected is None:
        assert actual is None
    else:
        torch.testing.assert_close(actual, expected, atol=atol, rtol=1e-4)


@torch.inference_mode()
def test_shapes(encoder):
    output = encoder.encode_video(clips(encoder, 2, 3))
    assert output.tokens.shape == (2, 3, encoder.num_tokens, encoder.token_dim)
    if output.masks is not None:
        assert output.masks.shape[:2] == (2, 3)
        assert output.masks.shape[2] in (encoder.num_tokens, encoder.num_tokens + 1)
        assert output.masks.min() >= 0
        close(output.masks.sum(dim=2), torch.ones_like(output.masks.sum(dim=2)))
    state = encoder.initial_state(2)
    assert (state is None) == (output.state is None)
    if state is not None:
        assert state.shape == output.state.shape
        assert state.shape[:2] == (2, encoder.num_tokens)


@torch.inference_mode()
def test_a_video_is_its_frames_one_by_one(encoder):
    videos = clips(encoder, 2, 4)
    whole, stepped = encoder.encode_video(videos), Encoder.encode_video(encoder, videos)
    close(whole.tokens, stepped.tokens)
    close(whole.masks, stepped.masks)
    close(whole.state, stepped.state)


@torch.inference_mode()
def test_a_video_goes_on_from_the_state_it_is_given(encoder):
    videos = clips(encoder, 2, 4)
    whole = encoder.encode_video(videos)
    rest = encoder.encode_video(videos[:, 2:], encoder.encode_video(videos[:, :2]).state)
    if whole.state is not None:
        close(rest.tokens, whole.tokens[:, 2:])
        close(rest.state, whole.state)


@torch.inference_mode()
def test_masks_of_its_own_are_other_than_where_tokens_look(encoder):
    batch = {"video": clips(encoder, 2, 2)}
    masks, attention = encoder.segment(batch), AttentionMasks(encoder).segment(batch)
    decoded = encoder.reconstruct(batch)
    if encoder.has_decoder_masks:
        assert masks.shape != attention.shape or not torch.allclose(masks, attention)
        close(decoded.masks, masks)
    elif masks is not None:
        close(masks, attention)
    assert decoded.reconstruction.shape[:2] == (2, 2)


@torch.inference_mode()
def test_a_video_is_segmented_as_its_frames_one_by_one(encoder, name):
    videos = clips(encoder, 2, 3)
    state, masks = encoder.initial_state(2), []
    for t in range(3):
        is_first = torch.full((2,), t == 0)
        output = encoder.segment_step(videos[:, t], state, is_first)
        close(output.tokens, encoder.step(videos[:, t], state, is_first).tokens)
        state = output.state
        masks.append(output.masks)
    whole = encoder.segment({"video": videos})
    if name in BACK:
        close(masks[-1], whole[:, -1])
        assert not torch.allclose(masks[0], whole[:, 0], atol=1e-4)
    else:
        close(None if masks[0] is None else torch.stack(masks, dim=1), whole)


@torch.inference_mode()
def test_is_first_restarts_its_row_and_no_other(encoder, name):
    before, frame = clips(encoder, 3, 2), clips(encoder, 3, 1, seed=1)[:, 0]
    state = encoder.encode_video(before).state
    mixed = encoder.step(frame, state, torch.tensor([False, True, False]))
    running = encoder.step(frame, state, torch.zeros(3, dtype=torch.bool))
    fresh = encoder.step(frame, encoder.initial_state(3), torch.ones(3, dtype=torch.bool))
    for part in ("tokens", "masks", "state"):
        if getattr(mixed, part) is not None:
            close(getattr(mixed, part)[1], getattr(fresh, part)[1])
            close(getattr(mixed, part)[[0, 2]], getattr(running, part)[[0, 2]])
    if state is not None and name not in AFRESH:
        assert not torch.allclose(running.tokens[1], fresh.tokens[1], atol=1e-3)


@torch.inference_mode()
def test_a_batch_is_its_single_videos(encoder, name):
    videos = clips(encoder, 3, 2)
    batch = encoder.encode_video(videos)
    for row in range(3):
        single = encoder.encode_video(videos[row : row + 1])
        close(single.tokens[0], batch.tokens[row], atol=ROUNDING.get(name, 3e-5))


@torch.inference_mode()
def test_frames_and_state_go_in_unchanged_and_the_same_come_out(encoder):
    frames = clips(encoder, 2, 1)[:, 0]
    state = encoder.encode_video(clips(encoder, 2, 2, seed=1)).state
    kept = None if state is None else state.clone()
    is_first = torch.tensor([True, False])
    first, second = (encoder.step(frames, state, is_first) for _ in range(2))
    assert torch.equal(first.tokens, second.tokens)
    if state is not None:
        assert torch.equal(state, kept)


@torch.inference_mode()
def test_step_needs_no_decoder_and_no_background(encoder, name):
    if name in DECODING:
        pytest.skip("it refines what it finds by decoding it")
    unused = [part for part in ("decoder", "background") if hasattr(encoder, part)]
    assert unused
    for part in unused:
        delattr(encoder, part)
    encoder.encode_video(clips(encoder, 1, 2))
    with pytest.raises(AttributeError):
        encoder.losses({"video": clips(encoder, 1, 2)})


def test_losses_reach_every_weight_that_is_trained(encoder):
    encoder.train()
    losses = encoder.losses({"video": clips(encoder, 2, 3)})
    assert losses.keys() == encoder.loss_weights.keys()
    assert all(value.shape == () and torch.isfinite(value) for value in losses.values())
    encoder.total_loss(losses).backward()
    for name, parameter in encoder.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_training_lowers_the_loss(encoder):
    encoder.train()
    videos = clips(encoder, 2, 2) // 8
    optimizer = torch.optim.Adam([p for p in encoder.parameters() if p.requires_grad], lr=1e-3)
    values = []
    for _ in range(6):
        torch.manual_seed(0)  # the same noise: what is left is what was learned
        loss = encoder.total_loss(encoder.losses({"video": videos}))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < values[0]


@pytest.mark.parametrize("change", ["dtype", "size", "channels"])
def test_frames_of_another_kind_are_refused_in_one_line(encoder, change):
    frames = clips(encoder, 1, 1)[:, 0]
    wrong = {"dtype": frames.float(), "size": frames[:, 1:], "channels": frames[..., :2]}[change]
    with pytest.raises(UsageError, match="takes uint8 frames") as caught:
        encoder.step(wrong, encoder.initial_state(1), torch.ones(1, dtype=torch.bool))
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="takes uint8 frames"):
        encoder.losses({"video": wrong.unsqueeze(1)})


@torch.no_grad()
def test_a_saved_encoder_is_the_same_encoder(encoder, name, tmp_path):
    model = OmegaConf.to_container(composed(name).model, resolve=True)
    ocrl.save_encoder(tmp_path / "encoder.safetensors", encoder, model)
    loaded = ocrl.load_encoder(tmp_path / "encoder.safetensors")
    videos = clips(encoder, 2, 2)
    assert torch.equal(loaded.encode_video(videos).tokens, encoder.encode_video(videos).tokens)
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
