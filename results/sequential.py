"""How often seeds that are added until all is clear decide wrongly, and what they cost: `sequential.csv`.

    python results/sequential.py

Studies are simulated in which methods are held against one baseline, seed by seed: of differences in units of
their standard deviation, from a normal and from a skewed distribution.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

from pbtbench.statistics.baselines import LEVEL
from pbtbench.statistics.ranks import holm
from pbtbench.statistics.sequential import LEVEL_AT_LOOK, LOOKS

STUDIES = 4000
METHODS = (1, 4, 10)
EFFECTS = (0.0, 0.3, 0.5, 0.8, 1.2)
SCORES = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: rng.exponential(size=shape) - 1,
}


def decided(pairs: np.ndarray, level: float) -> np.ndarray:
    """Of each study which methods differ: +1 better, −1 worse, 0 unclear. `pairs`: shape (studies, methods,
    seeds), without ties, where SciPy's exact test is `signed_rank_p`."""
    p = wilcoxon(pairs, axis=-1, method="exact").pvalue
    clear = np.array([holm(row) for row in p]) <= level
    above = wilcoxon(pairs, axis=-1, alternative="greater", method="exact").pvalue < 0.5
    return np.where(clear, np.where(above, 1, -1), 0)


def until_clear(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Verdicts at the look where each study ends, and how many seeds it took."""
    found = decided(pairs[:, :, : LOOKS[0]], LEVEL_AT_LOOK)
    seeds = np.full(len(pairs), LOOKS[0])
    for n in LOOKS[1:]:
        going = (found == 0).any(axis=1)
        found[going] = decided(pairs[going, :, :n], LEVEL_AT_LOOK)
        seeds[going] = n
    return found, seeds


def rates(distribution: str, methods: int, effect: float) -> dict[str, object]:
    """What comes of many studies in which all methods are so much better than the baseline."""
    rng = np.random.default_rng([methods, round(10 * effect), len(distribution)])
    draw = SCORES[distribution]
    shape = STUDIES, methods, LOOKS[-1]
    baseline = draw(rng, (STUDIES, 1, LOOKS[-1]))
    pairs = effect + (draw(rng, shape) - baseline) / np.sqrt(2)
    found, seeds = until_clear(pairs)
    all_seeds = decided(pairs, LEVEL)
    none = not effect
    looks = range(6, LOOKS[-1] + 1) if none else ()
    each = [decided(pairs[:, :, :n], LEVEL).any(axis=1) for n in looks]
    return {
        "distribution": distribution,
        "methods": methods,
        "effect": effect,
        "wrong": ((found != 0) if none else (found < 0)).any(axis=1).mean(),
        "wrong_looking_after_each_seed": np.any(each, axis=0).mean() if none else None,
        "shown": None if none else (found > 0).mean(),
        "shown_with_all_seeds": None if none else (all_seeds > 0).mean(),
        "seeds": seeds.mean(),
    }


if __name__ == "__main__":
    rows = [rates(d, m, e) for d in SCORES for m in METHODS for e in EFFECTS]
    place = Path(__file__).with_suffix(".csv")
    pd.DataFrame(rows).round(4).to_csv(place, index=False)
    print(place.read_text())
