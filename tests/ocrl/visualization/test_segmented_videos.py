"""Video files, segmented as they stream, against encoding the whole video at once."""

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from ocrl.encoder import Encoder, EncoderOutput
from ocrl.encoders.block_masks import BlockMasks
from ocrl.errors import UsageError
from ocrl.metrics.base import hard_segments
from ocrl.visualization import save_video
from ocrl.visualization.video_files import segment_video, stream


@pytest.fixture
def video(tmp_path):
    frames = np.zeros((9, 64, 64, 3), np.uint8)
    for t, frame in enumerate(frames):
        frame[20:40, 4 * t : 4 * t + 16] = (255, 0, 0)
    save_video(tmp_path / "square.mp4", frames)
    return tmp_path / "square.mp4"


class Leaky(Encoder):
    """Remembers: its one mask is where the mean of all frames so far is bright."""

    num_tokens, token_dim, image_size = 2, 1, (64, 64)

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 64 * 64, 1)

    def step(self, frames, state, is_first):
        state = torch.where(is_first[:, None, None], 0.0, state)
        state = 0.5 * state + frames.float().mean(-1).flatten(1)[..., None]
        bright = (state > 60).float().view(-1, 1, 64, 64)
        return EncoderOutput(
            state.mean(1, keepdim=True).expand(-1, 2, 1), torch.cat([1 - bright, bright], 1), state
        )


def test_streaming_equals_the_whole_video(video, tmp_path):
    encoder = Leaky().eval()
    frames = torch.from_numpy(iio.imread(video, plugin="pyav"))
    whole = encoder.encode_video(frames[None])
    streamed = [output.tokens[0] for _, output in stream(encoder, video)]
    assert torch.equal(torch.stack(streamed), whole.tokens[0])
    result = segment_video(encoder, video, tmp_path / "out", progress=False)
    assert result.num_frames == 9
    ids = iio.imread(result.masks, plugin="pyav", format="gray")
    expected = hard_segments(whole.masks, (64, 64))[0].numpy()
    assert np.array_equal(ids, expected)
    assert iio.imread(result.overlay, plugin="pyav").shape == (9, 64, 64, 3)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "square.overlay.mp4",
        "square.masks.mkv",
    }


def test_videos_of_other_sizes_are_resized_for_the_encoder_alone(tmp_path):
    save_video(tmp_path / "wide.mp4", np.zeros((3, 50, 80, 3), np.uint8))
    result = segment_video(BlockMasks(), tmp_path / "wide.mp4", tmp_path, progress=False)
    assert iio.imread(result.masks, plugin="pyav", format="gray").shape == (3, 50, 80)


def test_what_is_no_video_is_one_line(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("text.mp4", "absent.mp4"):
        with pytest.raises(UsageError, match=name):
            segment_video(BlockMasks(), tmp_path / name, tmp_path / "out", progress=False)
    assert not list((tmp_path / "out").glob("*"))
