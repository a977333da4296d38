"""Arrays of any type as tensors that safetensors can hold, and back."""

import numpy as np
import pytest
import torch

from ocrl.errors import UsageError
from ocrl_agents.bit_tensors import to_arrays, to_tensors


@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "uint16", "int64", "uint64", "float16", "float64"]
)
def test_arrays_keep_their_bits(dtype: str) -> None:
    array = np.random.default_rng(0).integers(0, 2**16, (3, 8)).astype(np.uint16)
    array = array.astype(dtype) if dtype != "float16" else array.view(dtype)  # with some nan
    for each in (array, array[:0], array[0, 0]):
        back = to_arrays(to_tensors({"a.b": np.asarray(each)}))["a.b"]
        assert back.dtype == each.dtype
        assert back.shape == each.shape
        assert back.tobytes() == each.tobytes()
    with pytest.raises(UsageError, match="of type object"):
        to_tensors({"a": np.array([None])})
    for forged in ("a", "a@object", "a@int16"):
        with pytest.raises(UsageError, match="cannot be read"):
            to_arrays({forged: torch.zeros(2, dtype=torch.int64)})
