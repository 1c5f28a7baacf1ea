"""What a user's `data()` may give for a Keras model, and what is refused with the way to mend it."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf

from pbtbench import BadInput
from pbtbench.adapters.examples import load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 3))
Y = RNG.integers(0, 2, size=12)


def examples(part):
    return load(lambda: {"train": part, "validation": part})["train"]


def arrays(part):
    found = examples(part)
    return np.asarray(found.inputs), np.asarray(found.labels)


@pytest.mark.parametrize(
    "inputs",
    [
        X,
        X.tolist(),
        list(X),
        tuple(X.tolist()),
        tf.constant(X),
        pd.DataFrame(X),
        pd.DataFrame(X).astype("Float64"),
        X.astype(object),
        np.asfortranarray(X),
    ],
)
@pytest.mark.parametrize(
    "labels", [Y, Y.tolist(), list(Y), pd.Series(Y, index=Y + 5), tf.constant(Y), Y == 1]
)
def test_arrays_frames_lists_and_tensors_are_the_same_examples(inputs, labels):
    found = arrays((inputs, labels))
    assert found[0] == pytest.approx(X)
    assert found[1].tolist() == Y.tolist()
    assert found[0].dtype == np.float32


def test_frames_with_truth_values_are_numbers():
    frame = pd.DataFrame({"a": X[:, 0], "b": Y == 1, "c": Y}).astype({"c": "Int64"})
    found, labels = arrays((frame, pd.Series(Y == 1, dtype="boolean").astype(bool)))
    assert found[:, 1].tolist() == found[:, 2].tolist() == Y.tolist()
    assert labels.dtype == np.int64


def test_several_inputs_are_told_from_many_examples():
    two = examples(([X, X[:, :1]], Y)).inputs
    assert [t.shape for t in two] == [(12, 3), (12, 1)]
    named = examples(({"a": X.tolist(), "b": pd.Series(Y)}, Y)).inputs
    assert named["a"].shape == (12, 3)
    assert named["b"].shape == (12,)
    two_outputs = examples((X, [Y, X[:, 0]])).labels
    assert [t.shape for t in two_outputs] == [(12,), (12,)]


@pytest.mark.parametrize("batch", [1, 5, 12])
def test_a_dataset_is_its_examples_in_an_order_that_does_not_depend_on_shuffling(batch):
    def made(seed):
        return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(12, seed=seed).batch(batch)

    one, other = arrays(made(1)), arrays(made(2))
    assert one[0].tolist() == other[0].tolist()
    assert one[1].tolist() == other[1].tolist()
    pairs = sorted((*x, y) for x, y in zip(X.astype(np.float32).tolist(), Y.tolist(), strict=True))
    assert sorted((*x, y) for x, y in zip(one[0].tolist(), one[1].tolist(), strict=True)) == pairs


def test_a_dataset_may_have_weights_and_names():
    given = tf.data.Dataset.from_tensor_slices(({"a": X}, Y, Y + 1.0)).batch(4)
    found = examples(given)
    assert found.inputs["a"].shape == (12, 3)
    assert np.asarray(found.weights).tolist() == (np.asarray(found.labels) + 1.0).tolist()


def test_text_stays_text():
    words = np.array([["good film"], ["bad film"]] * 6)
    assert examples((words, Y)).inputs.dtype == tf.string
    assert examples((words.astype(object), Y)).inputs.dtype == tf.string


RAGGED = [[1, 2, 3][: n % 3 + 1] for n in range(12)]
PAIRS = tf.data.Dataset.from_tensor_slices((X, Y))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((RAGGED, Y), "inputs are ragged.*pad_sequences"),
        ((np.array(RAGGED, dtype=object), Y), "inputs are ragged.*pad"),
        ((tf.ragged.constant(RAGGED), Y), "inputs are ragged.*pad"),
        ((scipy.sparse.csr_matrix(X), Y), "sparse.*toarray"),
        ((pd.DataFrame({"a": list("abcdefghijkl")}), Y), "column 'a' holds no numbers"),
        ((X, list("abcdefghijkl")), "labels are text.*number the classes"),
        ((X + 1j, Y), "complex"),
        ((X, Y[:5]), "equally many"),
        ((X, None), "labels are None"),
        ((X[:0], Y[:0]), "no examples"),
        ((X, 3), "equally many"),
        (X, r"is a ndarray: give \(inputs, labels\)"),
        ((X,), r"a tuple of 1"),
        ((X, Y, Y, Y), r"a tuple of 4"),
        (PAIRS, "single examples: add batch"),
        (PAIRS.batch(4).repeat(), "without end"),
        (PAIRS.map(lambda x, y: x).batch(4), "elements are"),
        (tf.data.Dataset.from_tensor_slices((tf.ragged.constant(RAGGED), Y)).batch(4), "ragged.*pad"),
        ((X, [{"a": 1}] * 12), "hold|ragged"),
        ((X, Y, RNG.random(5)), "equally many"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused_with_what_to_do(part, message):
    with pytest.raises(BadInput, match=message) as refusal:
        examples(part)
    assert "the data's 'train'" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("given", [(X, Y), [X, Y], None, X, "data"])
def test_data_is_a_dictionary_of_parts(given):
    with pytest.raises(BadInput, match=r"data\(\) gives a .*: give a dictionary"):
        load(lambda: given)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((X, Y, Y + 1.0), "weights already"),
        ((X, {"a": Y}), "several outputs"),
        ((X, X), None),
        ((X, RNG.integers(0, 2, size=(12, 4, 1))), "aren't one class"),
    ],
)
def test_weights_of_classes_need_one_class_for_each_example(part, message):
    weigh = lambda: load(lambda: {"train": part, "validation": (X, Y)}, {1: 3.0})  # noqa: E731
    if message is None:
        expected = np.where(X.argmax(axis=1) == 1, 3.0, 1.0)
        assert np.asarray(weigh()["train"].weights).tolist() == expected.tolist()
        return
    with pytest.raises(BadInput, match=message):
        weigh()
