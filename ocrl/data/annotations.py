"""What some encoders are told besides the frames: boxes of things, and how everything moves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, Subset
from torchvision.ops import masks_to_boxes
from torchvision.utils import flow_to_image

from ocrl.data.clips import Clip, ClipDataset, MixedClips, resize
from ocrl.data.transforms import Fitting
from ocrl.data.videos import Videos
from ocrl.encoder import BOXES, FLOW, Encoder
from ocrl.errors import UsageError

# Pixels per frame below which motion is drawn paler than the fastest of a clip.
SLOW = 1.0

D = TypeVar("D", bound=Dataset[Clip])


def annotated(clips: D, encoder: Encoder, num_stuff: int = 1) -> D:
    """Return the same clips with the entries that an encoder asks for, made of ground truth.

    Args:
        clips: a ClipDataset, MixedClips, or a Subset of either.
        encoder: its ``asks_for`` names the entries; it has a box for each of its tokens.
        num_stuff: true segments 0 .. num_stuff - 1 are no things, and have no boxes.

    Raises:
        UsageError: the videos do not have the ground truth for it.
    """
    if not encoder.asks_for:
        return clips
    changed: Dataset[Clip]
    if isinstance(clips, Subset):
        changed = Subset(annotated(clips.dataset, encoder, num_stuff), clips.indices)
    elif isinstance(clips, MixedClips):
        changed = MixedClips([annotated(part, encoder, num_stuff) for part in clips.datasets])
    elif isinstance(clips, ClipDataset):
        changed = _annotated(clips, encoder, num_stuff)
    else:
        raise UsageError(
            f"{type(encoder).__name__} asks for {', '.join(encoder.asks_for)}, which clips of "
            "videos have: take a ClipDataset or MixedClips"
        )
    return cast(D, changed)


def _annotated(clips: ClipDataset, encoder: Encoder, num_stuff: int) -> ClipDataset:
    videos, size = clips.videos, encoder.image_size
    asking = f"{type(encoder).__name__} asks for"
    if BOXES in encoder.asks_for and not videos.has_segments:
        raise UsageError(
            f"{asking} boxes, and these videos have no true segments to take them from: take "
            "data=movi_a_like, say, or an encoder that finds objects by itself"
        )
    if FLOW in encoder.asks_for and not videos.has_flow:
        raise UsageError(
            f"{asking} optical flow, and these videos have none: take data=movi_a_like, say, or "
            "encoder.model.flow=false"
        )

    fitting = clips.fitting or Fitting()
    read = _Annotations(videos, fitting, encoder.asks_for, encoder.num_tokens, num_stuff, size)
    return clips.with_entries(read)


@dataclass(frozen=True)
class _Annotations:
    """Makes the entries of a span of frames; workers that load clips get a copy."""

    videos: Videos
    fitting: Fitting
    wanted: tuple[str, ...]
    num_boxes: int
    num_stuff: int
    image_size: tuple[int, int]

    def __call__(self, video: int, start: int, stop: int) -> Clip:
        found = {}
        if BOXES in self.wanted:
            first = self.videos.segments(video, start, start + 1).astype(np.int32)
            seen = self.fitting.cropped(torch.from_numpy(first))[0]
            found[BOXES] = boxes_of_things(seen, self.num_boxes, self.num_stuff)
        if FLOW in self.wanted:
            flow = self.videos.flow(video, start, stop).astype(np.float32)
            drawn = draw_flow(self.fitting.cropped(torch.from_numpy(flow)))
            found[FLOW] = resize(drawn, self.image_size)
        return found


def boxes_of_things(segments: Tensor, num: int, num_stuff: int = 1) -> Tensor:
    """Return the boxes of the things in a frame, for `SAVi` to follow.

    Args:
        segments: integers (H, W), true segment ids.
        num: boxes wanted, K. One is left for what is no thing; of more things than K - 1 the
            largest get boxes.
        num_stuff: ids below are no things.

    Returns:
        Float (K, 4), each (top, left, bottom, right) in [0, 1]: a box of zeros first, then things
        in the order of their ids, then zeros again.

    Example:
        >>> segments = torch.tensor([[0, 0, 5, 5], [0, 3, 5, 5]])
        >>> boxes_of_things(segments, num=4).tolist()  # doctest: +NORMALIZE_WHITESPACE
        [[0.0, 0.0, 0.0, 0.0], [0.5, 0.25, 1.0, 0.5],
         [0.0, 0.5, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    """
    ids, areas = torch.unique(segments[segments >= num_stuff], return_counts=True)
    largest = areas.sort(descending=True, stable=True).indices[: num - 1].sort().values
    height, width = segments.shape
    left, top, right, bottom = masks_to_boxes(segments == ids[largest, None, None]).T
    # both ends of a box of torchvision lie in it
    edges = (top / height, left / width, (bottom + 1) / height, (right + 1) / width)
    return box_for_each_slot(torch.stack(edges, dim=1), num)


def box_for_each_slot(boxes: Tensor, num: int) -> Tensor:
    """Return boxes (N, 4) of things between boxes of zeros, (K, 4): the first is for no thing.

    Raises:
        UsageError: they are no boxes within the frame, or as many as slots.

    Example:
        >>> box_for_each_slot(torch.tensor([[0.1, 0.2, 0.5, 0.5]]), num=3)
        tensor([[0.0000, 0.0000, 0.0000, 0.0000],
                [0.1000, 0.2000, 0.5000, 0.5000],
                [0.0000, 0.0000, 0.0000, 0.0000]])
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes) < num:
        raise UsageError(
            f"boxes are {tuple(boxes.shape)}, expected (N, 4) for things and N < {num}, the number "
            "of slots, of which one is for no thing: give [[top, left, bottom, right], ...] in "
            "[0, 1]"
        )
    if not ((boxes >= 0).all() and (boxes <= 1).all() and (boxes[:, :2] < boxes[:, 2:]).all()):
        raise UsageError(
            f"boxes are {boxes.tolist()}: expected top < bottom and left < right in [0, 1], shares "
            "of the frame's height and width"
        )
    return F.pad(boxes, (0, 0, 1, num - 1 - len(boxes)))


def draw_flow(flow: Tensor) -> Tensor:
    """Draw optical flow in colours: hue for where to, strength for how fast; stillness is white.

    Strength is relative to the fastest motion of the clip, or to a pixel per frame if all is
    slower. The colour wheel is that of Baker et al. 2007, of whose pictures SAVi is trained.

    Args:
        flow: float (T, H, W, 2), pixels right and down until the next frame.

    Returns:
        uint8 (T, H, W, 3).

    Example:
        >>> draw_flow(torch.tensor([[[[0.0, 0.0], [3.0, 0.0]]]]))
        tensor([[[[255, 255, 255],
                  [255,   0,   0]]]], dtype=torch.uint8)
    """
    # The library takes the fastest of all it is given for full strength.
    pace = torch.zeros_like(flow[:1])
    pace[..., 0] = SLOW
    images: Tensor = flow_to_image(torch.cat([flow, pace]).movedim(-1, 1))
    return images[:-1].movedim(1, -1).contiguous()
