"""A trainable that breaks off its grid: whole numbers in steps of 16, a rate in steps of a thousandth."""

from pathlib import Path

from ray import tune


class Climber(tune.Trainable):
    """A point that climbs in steps"""

    def setup(self, config):
        self.take(config)
        self.place = 0.0

    def take(self, config):
        self.rate, batch = config["rate"], config["batch"]
        assert type(batch) is int
        assert batch in range(16, 129, 16), batch
        assert 1e-3 <= self.rate <= 1
        assert abs(self.rate * 1000 - round(self.rate * 1000)) < 1e-6, self.rate
        assert config["units"] in range(1, 100)

    def reset_config(self, new_config):
        self.take(new_config)
        return True

    def step(self):
        self.place += self.rate
        return {"place": self.place}

    def save_checkpoint(self, checkpoint_dir):
        Path(checkpoint_dir, "place.txt").write_text(repr(self.place))

    def load_checkpoint(self, checkpoint_dir):
        self.place = float(Path(checkpoint_dir, "place.txt").read_text())


PARAM_SPACE = {
    "rate": tune.qloguniform(1e-3, 1.0, 1e-3),
    "batch": tune.qrandint(16, 128, 16),
    "units": tune.lograndint(1, 100),
}
HYPERPARAM_MUTATIONS = PARAM_SPACE
METRIC, MODE, ITERATIONS = "place", "max", 12
