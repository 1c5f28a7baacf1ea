"""A function trainable that reports checkpoints, and one that ends early; a class that wants two CPUs."""

import tempfile
from pathlib import Path

from ray import tune


def train(config, steps=100):
    place, checkpoint = 0.0, tune.get_checkpoint()
    if checkpoint:
        with checkpoint.as_directory() as folder:
            place = float(Path(folder, "place.txt").read_text())
    for _ in range(steps):
        place += config["rate"]
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "place.txt").write_text(repr(place))
            tune.report({"place": place}, checkpoint=tune.Checkpoint.from_directory(folder))


SHORT = tune.with_parameters(train, steps=4)


class Greedy(tune.Trainable):
    """One that asks for two CPUs"""

    @classmethod
    def default_resource_request(cls, config):
        return tune.PlacementGroupFactory([{"CPU": 1 + (config["rate"] >= 0)}])

    def step(self):
        import ray

        found = ray.get_runtime_context().get_assigned_resources() if ray.is_initialized() else {}
        return {"place": 1.0, "cpus": float(found.get("CPU", -1))}

    def save_checkpoint(self, checkpoint_dir):
        return {"place": 1.0}

    def load_checkpoint(self, checkpoint): ...


PARAM_SPACE = {"rate": tune.uniform(0.1, 1.0)}
HYPERPARAM_MUTATIONS = PARAM_SPACE
METRIC, MODE, ITERATIONS = "place", "max", 6
