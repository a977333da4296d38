"""Words say no more than the intervals."""

from __future__ import annotations

from ocrl_agents.evaluation import Episode
from ocrl_studies.transfer.rounds import Round
from ocrl_studies.transfer.verdicts import caveats, verdicts


def play(encoder: str, condition: str, *means: float) -> list[Round]:
    return [
        Round(encoder, seed, condition, [Episode(0, {}, mean, 9)])
        for seed, mean in enumerate(means)
    ]


BLIND = [*play("random", "train", 0.0), *play("wandering", "train", 0.1)]


def said(*played: list[Round], encoders: tuple[str, ...] = ("slots", "grid")) -> list[str]:
    return list(verdicts(sum(played, BLIND), "return", encoders, "unseen"))


def test_who_has_learned_who_loses_and_who_carries_over() -> None:
    slots, grid, comparison = said(
        play("slots", "train", 0.6, 0.7, 0.8),
        play("slots", "unseen", 0.5, 0.6, 0.7),
        play("grid", "train", 0.0, 0.1, 0.3),
        play("grid", "unseen", 0.1, 0.1, 0.2),
    )
    assert "slots: 0.70" in slots
    assert "has learned to play" in slots
    assert "it loses 0.10 [0.10, 0.10]" in slots
    assert "hardly learned to play" in grid
    assert "(0.10)" in grid  # wandering, not random
    assert "No loss" in grid
    assert comparison.startswith("unseen: slots scores more return than grid")


def test_a_gain_is_no_loss() -> None:
    (sentence,) = said(
        play("slots", "train", 0.6, 0.7, 0.8),
        play("slots", "unseen", 0.7, 0.9, 0.9),
        encoders=("slots",),
    )
    assert "scores more, by 0.13 [0.10, 0.20]" in sentence


def test_two_seeds_allow_no_verdict() -> None:
    slots, grid, comparison = said(
        play("slots", "train", 0.9, 0.9),
        play("slots", "unseen", 0.9, 0.9),
        play("grid", "train", 0.1, 0.1),
        play("grid", "unseen", 0.0, 0.0),
    )
    for sentence in (slots, grid):
        assert "too few seeds" in sentence
        assert "[unknown]" in sentence
        assert "has learned" not in sentence
    assert "too few to compare" in comparison


def test_equal_agents_are_not_told_apart() -> None:
    *_, comparison = said(
        play("slots", "train", 0.5, 0.6, 0.7),
        play("slots", "unseen", 0.5, 0.6, 0.7),
        play("grid", "train", 0.6, 0.5, 0.7),
        play("grid", "unseen", 0.7, 0.6, 0.5),
    )
    assert "cannot be told apart" in comparison


def test_caveats_depend_on_how_much_there_is() -> None:
    def text(*num_seeds: int) -> str:
        return "\n".join(caveats(dict(zip("abcdefgh", num_seeds, strict=False)), 32))

    assert "about a and b and c in comparison" in text(2, 2, 2)
    assert "comparisons are made" not in text(2, 5, 5)  # the first is compared with the others
    assert "4 seeds are few" in text(4, 5)
    assert text(5, 5).count("\n") == 0
    assert "7 comparisons" in text(*[5] * 8)
    # one of few seeds takes no caveat from the others
    mixed = text(3, 3, 1, 3)
    assert "about c in comparison" in mixed
    assert "3 seeds are few" in mixed
    assert "2 comparisons" in mixed
