"""Published data sets in miniature, in their original folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import miniatures
import pytest


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("published")
    truth = {
        "coco": miniatures.coco(folder / "coco"),
        "voc": miniatures.voc(folder / "voc"),
        "ytvis_2021": miniatures.youtube_vis(folder / "ytvis_2021"),
        "davis": miniatures.davis(folder / "davis"),
    }
    return folder, truth
