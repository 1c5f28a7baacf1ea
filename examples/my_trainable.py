"""PBT that you have on Ray Tune, measured: `pbtbench run --problems examples/my_trainable.py:Digits`."""

from pathlib import Path

import numpy as np
from ray import tune
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier


class Digits(tune.Trainable):
    """A linear classifier of scikit-learn's digits"""

    def setup(self, config):
        x, y = load_digits(return_X_y=True)
        self.data, self.held_out = (x[:1200] / 16, y[:1200]), (x[1200:] / 16, y[1200:])
        rate, alpha = config["learning_rate"], config["alpha"]
        self.model = SGDClassifier(learning_rate="constant", eta0=rate, alpha=alpha, random_state=0)
        self.model.partial_fit(*self.data, classes=range(10))

    def reset_config(self, new_config):
        self.setup(new_config)
        return True

    def step(self):
        self.model.partial_fit(*self.data)
        return {"accuracy": self.model.score(*self.held_out)}

    def save_checkpoint(self, checkpoint_dir):
        np.savez(Path(checkpoint_dir, "model.npz"), w=self.model.coef_, b=self.model.intercept_)

    def load_checkpoint(self, checkpoint_dir):
        with np.load(Path(checkpoint_dir, "model.npz")) as file:
            self.model.coef_, self.model.intercept_ = file["w"], file["b"]


# What you gave tune.Tuner and PopulationBasedTraining:
PARAM_SPACE = {"learning_rate": tune.loguniform(1e-4, 1.0), "alpha": 1e-4}
HYPERPARAM_MUTATIONS = {"learning_rate": tune.loguniform(1e-4, 1.0)}
METRIC, MODE, ITERATIONS = "accuracy", "max", 20
