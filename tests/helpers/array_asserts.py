"""Comparisons of arrays and tensors that name what differs."""

from collections.abc import Mapping

import numpy as np


def assert_arrays_identical(
    found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]
) -> None:
    """Compare arrays by name: same names, types, shapes and bytes."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


def assert_close(actual: object, expected: np.ndarray, tolerance: float) -> None:
    """Compare a tensor's shape, and its values relative to the largest expected one."""
    found = actual.numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
