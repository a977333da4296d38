"""See an agent see: frames, where its slots are, and which of them its policy looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.preprocessing import preprocess_obs
from stable_baselines3.common.vec_env import VecEnv, unwrap_vec_wrapper
from torch import Tensor
from tqdm import tqdm

from ocrl.errors import UsageError
from ocrl.visualization import Image, enlarge, image_grid, segmentation_video
from ocrl.visualization.titles import with_title
from ocrl.wrappers.token_stream import TokenStream
from ocrl_agents.evaluation import actor_of, undisturbed
from ocrl_agents.extractors import TransformerExtractor
from ocrl_agents.finetuning import EncoderExtractor, VecFrameObservation
from ocrl_agents.vec_env import VecSlotObservation, set_seeds


def film(
    policy: ActorCriticPolicy,
    venv: VecEnv,
    seed: int,
    *,
    options: Mapping[str, Any] | None = None,
    num_steps: int = 900,
    deterministic: bool = False,
    height: int = 128,
    progress: bool = False,
) -> Image:
    """Play one episode and draw side by side what there is to see.

    From left to right: the frame, the segments of the slots, the frame lit where the policy looks,
    and what the environment renders, if it does. Encoders without masks have the first and the
    last alone, agents without an encoder the last.

    Args:
        policy: the agent.
        venv: environments that show the policy what it reads, used for nothing else; the first of
            them is filmed.
        seed: of the episode.
        options: reset options of the episode, such as the layout.
        num_steps: the film ends then, or with the episode.
        deterministic: take the likeliest action instead of drawing one.
        height: of each picture, in pixels.
        progress: show a bar.

    Returns:
        uint8 (T, height', width, 3), titles included: for `ocrl.visualization.save_video`.

    Raises:
        UsageError: if there is nothing to see: no encoder around the environments, and no picture
            rendered by them.
    """
    stream, renders = _stream_of(venv), venv.render_mode == "rgb_array"
    if stream is None and not renders:
        raise UsageError(
            f"{venv} shows neither frames nor pictures: wrap it with "
            "ocrl_agents.vec_env.VecSlotObservation, or make it with render_mode='rgb_array'"
        )
    act = actor_of(policy, venv.num_envs, deterministic)
    set_seeds(venv, [seed] * venv.num_envs)
    venv.set_options(dict(options or {}))
    frames, masks, attention, views = [], [], [], []
    with undisturbed(policy, seed):
        observations = venv.reset()
        dones = np.ones(venv.num_envs, dtype=np.bool_)
        for _ in tqdm(range(num_steps), unit="step", disable=not progress):
            if stream is not None:
                assert stream.last_frames is not None
                frames.append(stream.last_frames[0].copy())
                if stream.last_masks is not None:
                    masks.append(stream.last_masks[0])
                    attention.append(_attention(policy, observations))
            if renders:
                views.append(venv.get_images()[0])
            observations, _, dones, _ = venv.step(act(observations, dones))
            if dones[0]:
                break
    return _side_by_side(frames, masks, attention, views, height)


def _stream_of(venv: VecEnv) -> TokenStream | None:
    tokens = unwrap_vec_wrapper(venv, VecSlotObservation)
    frames = unwrap_vec_wrapper(venv, VecFrameObservation)
    if tokens is not None:
        return tokens.stream
    return None if frames is None else frames.stream


@torch.no_grad()
def _attention(policy: ActorCriticPolicy, observations: Any) -> npt.NDArray[np.float32] | None:
    """Return how much the policy looks at each token of the first environment, (K,)."""
    tensors: Any = policy.obs_to_tensor(observations)[0]
    # as the policy does before it reads them: directions and the like become one-hot
    tensors = preprocess_obs(tensors, policy.observation_space, policy.normalize_images)
    reader = policy.features_extractor
    if isinstance(reader, EncoderExtractor):
        tensors = reader.encode(tensors)
        reader = reader.reader
    if not isinstance(reader, TransformerExtractor):
        return None
    return reader.attention(tensors)[0].float().cpu().numpy()


def _side_by_side(
    frames: list[Any], masks: list[Any], attention: list[Any], views: list[Any], height: int
) -> Image:
    if not frames:
        return with_title(np.stack(views), "as rendered")
    video = np.stack(frames)
    tall = enlarge(video, height)
    if not masks:
        panels = [with_title(tall, "frame")]
    else:
        places = torch.from_numpy(np.stack(masks))
        panels = [segmentation_video(torch.from_numpy(video), places, height=height)]
        if attention[0] is not None:
            looks = torch.from_numpy(np.stack(attention))
            panels.append(with_title(light_up(tall, places, looks), "what the policy reads"))
    if views:
        panels.append(with_title(_fit(np.stack(views), tall.shape[1]), "as rendered"))
    return np.stack([image_grid([pictures]) for pictures in zip(*panels, strict=True)])


def light_up(frames: Image, masks: Tensor, attention: Tensor) -> Image:
    """Darken frames where the policy does not look.

    Args:
        frames: uint8 (T, H, W, 3).
        masks: (T, K, h, w), where each token is; further masks, of a background, count as dark.
        attention: (T, K), how much the policy looks at it.

    Returns:
        uint8 (T, H, W, 3).

    >>> frames = np.full((1, 2, 2, 3), 200, np.uint8)
    >>> masks = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    >>> light_up(frames, masks, torch.tensor([[0.9, 0.0]]))[0, 0, :, 0]
    array([200,  50], dtype=uint8)
    """
    size = (frames.shape[1], frames.shape[2])
    places = F.interpolate(masks.float(), size, mode="nearest")
    light = torch.einsum("tk,tkhw->thw", attention, places[:, : attention.shape[1]])
    light = light / light.amax((1, 2), keepdim=True).clamp_min(1e-6)
    lit = frames * (0.25 + 0.75 * light.numpy()[..., None])
    return lit.round().astype(np.uint8)


def _fit(views: Image, height: int) -> Image:
    """Resize rendered views to a height, by whole steps down or nearest pixels."""
    rows = np.linspace(0, views.shape[1] - 1, height).round().astype(int)
    width = round(views.shape[2] * height / views.shape[1])
    columns = np.linspace(0, views.shape[2] - 1, width).round().astype(int)
    fitted: Image = views[:, rows][:, :, columns]
    return fitted
