"""What is not public of Keras and TensorFlow is used in one module for each, and is as it was. Where a test
here fails after an upgrade, its message says what moved, and that module is the one to mend."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import pbtbench
import problems
from pbtbench.adapters import keras_internals, tensorflow_internals

ROOTS = [Path(package.__file__).parent for package in (pbtbench, problems)]


@pytest.fixture(scope="module")
def model():
    """A model, compiled with two metrics, that branches and passes on a mask."""
    given = keras.Input((3,), dtype="int32")
    embedded = keras.layers.Embedding(5, 2, mask_zero=True)(given)
    joined = keras.layers.Add(name="joined")([embedded, embedded * 2])
    found = keras.Model(given, keras.layers.Dense(1, name="last")(joined))
    found.compile(
        keras.optimizers.SGD(0.1, clipnorm=1.0),
        "mse",
        metrics=["mae"],
        weighted_metrics=["mse"],
    )
    return found


def moved(name):
    return f"Keras {keras.__version__} has moved or changed {name}: see adapters/keras_internals.py"


def moved_in_tensorflow(name):
    return (
        f"TensorFlow {tf.__version__} has moved or changed {name}: "
        "see adapters/tensorflow_internals.py"
    )


LABELS, PREDICTIONS = tf.constant([[1.0], [3.0]]), tf.constant([[0.0], [1.0]])


def test_a_model_s_loss_can_be_computed(model):
    assert hasattr(model, "_compile_loss"), moved("Model._compile_loss")
    loss = keras_internals.data_loss(model, LABELS, PREDICTIONS, None)
    assert float(loss) == 2.5, moved("Model._compile_loss")


def test_a_model_may_have_no_loss():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd")
    assert keras_internals.data_loss(model, LABELS, PREDICTIONS, None) is None, moved(
        "Model._compile_loss of a model without a loss"
    )
    assert keras_internals.compiled_metrics(model) == (None, None), moved("Model._compile_metrics")


def test_a_model_s_loss_is_made_of_loss_objects(model):
    model._compile_loss(LABELS, PREDICTIONS)
    assert hasattr(model._compile_loss, "_flat_losses"), moved("CompileLoss._flat_losses")
    (single,) = keras_internals.single_losses(model, LABELS, PREDICTIONS)
    assert isinstance(single, keras.losses.Loss), moved("CompileLoss._flat_losses")
    assert keras_internals.is_mean_of_examples(single, LABELS, PREDICTIONS), moved(
        "what Loss.reduction says"
    )


def test_a_model_knows_the_metrics_that_it_was_compiled_with(model):
    assert hasattr(model, "_compile_metrics"), moved("Model._compile_metrics")
    for name in ("_user_metrics", "_user_weighted_metrics"):
        assert hasattr(model._compile_metrics, name), moved(f"CompileMetrics.{name}")
    assert keras_internals.compiled_metrics(model) == (["mae"], ["mse"]), moved(
        "what CompileMetrics keeps"
    )


def test_metrics_are_numbered_as_they_are_made():
    keras.metrics.AUC()
    again = keras.metrics.AUC()
    assert re.fullmatch(r"auc_\d+", again.name), moved("how metrics are numbered")
    assert keras_internals.lasting_name(again) == "auc", moved("utils.naming.to_snake_case")


def test_an_optimizer_clips_gradients(model):
    assert hasattr(model.optimizer, "_clip_gradients"), moved("Optimizer._clip_gradients")
    (clipped,) = keras_internals.clipped(model.optimizer, [tf.constant([3.0, 4.0])])
    np.testing.assert_allclose(clipped, [0.6, 0.8], err_msg=moved("Optimizer._clip_gradients"))


def test_layers_know_what_they_take_from(model):
    counts = {layer.name: keras_internals.takes_from(layer) for layer in model.layers}
    assert counts["joined"] == 2, moved("Layer._inbound_nodes")
    assert counts["last"] == 1, moved("Layer._inbound_nodes")


def test_a_loss_knows_its_options():
    assert keras_internals.options_of(keras.losses.Huber(delta=2.0)) == {"delta": 2.0}, moved(
        "LossFunctionWrapper._fn_kwargs"
    )
    for loss, logits in (
        (keras.losses.BinaryCrossentropy(from_logits=True), True),
        (keras.losses.SparseCategoricalCrossentropy(), False),
        ("hinge", True),
        ("ce", False),
    ):
        assert keras_internals.from_logits(loss) is logits, moved(f"what tells logits of {loss}")


def test_predictions_carry_their_mask():
    embedded = keras.layers.Embedding(5, 2, mask_zero=True)(tf.constant([[1, 0, 2]]))
    mask = keras_internals.mask_of(embedded)
    assert mask is not None, moved("the attribute _keras_mask")
    assert mask.numpy().tolist() == [[True, False, True]], moved("the attribute _keras_mask")


def test_a_default_writer_writes_to_what_it_says_also_from_a_graph(tmp_path):
    writer = tensorflow_internals.member_writer()
    graph = tf.function(lambda: tf.summary.scalar("x", 1.0))
    for log in ("one", "other"):
        writer.turn_to("run", str(tmp_path / log))
        with writer.as_default(writer.step):
            assert graph(), moved_in_tensorflow("FuncGraph.capture_call_time_value")
            assert tf.summary.scalar("x", 1.0), moved_in_tensorflow("SummaryWriter._resource")
    writer.close()
    written = {file.parent.name: file.read_bytes().count(b"x") for file in tmp_path.glob("*/*")}
    assert set(written) == {"one", "other"}, moved_in_tensorflow("what tf.summary writes to")
    assert len(set(written.values())) == 1, moved_in_tensorflow("what tf.summary writes to")


def test_vectorized_map_can_be_taught_an_operation():
    seen = []

    def conversion(given):
        seen.append(tensorflow_internals.attribute(given, "T"))
        each = tensorflow_internals.of_each_member(given, 0)
        return tensorflow_internals.stacked([-number for number in each])

    from tensorflow.python.ops.parallel_for import pfor

    assert hasattr(pfor, "_pfor_converter_registry"), moved_in_tensorflow(
        "pfor._pfor_converter_registry"
    )
    known = dict(pfor._pfor_converter_registry)
    try:
        pfor._pfor_converter_registry.pop("Erf")
        tensorflow_internals.register_conversion("Erf", conversion)
        found = tf.vectorized_map(tf.math.erf, tf.constant([1.0, 2.0]), False)
    finally:
        pfor._pfor_converter_registry.clear()
        pfor._pfor_converter_registry.update(known)
    assert found.numpy().tolist() == [-1.0, -2.0], moved_in_tensorflow("pfor.RegisterPFor")
    assert seen == [tf.float32], moved_in_tensorflow("the inputs of a conversion (get_attr)")


PRIVATE = {"keras_internals.py", "tensorflow_internals.py", "ray_internals.py"}
"""Modules that may use what isn't public."""


def test_private_names_of_frameworks_stand_in_their_modules_alone():
    found = []
    for file in (f for root in ROOTS for f in root.rglob("*.py") if f.name not in PRIVATE):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names]
                module = getattr(node, "module", None) or ""
                places = [module, *(f"{module}.{n}".strip(".") for n in names)]
                if any(re.match(r"(keras\.src|tensorflow\.python|ray\._)", p) for p in places):
                    found.append(f"{file.name}:{node.lineno} {places[-1]}")
            if isinstance(node, ast.Constant) and str(node.value).startswith("_keras_"):
                found.append(f"{file.name}:{node.lineno} {node.value}")
    assert not found
