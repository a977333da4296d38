"""Where the videos of pretraining come from: one class per configuration in ``configs/data``."""

from ocrl_studies.sources.base import Mixture, Source, make_source
from ocrl_studies.sources.files import Recordings, Shards, VideoFiles
from ocrl_studies.sources.generated import Scenes, Sprites
from ocrl_studies.sources.published import PublishedData
from ocrl_studies.sources.rollouts import Rollouts

__all__ = [
    "Mixture",
    "PublishedData",
    "Recordings",
    "Rollouts",
    "Scenes",
    "Shards",
    "Source",
    "Sprites",
    "VideoFiles",
    "make_source",
]
