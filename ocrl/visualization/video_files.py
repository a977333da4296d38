"""Slots of a video file, frame by frame: memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as iio
import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ocrl.data.clips import resize
from ocrl.encoder import Encoder, EncoderOutput
from ocrl.errors import UsageError
from ocrl.files import whole_file
from ocrl.metrics.base import hard_segments
from ocrl.reading import reading
from ocrl.visualization.images import Image
from ocrl.visualization.segmentation import overlay_segments

ADVICE = "give a video file, or re-encode it"


class SegmentedVideo(NamedTuple):
    """What was written.

    Attributes:
        overlay: an H.264 video of the frames with the masks over them.
        masks: a lossless grey video (FFV1), slot ids 0 .. K - 1 as grey values.
        num_frames: how many.
    """

    overlay: Path
    masks: Path
    num_frames: int


@torch.inference_mode()
def stream(
    encoder: Encoder, video: str | Path, state: Tensor | None = None
) -> Iterator[tuple[Image, EncoderOutput]]:
    """Yield each frame of a video file as it is, and what the encoder makes of it.

    Masks are those that segmentation is scored by, such as a decoder's; `AttentionMasks` gives
    those of slot attention.

    Args:
        encoder: in eval mode; frames are resized to its image_size, antialiased.
        video: any file that FFmpeg reads.
        state: (1, K, D), what to start from, such as ``encoder.first_state`` makes of boxes. None:
            the encoder's own start.

    Raises:
        UsageError: the file is missing or no video.
    """
    given = state is not None
    state = state if given else encoder.initial_state(1)
    for index, frame in enumerate(_frames(video)):
        pixels = resize(torch.from_numpy(frame)[None], encoder.image_size)
        is_first = torch.tensor([index == 0 and not given], device=encoder.device)
        output = encoder.segment_step(pixels.to(encoder.device), state, is_first)
        state = output.state
        yield frame, output


def segment_video(
    encoder: Encoder,
    video: str | Path,
    folder: str | Path,
    *,
    state: Tensor | None = None,
    progress: bool = True,
) -> SegmentedVideo:
    """Write the masks of a video file, and a video with the masks over its frames.

    Args:
        encoder: with masks.
        video: any file that FFmpeg reads.
        folder: gets ``<name>.overlay.mp4`` and ``<name>.masks.mkv``.
        state: see `stream`.
        progress: show a progress bar.

    Raises:
        UsageError: the file is no video, or the encoder's tokens have no place in the image.
    """
    video, folder = Path(video), Path(folder)
    overlay, masks = (folder / f"{video.stem}.{kind}" for kind in ("overlay.mp4", "masks.mkv"))
    folder.mkdir(parents=True, exist_ok=True)
    rate = _frames_per_second(video)
    count = 0
    with (
        whole_file(overlay) as overlay_part,
        whole_file(masks) as masks_part,
        iio.imopen(overlay_part, "w", plugin="pyav") as overlay_file,
        iio.imopen(masks_part, "w", plugin="pyav") as masks_file,
    ):
        overlay_file.init_video_stream("libx264", fps=rate)
        masks_file.init_video_stream("ffv1", fps=rate, pixel_format="gray")
        for frame, output in tqdm(
            stream(encoder, video, state), unit="frame", disable=not progress
        ):
            if output.masks is None:
                raise UsageError(
                    f"the tokens of {type(encoder).__name__} have no place in the image: segment "
                    "with a slot encoder"
                )
            # H.264 takes even sizes only.
            height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
            size = (frame.shape[0], frame.shape[1])
            ids = hard_segments(output.masks[:, None], size)[0, 0].cpu().numpy().astype(np.uint8)
            picture = overlay_segments(frame[None], ids[None] + 1)[0]
            overlay_file.write_frame(picture[:height, :width])
            masks_file.write_frame(ids, pixel_format="gray")
            count += 1
    return SegmentedVideo(overlay, masks, count)


def _frames_per_second(video: Path) -> int:
    """Return the rate of a video, 12 where it does not say."""
    with reading(video, "video", ADVICE):
        return round(iio.immeta(video, plugin="pyav").get("fps", 12)) or 12


def _frames(video: str | Path) -> Iterator[Image]:
    frames = None
    while True:
        with reading(video, "video", ADVICE):
            frames = frames or iter(iio.imiter(video, plugin="pyav", format="rgb24"))
            frame = next(frames, None)
        if frame is None:
            return
        yield frame
