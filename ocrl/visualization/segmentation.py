"""Pictures of segmentations: masks over frames, strips over time, videos."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.colors import hsv_to_rgb
from numpy.typing import NDArray
from torch import Tensor

from ocrl.metrics import hard_segments
from ocrl.visualization.images import Image, enlarge, image_grid
from ocrl.visualization.titles import number_segments, titled_row, with_title

GOLDEN_RATIO = 0.6180339887


def segment_colours(ids: NDArray[np.integer]) -> Image:
    """Give each slot's id a strong colour that depends on nothing else; id 0 is dark grey.

    Neighbouring ids are far apart in hue.

    Args:
        ids: integers >= 0 (...).

    Returns:
        uint8 (..., 3).

    Example:
        >>> segment_colours(np.array([0, 1, 2])).tolist()
        [[64, 64, 64], [35, 40, 235], [98, 235, 35]]
    """
    return _colours(ids, saturation=(0.85, 0.62), value=(0.92, 0.62))


def truth_colours(ids: NDArray[np.integer]) -> Image:
    """Give each true segment's id a pale colour, which no slot has; id 0 is dark grey.

    Args:
        ids: integers >= 0 (...).

    Returns:
        uint8 (..., 3).
    """
    return _colours(ids, saturation=(0.3, 0.3), value=(1.0, 0.82))


def _colours(
    ids: NDArray[np.integer], saturation: tuple[float, float], value: tuple[float, float]
) -> Image:
    names, places = np.unique(ids, return_inverse=True)
    hue = (names * GOLDEN_RATIO + 0.045) % 1
    hsv = [hue, np.take(saturation, names // 8 % 2), np.take(value, names // 4 % 2)]
    palette = (hsv_to_rgb(np.stack(hsv, axis=-1)) * 255).round()
    palette[names == 0] = 64
    colours: Image = palette.astype(np.uint8)[places.reshape(ids.shape)]
    return colours


def overlay_segments(
    frames: Image,
    segments: NDArray[np.integer],
    opacity: float = 0.6,
    colours: Callable[[NDArray[np.integer]], Image] = segment_colours,
) -> Image:
    """Tint each segment in its colour and draw the borders between segments.

    Args:
        frames: uint8 (..., H, W, 3).
        segments: integers >= 0 (..., H, W).
        opacity: of the tint, between 0 and 1.
        colours: of ids.

    Returns:
        uint8 (..., H, W, 3).

    Example:
        >>> overlay_segments(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), int), opacity=1)[0, 0]
        array([ 35,  40, 235], dtype=uint8)
    """
    tinted = opacity * colours(segments) + (1 - opacity) * frames
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
    """Draw a video over time: its frames, the true segments if there are any, and the slots.

    Slots have their numbers in them, the first is 0.

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
        (130, 280, 3)
    """
    times = _spread(len(video), num_frames)
    truth = None if segments is None else segments[times]
    panels = _panels(video[times], masks[times], truth, height)
    return image_grid([titled_row(name, row) for name, row in panels.items()])


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
        (9, 80, 130, 3)
    """
    panels = _panels(video, masks, segments, height)
    titled = [with_title(frames, name) for name, frames in panels.items()]
    return np.stack([image_grid([pictures]) for pictures in zip(*titled, strict=True)])


def _panels(video: Tensor, masks: Tensor, segments: Tensor | None, height: int) -> dict[str, Image]:
    frames = enlarge(video.cpu().numpy(), height)
    panels = {"frames": frames}
    if segments is not None:
        true = enlarge(segments.cpu().numpy(), height)
        panels["true segments"] = overlay_segments(frames, true, 0.85, truth_colours)
    size = (frames.shape[1], frames.shape[2])
    slots = hard_segments(masks.unsqueeze(0), size)[0].cpu().numpy()
    panels["slots"] = draw_slots(frames, slots)
    return panels


def draw_slots(frames: Image, slots: NDArray[np.integer]) -> Image:
    """Tint each slot in its colour, and write its number into it.

    Args:
        frames: uint8 (N, H, W, 3).
        slots: numbers of the slots, from 0 (N, H, W).

    Returns:
        uint8 (N, H, W, 3).
    """
    # colours start at 1: that of 0 is for the true background
    return number_segments(overlay_segments(frames, slots + 1), slots)


def _spread(length: int, num: int) -> list[int]:
    """Return ``num`` places from 0 to length - 1, as evenly as it goes."""
    places: list[int] = np.linspace(0, length - 1, min(num, length)).round().astype(int).tolist()
    return places
