"""Numbers out of range are refused in one line, before anything is built."""

from __future__ import annotations

import pytest

import ocrl
from ocrl.errors import UsageError


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("air", {"sigma": 0}, "sigma is 0"),
        ("air", {"presence_bound": 0}, "presence_bound is 0"),
        ("sqair", {"glimpse": 0}, "glimpse is 0"),
        ("spair", {"count_decay": 0}, "count_decay is 0"),
        ("spair", {"size_prior": (0, -1)}, "deviation_of_sizes is -1"),
        ("space", {"temperature": (2.5, -1)}, "temperature is -1"),
        ("space", {"fixed_alpha": 2.0}, "fixed_alpha is a probability"),
        ("space", {"steps": (5000, 100, 10)}, "sort them"),
        ("space", {"glimpse_size": 20}, "32 or 16 as glimpse_size"),
        ("scalor", {"sigma": -1}, "sigma is -1"),
        ("scalor", {"size_range": 0.5}, "smallest_object is -0.25"),
        ("monet", {"latent_dim": 0}, "latent_dim is 0"),
        ("iodine", {"kernel_size": 4}, "odd"),
        ("iodine", {"gradient_divisor": 0}, "gradient_divisor is 0"),
    ],
)
def test_numbers_out_of_range_are_one_line(name, arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        ocrl.create_encoder(name, **arguments)
    assert "\n" not in str(caught.value)
