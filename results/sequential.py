"""How often seeds that are added until all is clear decide wrongly, and what they cost: `sequential.csv`.

    python results/sequential.py

Studies are simulated in which methods are held against one baseline, seed by seed: of differences in units of
their standard deviation, from a normal and from a skewed distribution.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pbtbench.statistics.baselines import LEVEL
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.sequential import LEVEL_AT_LOOK, LOOKS
from pbtbench.statistics.signed_rank import signed_rank_p

STUDIES = 2000
METHODS = (1, 4, 10)
EFFECTS = (0.0, 0.3, 0.5, 0.8, 1.2)
SCORES = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
}


def decided(pairs: np.ndarray, level: float) -> np.ndarray:
    """Which methods differ: +1 better, −1 worse, 0 unclear. `pairs`: shape (methods, seeds)."""
    clear = holm([signed_rank_p(row) for row in pairs]) <= level
    return np.where(clear, np.sign(np.median(pairs, axis=1)), 0)


def until_clear(pairs: np.ndarray) -> tuple[np.ndarray, int]:
    """Verdicts at the look where it ends, and how many seeds that took."""
    for seeds in LOOKS:
        found = decided(pairs[:, :seeds], LEVEL_AT_LOOK)
        if found.all():
            break
    return found, seeds


def rates(distribution: str, methods: int, effect: float) -> dict[str, object]:
    """What comes of many studies in which all methods are so much better than the baseline."""
    rng = np.random.default_rng([methods, round(10 * effect), len(distribution)])
    draw = SCORES[distribution]
    wrong = naive = shown = fixed = seeds = 0
    for _ in range(STUDIES):
        baseline = draw(rng, (1, LOOKS[-1]))
        pairs = effect + (draw(rng, (methods, LOOKS[-1])) - baseline) / np.sqrt(2)
        found, taken = until_clear(pairs)
        right = np.sign(effect)
        wrong += bool(((found != 0) & (found != right)).any())
        looks = (
            [decided(pairs[:, :n], LEVEL) for n in range(6, LOOKS[-1] + 1)] if not effect else []
        )
        naive += any(look.any() for look in looks)
        shown += float((found == right).mean()) if effect else 0
        fixed += float((decided(pairs, LEVEL) == right).mean()) if effect else 0
        seeds += taken
    return {
        "distribution": distribution,
        "methods": methods,
        "effect": effect,
        "wrong": wrong / STUDIES,
        "wrong_looking_after_each_seed": naive / STUDIES if not effect else None,
        "shown": shown / STUDIES if effect else None,
        "shown_with_all_seeds": fixed / STUDIES if effect else None,
        "seeds": seeds / STUDIES,
    }


if __name__ == "__main__":
    rows = [rates(d, m, e) for d in SCORES for m in METHODS for e in EFFECTS]
    place = Path(__file__).with_suffix(".csv")
    pd.DataFrame(rows).round(4).to_csv(place, index=False)
    print(place.read_text())
