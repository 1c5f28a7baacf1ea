"""TensorFlow's tensors as NumPy's arrays and back, sharing memory where nobody can write to it."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Any

import numpy as np

SHARED_BYTES = 65_536
"""Smaller arrays are copied: that is as quick."""

ALIGNMENT = 64
"""Of the memory of a tensor, as its kernels expect it."""


def array(tensor: Any) -> np.ndarray:
    """A tensor's numbers, without a copy where its memory and its type have the buffer protocol."""
    if "CPU" in tensor.device:
        with suppress(ValueError):
            return np.asarray(memoryview(tensor))
    return np.asarray(tensor.numpy())


def tensor(array: np.ndarray, dtype: str) -> Any:
    """A tensor of the array's numbers: a copy, or the array's own memory if that is read-only, as of
    what Ray's object store hands out."""
    import tensorflow as tf

    shared = (
        array.nbytes >= SHARED_BYTES
        and array.dtype == dtype
        and array.flags.c_contiguous
        and array.ctypes.data % ALIGNMENT == 0
        and _read_only(array)
    )
    if not shared:
        return tf.constant(array, dtype=dtype)
    # NumPy hands out no read-only memory by DLPack
    memory = (ctypes.c_byte * array.nbytes).from_address(array.ctypes.data)
    memory.lasts = array  # type: ignore[attr-defined]
    alias = np.frombuffer(memory, array.dtype).reshape(array.shape)
    return tf.experimental.dlpack.from_dlpack(alias.__dlpack__())


def _read_only(array: np.ndarray) -> bool:
    """Whether an array, and the buffer that it is a view of, can't be written to."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return base is not None and memoryview(base).readonly
