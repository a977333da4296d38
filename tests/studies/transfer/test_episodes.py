"""Episodes on disk: what is read is what was written, and nothing else is taken for it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocrl.errors import UsageError
from ocrl_agents.evaluation import Episode
from ocrl_studies.transfer.episodes import load_episodes, save_episodes

numbers = st.floats(allow_infinity=False, allow_nan=False)
episodes = st.builds(
    Episode,
    seed=st.integers(0, 2**63),
    options=st.dictionaries(st.sampled_from(["layout", "goal"]), st.integers(0, 200)),
    episode_return=numbers,
    length=st.integers(1, 5000),
    scalars=st.dictionaries(st.sampled_from(["success", "spl"]), numbers),
)


@given(st.lists(episodes, max_size=4))
def test_what_is_read_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, played: list[Episode]
) -> None:
    path = tmp_path_factory.mktemp("run") / "transfer" / "layout.json"
    save_episodes(path, played)
    assert load_episodes(path) == played
    assert [p.name for p in path.parent.iterdir()] == ["layout.json"]


def test_an_unknown_score_stays_unknown_and_the_file_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "layout.json"
    save_episodes(path, [Episode(0, {}, 1.0, 9, {"steps_to_goal": math.nan})])
    assert "NaN" not in path.read_text()
    assert math.isnan(load_episodes(path)[0].scalars["steps_to_goal"])


@pytest.mark.parametrize("text", ["", "[{", "{}", "[1]", '[{"seed": 1}]', '{"a": 1}'])
def test_another_file_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "layout.json"
    path.write_text(text)
    if text == "{}":
        path.write_text(json.dumps({"seed": 1}))
    with pytest.raises(UsageError, match=r"layout\.json.*delete the file") as error:
        load_episodes(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the episodes"):
        load_episodes(tmp_path / "nothing.json")
