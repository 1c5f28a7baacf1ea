"""Data sets of the real problems: scikit-learn's own, split once and for all, and those that are fetched.

Everything is a mapping from "train", "validation" and "test" to (inputs, labels), as `adapters.keras`
takes it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pbtbench.errors import BadInput

Data = Mapping[str, tuple[np.ndarray, np.ndarray]]

ANSWER_S = 20.0
"""How long a server may keep silent while a data set is fetched."""


def split(x: np.ndarray, y: np.ndarray, *, stratified: bool = True) -> Data:
    """60% train, 20% validation, 20% test, the same for everybody; `stratified` by class."""
    from sklearn.model_selection import train_test_split

    def parted(x: np.ndarray, y: np.ndarray, share: float) -> Any:
        by = y if stratified else None
        return train_test_split(x, y, test_size=share, stratify=by, random_state=0)

    train_x, x, train_y, y = parted(x, y, 0.4)
    validation_x, test_x, validation_y, test_y = parted(x, y, 0.5)
    return {
        "train": (train_x, train_y),
        "validation": (validation_x, validation_y),
        "test": (test_x, test_y),
    }


def standardised(data: Data) -> Data:
    """Every column of the inputs with mean 0 and variance 1 over the training part."""
    train, _ = data["train"]
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    return {part: ((x - mean) / deviation, y) for part, (x, y) in data.items()}


def fetched(name: str, validation: int = 10_000) -> Data:
    """One of `keras.datasets`, by name: pixels in [0, 1], shape (examples, height, width, channels).

    It comes from Keras's cache (`~/.keras`, or KERAS_HOME), and where it isn't there from the network; the
    last `validation` training examples are the validation part. Raises `BadInput` where it can't be
    had, or what is in the cache can't be read.
    """
    import keras

    with _patience():
        (x, y), (test_x, test_y) = _loaded(name, getattr(keras.datasets, name).load_data)
    x, y, test_x, test_y = _pixels(x), y.ravel(), _pixels(test_x), test_y.ravel()
    return {
        "train": (x[:-validation], y[:-validation]),
        "validation": (x[-validation:], y[-validation:]),
        "test": (test_x, test_y),
    }


def cache() -> Path:
    """Where Keras keeps data sets."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _loaded(name: str, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # Keras wraps what urllib, zlib, numpy and the file system raise
        what = " ".join(str(error).split())
        unreachable = "URL fetch failure" in what or isinstance(error, TimeoutError)
        remedy = (
            f"fetch it on a machine that has a network (python -c 'import keras; "
            f"keras.datasets.{name}.load_data()') and copy it to {cache()}"
            if unreachable
            else f"delete what is of {name} in {cache()}, and it is fetched again"
        )
        raise BadInput(f"data set {name!r} can't be had: {what[:160]}; {remedy}") from None


@contextmanager
def _patience() -> Iterator[None]:
    """A server that keeps silent is no reason to hang."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(ANSWER_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _pixels(images: np.ndarray) -> np.ndarray:
    """In [0, 1] as float32, with an axis for the channels."""
    if images.ndim == 3:
        images = images[..., None]
    return images.astype(np.float32) / np.float32(255)
