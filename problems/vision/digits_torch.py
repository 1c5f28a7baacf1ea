"""The digits and the perceptron of `digits_mlp`, in PyTorch: a population that loops over its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from pbtbench.adapters.streams import FIRST, generator
from pbtbench.population import LoopedPopulation, State
from pbtbench.space import Hyperparameters, Space
from problems.vision.digits_mlp import PROBLEM as DIGITS
from problems.vision.digits_mlp import data

SIZES = (64, 32, 32, 10)
BATCH_SIZE = 64
TUNED = ("learning_rate", "momentum", "l1", "dropout")


class TorchMember:
    """A population of one. Every draw is NumPy's, so that it is the same on a CPU and on a GPU."""

    size = 1
    traces = 0

    def __init__(
        self,
        digits: Mapping[str, tuple[Any, Any]],
        hyperparameters: Hyperparameters,
        seed: np.random.SeedSequence,
    ) -> None:
        import torch

        self.digits, self.seed, self.step = digits, seed, 0
        self.weights = {
            name: torch.tensor(array, device=digits["train"][0].device, requires_grad=True)
            for name, array in initial(generator(seed, FIRST)).items()
        }
        self.optimizer = torch.optim.SGD(self.weights.values(), lr=0.0, momentum=0.0)
        for weight in self.weights.values():
            # PyTorch makes them at the first step, but a state has them from the start
            self.optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        self.adopt(0, None, hyperparameters)

    def train(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            self._update(*self.digits["train"])
            self.step += 1
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()

    def _update(self, inputs: Any, labels: Any) -> None:
        import torch

        rng = generator(self.seed, self.step)
        rows = torch.from_numpy(rng.integers(len(labels), size=BATCH_SIZE)).to(labels.device)
        loss = torch.nn.functional.cross_entropy(self._logits(inputs[rows], rng), labels[rows])
        kernels = [w for name, w in self.weights.items() if name.endswith("kernel")]
        loss = loss + self.l1 * sum(kernel.abs().sum() for kernel in kernels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def _logits(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """With dropout where there is a generator to draw it from."""
        import torch

        last = len(SIZES) - 2
        for layer in range(last + 1):
            x = x @ self.weights[f"{layer}/kernel"] + self.weights[f"{layer}/bias"]
            if layer < last:
                x = torch.relu(x)
                if rng is not None:
                    kept = rng.random(x.shape, np.float32) >= self.dropout
                    x = x * torch.from_numpy(kept).to(x.device) / (1 - self.dropout)
        return x

    def evaluate(self) -> Mapping[str, np.ndarray]:
        return self._scores("validation")

    def test(self) -> Mapping[str, np.ndarray]:
        return self._scores("test")

    def _scores(self, part: str) -> Mapping[str, np.ndarray]:
        import torch

        with torch.no_grad():
            inputs, labels = self.digits[part]
            logits = self._logits(inputs)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            accuracy = (logits.argmax(1) == labels).float().mean()
        scores = {"loss": float(loss), "accuracy": float(accuracy)}
        sound = bool(logits.isfinite().all())
        return {name: np.array([score if sound else np.nan]) for name, score in scores.items()}

    def state(self, member: int) -> State:
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self._tensors()}
        return {**arrays, "step": np.array(self.step, np.int64)}

    def adopt(self, member: int, state: State | None, hyperparameters: Hyperparameters) -> None:
        import torch

        if state is not None:
            with torch.no_grad():
                for name, tensor in self._tensors():
                    tensor.copy_(torch.tensor(state[name]))
            self.step = int(state["step"])
        (group,) = self.optimizer.param_groups
        group["lr"] = float(hyperparameters["learning_rate"])
        group["momentum"] = float(hyperparameters["momentum"])
        self.l1, self.dropout = float(hyperparameters["l1"]), float(hyperparameters["dropout"])

    def _tensors(self) -> list[tuple[str, Any]]:
        """All that a state holds, but for the step."""
        slots = [
            (f"momentum/{n}", self.optimizer.state[w]["momentum_buffer"])
            for n, w in self.weights.items()
        ]
        return [*((f"weights/{n}", w) for n, w in self.weights.items()), *slots]


def initial(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Kernels as of Glorot and Bengio 2010, uniform; biases of zero."""
    weights = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(SIZES)):
        limit = np.sqrt(6 / (fan_in + fan_out))
        kernel = rng.uniform(-limit, limit, (fan_in, fan_out))
        weights[f"{layer}/kernel"] = kernel.astype(np.float32)
        weights[f"{layer}/bias"] = np.zeros(fan_out, np.float32)
    return weights


def start(
    hyperparameters: Sequence[Hyperparameters], seeds: Sequence[np.random.SeedSequence]
) -> LoopedPopulation:
    """Members that share the data, on the GPU if PyTorch sees one."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    digits = {
        part: (
            torch.tensor(inputs, dtype=torch.float32, device=device),
            torch.tensor(labels, dtype=torch.int64, device=device),
        )
        for part, (inputs, labels) in data().items()
    }
    members = zip(hyperparameters, seeds, strict=True)
    return LoopedPopulation([TorchMember(digits, h, seed) for h, seed in members])


PROBLEM = replace(
    DIGITS,
    title="the perceptron of vision.digits_mlp in PyTorch, its members trained one after another",
    finding="What vision.digits_mlp shows doesn't hang on TensorFlow: nothing but the drawn numbers differs.",
    space=Space({name: DIGITS.space[name] for name in TUNED}),
    start=start,
    framework="torch",
    requires={"torch": 'pip install "torch>=2.2"'},
)
