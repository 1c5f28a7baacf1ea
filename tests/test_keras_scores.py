"""Scores of Keras models: what `accuracy` is of, Keras's own metrics, losses, evaluation in batches."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score
from small_models import (
    BINARY,
    CLASSES,
    PROBABLE,
    SIDES,
    SPACE,
    SPARSE,
    WORDS,
    X,
    dense,
    population,
    scored,
    start,
    words,
)

from pbtbench import BadInput, Objective, Problem
from pbtbench.adapters import scoring

L = keras.layers


def accuracy(*arguments):
    return scored(*arguments)[0]["accuracy"]


def test_one_logit_says_yes_above_zero():
    found, predictions = scored(dense(1), BINARY, SIDES)
    assert found["accuracy"] == pytest.approx(np.mean((predictions[:, 0] > 0) == SIDES))


def test_one_probability_says_yes_above_a_half():
    found, predictions = scored(dense(1, "sigmoid"), PROBABLE, SIDES[:, None])
    assert found["accuracy"] == pytest.approx(np.mean((predictions[:, 0] > 0.5) == SIDES))


def test_a_margin_says_yes_above_zero():
    for loss in ("hinge", keras.losses.SquaredHinge()):
        found, predictions = scored(dense(1), loss, SIDES[:, None])
        assert found["accuracy"] == pytest.approx(np.mean((predictions[:, 0] > 0) == SIDES))


def test_a_crossentropy_is_chosen_by_the_shapes_as_in_compile():
    found, predictions = scored(dense(3, "softmax"), "crossentropy", CLASSES)
    right = np.asarray(predictions)[np.arange(50), CLASSES]
    assert found["loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)


def test_weights_that_a_loss_of_several_outputs_does_not_take_are_refused():
    def make():
        inputs = keras.Input((4,))
        return keras.Model(inputs, {"a": L.Dense(1)(inputs), "b": L.Dense(1)(inputs)})

    def loss(labels, found):
        return keras.ops.mean((labels["a"] - found["a"]) ** 2)

    def weighted(labels, found, weights):
        return weights * keras.ops.mean((labels["a"] - found["a"]) ** 2, axis=-1)

    labels = {"a": X[:, :1], "b": X[:, :1]}
    weights = np.linspace(0.1, 2.0, 50)
    with pytest.raises(BadInput, match="let it take the weights as a third argument"):
        population(start(make, loss, (labels, weights), metrics=())).evaluate()
    found, predictions = scored(make, weighted, (labels, weights), metrics=())
    distance = (X[:, 0] - np.asarray(predictions["a"])[:, 0]) ** 2
    assert found["loss"] == pytest.approx((weights * distance).mean(), rel=1e-5)


def test_one_output_learns_what_it_can():
    p = population(start(dense(1), BINARY, SIDES))
    p.train(300)
    assert p.evaluate()["accuracy"][0] > 0.9


def test_one_hot_labels_are_right_where_the_largest_is():
    one_hot = np.eye(3)[CLASSES]
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    found, predictions = scored(dense(3), loss, one_hot)
    assert found["accuracy"] == pytest.approx(np.mean(np.argmax(predictions, 1) == CLASSES))


def test_a_label_for_each_place_is_counted_at_each():
    found, predictions = scored(words(), SPARSE, WORDS % 3, WORDS)
    assert found["accuracy"] == pytest.approx(np.mean(np.argmax(predictions, -1) == WORDS % 3))


def test_masked_places_do_not_count():
    found, predictions = scored(words(mask_zero=True), SPARSE, WORDS % 3, WORDS)
    hits = np.argmax(predictions, -1) == WORDS % 3
    assert found["accuracy"] == pytest.approx(hits[WORDS > 0].mean())


@pytest.mark.parametrize(
    ("make", "loss", "labels", "message"),
    [
        (dense(1), "mse", X[:, 0], "labels 0 and 1.*regression"),
        (dense(3), SPARSE, CLASSES + 1, "labels 0 to 2.*1, 2, 3"),
        (dense(3), "binary_crossentropy", (X[:, :3] > -1).astype(int), "one-hot.*BinaryAccuracy"),
        (dense(3), "mse", X[:, :2], r"shape|Shape"),
        (dense(1), lambda y, p: keras.ops.mean(p), SIDES, "logits.*threshold"),
    ],
)
def test_labels_that_accuracy_does_not_know_are_refused(make, loss, labels, message):
    with pytest.raises(BadInput, match=message):
        population(start(make, loss, labels)).evaluate()


def test_metrics_of_keras_by_name_and_by_object_are_what_they_are_in_compile():
    metrics = ("auc", "mae", keras.metrics.BinaryAccuracy(name="right"), keras.metrics.F1Score())
    found, predictions = scored(dense(1, "sigmoid"), PROBABLE, SIDES[:, None], metrics=metrics)
    fresh = [keras.metrics.AUC(), keras.metrics.MeanAbsoluteError(), *metrics[2:]]
    for name, metric in zip(("auc", "mae", "right", "f1_score"), fresh, strict=True):
        metric.reset_state()
        metric.update_state(SIDES[:, None], predictions)
        assert found[name] == pytest.approx(float(np.squeeze(metric.result())), abs=1e-6), name


def test_a_metric_that_keeps_state_starts_afresh_for_every_member_and_evaluation():
    p = population(
        start(dense(1, "sigmoid"), PROBABLE, SIDES[:, None], metrics=(keras.metrics.AUC(),)), 2
    )
    first = p.evaluate()["auc"]
    again = p.evaluate()["auc"]
    assert first.tolist() == again.tolist()
    alone = population(start(dense(1, "sigmoid"), PROBABLE, SIDES[:, None], metrics=("auc",)), 2)
    assert first == pytest.approx(alone.evaluate()["auc"])
    assert first[0] != first[1]


def test_a_function_that_keeps_a_metric_is_refused():
    kept = keras.metrics.AUC()

    def auc(labels, predictions):
        kept.update_state(labels, predictions)
        return kept.result()

    p = population(start(dense(1, "sigmoid"), PROBABLE, SIDES[:, None], metrics=(auc,)))
    with pytest.raises(BadInput, match=r"evaluating changes the variable.*keras.metrics itself"):
        p.evaluate()


def test_a_name_of_a_metric_of_probabilities_is_told_of_logits():
    found, predictions = scored(dense(1), BINARY, SIDES[:, None], metrics=("auc",))
    fresh = keras.metrics.AUC(from_logits=True)
    fresh.update_state(SIDES[:, None], predictions)
    assert found["auc"] == pytest.approx(float(fresh.result()), abs=1e-6)


@pytest.mark.parametrize(
    "metric", [keras.metrics.AUC(), keras.metrics.Precision(), keras.metrics.BinaryAccuracy()]
)
def test_a_metric_of_probabilities_on_logits_is_refused(metric):
    with pytest.raises(BadInput, match=r"takes probabilities.*logits"):
        population(start(dense(1), BINARY, SIDES[:, None], metrics=(metric,))).evaluate()


def test_a_metric_whose_labels_have_another_form_is_refused_with_the_one_that_fits():
    with pytest.raises(BadInput, match="SparseCategoricalAccuracy"):
        population(
            start(
                dense(3), SPARSE, CLASSES, metrics=("categorical_accuracy", "CategoricalAccuracy")
            )
        ).evaluate()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (("acuracy",), "did you mean 'accuracy'"),
        ((keras.metrics.Mean(),), "can't take labels of shape"),
        ((3,), "3 is no metric"),
        ((lambda y, p: 0.0,), "no name"),
        (("accuracy", "accuracy"), "two scores are called 'accuracy'"),
        ((tf.keras.losses.mse, "mse"), None),
    ],
)
def test_what_is_no_metric_is_refused(metrics, message):
    started = start(
        dense(3),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        np.eye(3)[CLASSES],
        metrics=metrics,
    )
    if message is None:
        assert {"mean_squared_error", "mse"} <= set(population(started).evaluate())
        return
    with pytest.raises(BadInput, match=message):
        population(started).evaluate()


def test_a_metric_that_gives_a_number_for_each_class_is_refused():
    one_hot = np.eye(3)[CLASSES]
    each = (keras.metrics.F1Score(),)
    with pytest.raises(BadInput, match=r"'f1_score' gives 3 numbers.*average='macro'"):
        population(
            start(dense(3, "softmax"), "categorical_crossentropy", one_hot, metrics=each)
        ).evaluate()
    macro = (keras.metrics.F1Score("macro"),)
    found, _ = scored(dense(3, "softmax"), "categorical_crossentropy", one_hot, metrics=macro)
    assert 0 <= found["f1_score"] <= 1


def test_functions_of_numpy_and_scikit_learn_run_outside_the_graph():
    def area(labels, predictions):
        return roc_auc_score(labels, predictions)

    def furthest(labels, predictions):
        return np.abs(labels - predictions).max()

    found, predictions = scored(
        dense(1, "sigmoid"), PROBABLE, SIDES[:, None], metrics=(area, furthest, roc_auc_score)
    )
    right = roc_auc_score(SIDES, np.asarray(predictions)[:, 0])
    assert found["area"] == found["roc_auc_score"] == pytest.approx(right)
    assert found["furthest"] == pytest.approx(np.abs(SIDES[:, None] - predictions).max())


def test_outside_the_graph_a_member_that_diverged_scores_nan_while_others_go_on():
    def area(labels, predictions):
        return roc_auc_score(labels, predictions)

    p = population(start(dense(1, "sigmoid"), PROBABLE, SIDES[:, None], metrics=(area,)), 3)
    broken = p.state(1)
    broken["weights/0/kernel"] = np.full_like(broken["weights/0/kernel"], np.inf)
    p.adopt(1, broken, {"rate": 0.1})
    assert np.isfinite(p.evaluate()["area"]).tolist() == [True, False, True]


def test_a_function_of_each_example_is_averaged():
    def distance(labels, predictions):
        return keras.ops.abs(labels - predictions[:, 0])

    found, predictions = scored(dense(1), "mse", X[:, 0], metrics=(distance,))
    assert found["distance"] == pytest.approx(np.abs(X[:, 0] - predictions[:, 0]).mean(), abs=1e-6)


def root(labels, predictions):
    """No mean over examples: batches' values don't add up to it."""
    return keras.ops.sqrt(keras.ops.mean((labels - predictions) ** 2))


def largest(labels, predictions):
    return np.abs(labels - predictions).max()


@pytest.mark.parametrize(
    "loss", ["mse", root, keras.losses.MeanSquaredError("sum"), keras.losses.Huber()]
)
@pytest.mark.parametrize("labels", [X[:, :1], (X[:, :1], np.linspace(0.1, 2.0, 50))])
def test_in_batches_scores_are_those_of_all_at_once(monkeypatch, loss, labels):
    metrics = ("mae", keras.metrics.RootMeanSquaredError(name="rmse"), root, largest)
    whole, _ = scored(dense(1), loss, labels, metrics=metrics, batch_size=8)
    monkeypatch.setattr(scoring, "BATCH_BYTES", 1)
    batches, _ = scored(dense(1), loss, labels, metrics=metrics, batch_size=8)
    assert batches == pytest.approx(whole, rel=1e-5)


def test_masked_places_count_alike_in_batches(monkeypatch):
    metrics = ("accuracy", keras.metrics.SparseCategoricalAccuracy(name="sparse"), places)
    whole, _ = scored(
        words(mask_zero=True), SPARSE, WORDS % 3, WORDS, metrics=metrics, batch_size=8
    )
    monkeypatch.setattr(scoring, "BATCH_BYTES", 1)
    batches, _ = scored(
        words(mask_zero=True), SPARSE, WORDS % 3, WORDS, metrics=metrics[:2], batch_size=8
    )
    assert batches == pytest.approx({n: whole[n] for n in batches}, rel=1e-5)
    assert whole["sparse"] == pytest.approx(whole["accuracy"])


def places(labels, predictions):
    return keras.ops.mean(predictions)


def test_two_outputs_have_metrics_by_their_names():
    def make():
        inputs = keras.Input((4,))
        return keras.Model(inputs, {"kind": L.Dense(3)(inputs), "size": L.Dense(1)(inputs)})

    labels = {"kind": CLASSES, "size": X[:, :1]}
    loss = {"kind": SPARSE, "size": "mse"}
    found, predictions = scored(make, loss, labels, metrics={"kind": "accuracy", "size": ["mae"]})
    right = np.mean(np.argmax(predictions["kind"], 1) == CLASSES)
    assert found["kind_accuracy"] == pytest.approx(right)
    assert found["size_mae"] == pytest.approx(
        np.abs(X[:, :1] - predictions["size"]).mean(), abs=1e-6
    )
    with pytest.raises(BadInput, match="outputs kind, size: say which"):
        population(start(make, loss, labels)).evaluate()
    with pytest.raises(BadInput, match="did you mean 'kind'"):
        population(start(make, loss, labels, metrics={"kinds": "accuracy"})).evaluate()


def test_a_model_s_own_loss_is_its_score():
    class Doubled(keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2 * super().compute_loss(x, y, y_pred, sample_weight, training)

    twice, _ = scored(
        lambda: Doubled([keras.Input((4,)), L.Dense(1)]), "mse", X[:, :1], metrics=("mse",)
    )
    assert twice["loss"] == pytest.approx(2 * twice["mse"], rel=1e-5)


def test_the_validation_s_accuracy_may_be_called_as_in_keras_logs():
    problem = Problem(
        title="val", source="", finding="", space=SPACE, objective=Objective("val_accuracy", "max"),
        iterations=1, steps_per_iteration=1, start=start(dense(3), SPARSE, CLASSES),
    )  # fmt: skip
    assert problem.objective.metric == "accuracy"


IMAGES = """
import resource, sys
import keras, numpy as np
from pbtbench import LogUniform, Space
from pbtbench.adapters.keras import keras_population
from pbtbench.problem import member_seed

def build(hyper):
    wide = lambda: keras.layers.Conv2D(32, 3, padding="same", activation="relu")
    layers = [wide(), wide(), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((96, 96, 3)), *layers])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, keras.optimizers.SGD(hyper["rate"]), loss

def data():
    x = np.random.default_rng(0).random((1032, 96, 96, 3), dtype="float32")
    y = np.arange(1032) % 2
    return {"train": (x[:32], y[:32]), "validation": (x[32:], y[32:])}

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

space = Space({"rate": LogUniform(0.01, 0.1)})
start = keras_population(space, build, data, batch_size=32)
p = start([{"rate": 0.01}], [member_seed(0, 0)])
p.train(2)
trained = peak()
p.evaluate()
print(peak() - trained)
"""


def test_evaluating_a_thousand_images_takes_less_than_300_mb_beyond_training():
    ran = subprocess.run([sys.executable, "-c", IMAGES], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 300
