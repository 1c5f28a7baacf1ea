"""Data sets: split once and for all, and fetched or refused in one line. Nothing here goes to a network."""

import gzip
import io
import pickle
import re
import socket
import tarfile
import urllib.request

import numpy as np
import pytest

from pbtbench import BadInput, catalogue
from pbtbench.adapters import datasets
from pbtbench.problem import member_seed
from pbtbench.space.columns import rows


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty cache of Keras's, with the network and the check of hashes out of the way."""
    from keras.src.utils import file_utils

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.setattr(file_utils, "validate_file", lambda *args, **kwargs: True)

    def unreachable(*args, **kwargs):
        raise urllib.error.URLError("no network here")

    monkeypatch.setattr(file_utils, "urlretrieve", unreachable)
    (tmp_path / "datasets").mkdir()
    return tmp_path / "datasets"


def images(count, *shape):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, *shape), np.uint8), np.arange(count, dtype=np.uint8) % 10


def write_mnist(folder):
    (x, y), (tx, ty) = images(40, 28, 28), images(10, 28, 28)
    np.savez(folder / "mnist.npz", x_train=x, y_train=y, x_test=tx, y_test=ty)


def write_fashion_mnist(folder):
    place = folder / "fashion-mnist"
    place.mkdir()
    for stem, count in (("train", 40), ("t10k", 10)):
        x, y = images(count, 28, 28)
        for name, header, array in (("images-idx3", 16, x), ("labels-idx1", 8, y)):
            with gzip.open(place / f"{stem}-{name}-ubyte.gz", "wb") as file:
                file.write(bytes(header) + array.tobytes())


def write_cifar10(folder):
    """The size of the batches is fixed in Keras's loader: 10,000 images each, all black here."""
    labels = [i % 10 for i in range(10_000)]
    content = pickle.dumps({b"data": np.zeros((10_000, 3072), np.uint8), b"labels": labels})
    with tarfile.open(folder / "cifar-10-batches-py-target_archive", "w:gz") as archive:
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


@pytest.mark.parametrize(
    ("name", "write", "shape"),
    [
        ("mnist", write_mnist, (28, 28, 1)),
        ("fashion_mnist", write_fashion_mnist, (28, 28, 1)),
        ("cifar10", write_cifar10, (32, 32, 3)),
    ],
)
def test_what_the_cache_has_is_loaded_and_split(home, name, write, shape):
    write(home)
    parts = datasets.fetched(name, validation=8)
    assert list(parts) == ["train", "validation", "test"]
    assert len(parts["validation"][0]) == 8
    for x, y in parts.values():
        assert x.shape == (len(y), *shape)
        assert x.dtype == np.float32
        assert (x.min() >= 0) & (x.max() <= 1)
        assert y.ndim == 1
    if name != "cifar10":
        assert parts["train"][0].max() == 1


def test_a_member_trains_on_what_the_cache_has(home, monkeypatch):
    write_mnist(home)
    problem = catalogue.problem("vision.mnist_mlp")
    monkeypatch.setattr(datasets.fetched, "__defaults__", (8,))
    (hyperparameters,) = rows(problem.space.sample(np.random.default_rng(0), 1))
    population = problem.population([hyperparameters], [member_seed(0, 0)])
    population.train(2)
    assert 0 <= population.evaluate()["accuracy"][0] <= 1


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_without_a_network_it_is_told_where_the_data_belong(home, name):
    with pytest.raises(BadInput) as refused:
        datasets.fetched(name)
    said = str(refused.value)
    assert said.startswith(f"data set {name!r} can't be had: ")
    assert f"keras.datasets.{name}.load_data()" in said
    assert said.endswith(f"copy it to {home}")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "mnist.npz"), ("fashion_mnist", "fashion-mnist")]
)
def test_a_corrupt_cache_is_to_be_deleted(home, name, file):
    if name == "mnist":
        (home / file).write_bytes(b"half of it")
    else:
        write_fashion_mnist(home)
        (home / file / "train-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8bhalf of it")
    with pytest.raises(BadInput, match=re.escape(f"delete what is of {name} in {home}")) as refused:
        datasets.fetched(name)
    assert "\n" not in str(refused.value)


def test_the_patience_with_a_silent_server_ends_and_is_put_back(home, monkeypatch):
    """Keras's download has no limit of its own."""
    import keras

    seen = []
    before = socket.getdefaulttimeout()

    def load():
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", load)
    with pytest.raises(BadInput, match="timed out"):
        datasets.fetched("mnist")
    assert seen == [datasets.ANSWER_S]
    assert socket.getdefaulttimeout() == before


def test_standardised_columns_are_those_of_the_training_part():
    rng = np.random.default_rng(0)
    parts = datasets.standardised(
        datasets.split(rng.normal(5, 3, (200, 4)), rng.integers(0, 2, 200))
    )
    train, _ = parts["train"]
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(train.std(axis=0), 1)
    assert {part: len(y) for part, (_, y) in parts.items()} == {
        "train": 120,
        "validation": 40,
        "test": 40,
    }
