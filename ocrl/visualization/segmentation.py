"""Pictures of segmentations: masks over frames, strips over time, videos."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import hsv_to_rgb
from numpy.typing import NDArray
from torch import Tensor

from ocrl.metrics import hard_segments
from ocrl.visualization.images import Image, enlarge, image_grid

GOLDEN_RATIO = 0.6180339887


def segment_colours(ids: NDArray[np.integer]) -> Image:
    """Give each segment id a colour that depends on nothing else; id 0 is dark grey.

    Neighbouring ids are far apart in hue.

    Args:
        ids: integers >= 0 (...).

    Returns:
        uint8 (..., 3).

    Example:
        >>> segment_colours(np.array([0, 1, 2])).tolist()
        [[64, 64, 64], [56, 60, 235], [112, 235, 56]]
    """
    names, places = np.unique(ids, return_inverse=True)
    hue = (names * GOLDEN_RATIO + 0.045) % 1
    saturation = np.where(names // 8 % 2, 0.45, 0.76)
    value = np.where(names // 4 % 2, 0.72, 0.92)
    palette = (hsv_to_rgb(np.stack([hue, saturation, value], axis=-1)) * 255).round()
    palette[names == 0] = 64
    colours: Image = palette.astype(np.uint8)[places.reshape(ids.shape)]
    return colours


def overlay_segments(frames: Image, segments: NDArray[np.integer], opacity: float = 0.6) -> Image:
    """Tint each segment in its colour and draw the borders between segments.

    Args:
        frames: uint8 (..., H, W, 3).
        segments: integers >= 0 (..., H, W).
        opacity: of the tint, between 0 and 1.

    Returns:
        uint8 (..., H, W, 3).

    Example:
        >>> overlay_segments(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), int), opacity=1)[0, 0]
        array([ 56,  60, 235], dtype=uint8)
    """
    tinted = opacity * segment_colours(segments) + (1 - opacity) * frames
    border = np.zeros(segments.shape, dtype=np.bool_)
    border[..., 1:, :] |= segments[..., 1:, :] != segments[..., :-1, :]
    border[..., 1:] |= segments[..., 1:] != segments[..., :-1]
    tinted[border] = 255
    return tinted.round().astype(np.uint8)


def segmentation_strip(
    video: Tensor,
    masks: Tensor,
    segments: Tensor | None = None,
    *,
    num_frames: int = 8,
    height: int = 128,
) -> Image:
    """Draw a video over time: its frames, the true segments if there are any, and the masks.

    Args:
        video: uint8 (T, H, W, 3).
        masks: (T, K, h, w), of any size.
        segments: true ids, integers (T, H, W).
        num_frames: columns, spread evenly over the video.
        height: of each picture, in pixels.

    Returns:
        uint8 (height', width', 3).

    Example:
        >>> import torch
        >>> video, masks = torch.zeros(9, 64, 64, 3, dtype=torch.uint8), torch.rand(9, 5, 16, 16)
        >>> segmentation_strip(video, masks, num_frames=4, height=64).shape
        (130, 262, 3)
    """
    times = _spread(len(video), num_frames)
    truth = None if segments is None else segments[times]
    return image_grid(_panels(video[times], masks[times], truth, height))


def segmentation_video(
    video: Tensor, masks: Tensor, segments: Tensor | None = None, *, height: int = 128
) -> Image:
    """Draw frames, true segments and masks side by side, to be saved as a video.

    Args:
        video: uint8 (T, H, W, 3).
        masks: (T, K, h, w), of any size.
        segments: true ids, integers (T, H, W).
        height: of each picture, in pixels.

    Returns:
        uint8 (T, height, width', 3).

    Example:
        >>> import torch
        >>> video, masks = torch.zeros(9, 64, 64, 3, dtype=torch.uint8), torch.rand(9, 5, 16, 16)
        >>> segmentation_video(video, masks, height=64).shape
        (9, 64, 130, 3)
    """
    panels = _panels(video, masks, segments, height)
    return np.stack([image_grid([pictures]) for pictures in zip(*panels, strict=True)])


def _panels(video: Tensor, masks: Tensor, segments: Tensor | None, height: int) -> list[Image]:
    frames = enlarge(video.cpu().numpy(), height)
    panels = [frames]
    if segments is not None:
        panels.append(overlay_segments(frames, enlarge(segments.cpu().numpy(), height)))
    size = (frames.shape[1], frames.shape[2])
    predicted = hard_segments(masks.unsqueeze(0), size)[0].cpu().numpy()
    # Slots start at 1: the colour of id 0 is for the true background.
    panels.append(overlay_segments(frames, predicted + 1))
    return panels


def _spread(length: int, num: int) -> list[int]:
    """Return ``num`` places from 0 to length - 1, as evenly as it goes."""
    places: list[int] = np.linspace(0, length - 1, min(num, length)).round().astype(int).tolist()
    return places
