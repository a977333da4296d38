"""Published configurations have as many parameters as the public systems."""

from __future__ import annotations

import hydra
import pytest
from hydra import compose, initialize_config_dir

from ocrl_studies.composition import find_configs

# Millions. MAE's are the 111.9 of a ViT-B/16 but for class tokens and fixed positions.
MILLIONS = {
    "slate_published": 3.62,
    "steve_published": 8.67,
    "monet_published": 0.90,
    "iodine_published": 0.34,
    "mae_published": 111.65,
}


@pytest.mark.parametrize("name", MILLIONS)
def test_as_many_parameters_as_published(name):
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        config = compose(overrides=[f"+encoder={name}"]).encoder
    assert config.name == name
    encoder = hydra.utils.instantiate(config.model)
    count = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    assert count / 1e6 == pytest.approx(MILLIONS[name], abs=0.006)


@pytest.mark.parametrize("name", ["savi_published", "savi_medium", "savi_large", "slate_large"])
def test_of_what_nobody_counted_the_parameters_is_built(name):
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        config = compose(overrides=[f"+encoder={name}"]).encoder
    encoder = hydra.utils.instantiate(config.model)
    assert encoder.image_size == tuple(config.image_size)
    assert encoder.num_tokens == config.num_slots
