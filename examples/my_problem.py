"""Your own Keras model as a problem: `pbtbench run --problems examples/my_problem.py`."""

from pbtbench import LogUniform, Objective, Problem, Space, Uniform
from pbtbench.adapters.keras import keras_population

SPACE = Space(
    {
        "learning_rate": LogUniform(1e-4, 1e-1),  # dynamic: may change while training
        "dropout": Uniform(0.0, 0.8),
        "activation": "relu",  # a plain value stays as it is
    }
)


def build(hyper):
    import keras

    hidden = keras.layers.Dense(16, hyper["activation"])
    dropout = keras.layers.Dropout(hyper["dropout"])
    model = keras.Sequential([keras.Input((30,)), hidden, dropout, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, keras.optimizers.Adam(hyper["learning_rate"]), loss


def data():
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x, y = load_breast_cancer(return_X_y=True)
    x, test_x, y, test_y = train_test_split(x, y, stratify=y, random_state=0)
    x, validation_x, y, validation_y = train_test_split(x, y, stratify=y, random_state=0)
    scaled = StandardScaler().fit(x).transform
    return {
        "train": (scaled(x), y),
        "validation": (scaled(validation_x), validation_y),
        "test": (scaled(test_x), test_y),  # optional: no decision sees it
    }


PROBLEM = Problem(
    title="a small network that tells malignant from benign",
    source="scikit-learn's breast cancer data",
    finding="what you expect to see",
    test="25% of the table",
    space=SPACE,
    objective=Objective("accuracy", "max", targets=(0.97,), bound=1.0),
    iterations=20,
    steps_per_iteration=10,
    start=keras_population(SPACE, build, data, batch_size=32),
)
