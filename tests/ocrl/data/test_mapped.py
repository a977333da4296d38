"""Videos with mapped segments have all else that the videos have."""

import numpy as np

from ocrl.data.mapped import MappedSegments
from ocrl.data.videos import ArrayVideos, Videos


class Rich(ArrayVideos):
    has_flow = has_classes = True

    def flow(self, video, start, stop):
        return np.full((stop - start, 4, 4, 2), video)

    def classes(self, video, start, stop):
        return np.full((stop - start, 4, 4), start)


def test_all_but_the_segments_passes_through():
    frames = np.random.default_rng(0).integers(0, 255, (5, 4, 4, 3), np.uint8)
    videos = Rich(frames, [2, 3], frames[..., 0])
    mapped = MappedSegments(videos, lambda ids: ids // 2)
    assert (mapped.segments(1, 0, 2) == frames[2:4, ..., 0] // 2).all()
    for name in Videos.__annotations__:
        assert np.array_equal(getattr(mapped, name), getattr(videos, name)), name
    for name in set(Videos.__dict__) & {"frames", "flow", "classes"}:
        assert np.array_equal(getattr(mapped, name)(1, 1, 3), getattr(videos, name)(1, 1, 3)), name
