"""Trainables as people have them: nested configurations and results, lists and None as values, a metric
that comes now and then, an empty folder in the checkpoint, data by `tune.with_parameters`."""

from pathlib import Path

import numpy as np
from ray import tune


class Climber(tune.Trainable):
    """A point that climbs; `reset_config` sets the rate and leaves the place, as in Ray's PBT example"""

    def setup(self, config):
        self.rate, self.place = config["rate"], 0.0

    def reset_config(self, new_config):
        self.rate = new_config["rate"]
        return True

    def step(self):
        self.place += self.rate
        return {"place": self.place}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "place.txt").write_text(repr(self.place))

    def load_checkpoint(self, checkpoint_dir):
        self.place = float(Path(checkpoint_dir, "place.txt").read_text())


class Everything(Climber):
    """A climber that is given, and gives, all kinds of things"""

    def setup(self, config, data=None):
        self.take(config)
        self.place, self.data = 0.0, data

    def take(self, config):
        assert config["layers"] == [64, 32]
        assert config["limit"] is None
        assert config["paths"] == {"data": "/data"}
        assert config["model"]["units"] == 64
        assert config["double"] == 2 * config["whole"]
        assert config["sizes"] is None or isinstance(config["sizes"], list)
        self.rate = config["optimizer"]["rate"] * (1 - config["model"]["dropout"])

    def reset_config(self, new_config):
        self.take(new_config)
        return True

    def step(self):
        assert self.data.sum() == 3
        Path(self.logdir, f"{self.trial_id}-{self.trial_name}.txt").write_text("here")
        self.place += self.rate
        member = int(self.trial_id.rpartition("_")[2])
        measured = {"evaluation": {"place": self.place}} if self.iteration % 3 == 2 else {}
        return {"member": member, "at": self.place, **measured, "words": ["a", "b"]}

    def save_checkpoint(self, checkpoint_dir):
        super().save_checkpoint(checkpoint_dir)
        Path(checkpoint_dir, "assets", "deep").mkdir(parents=True)

    def load_checkpoint(self, checkpoint_dir):
        assert Path(checkpoint_dir, "assets", "deep").is_dir()
        super().load_checkpoint(checkpoint_dir)


EVERYTHING = tune.with_resources(tune.with_parameters(Everything, data=np.ones(3)), {"cpu": 1})

PARAM_SPACE = {
    "optimizer": {"name": "sgd", "rate": tune.uniform(0.1, 1.0)},
    "model": {"units": 64, "dropout": tune.uniform(0.0, 0.5)},
    "sizes": tune.choice([[32], [64, 64], None]),
    "layers": [64, 32],
    "limit": None,
    "paths": {"data": "/data"},
    "whole": tune.randint(1, 9),
    "double": tune.sample_from(lambda spec: 2 * spec.config.whole),
}
HYPERPARAM_MUTATIONS = {
    "optimizer": {"rate": tune.uniform(0.1, 1.0)},
    "model": {"dropout": tune.uniform(0.0, 0.5)},
    "sizes": [[32], [64, 64], None],
}
METRIC, MODE, ITERATIONS = "evaluation/place", "max", 9
