from __future__ import annotations

from omegaconf import OmegaConf

from ocrl_studies.overrides import check_kinds


def test_what_is_in_a_group_that_is_null_is_not_asked_for() -> None:
    """As in agent.model.extractor_kwargs=null, for a features extractor without arguments."""
    default = OmegaConf.create({"model": {"_target_": "make", "kwargs": {"dim": 64}}})
    check_kinds(default, OmegaConf.create({"model": {"_target_": "make", "kwargs": None}}))
