"""What looking for regressions costs: of an ordinary pytest, of a comparison of many benchmarks, and of a long
history."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from commands import pbtbench
from sittings import a_sitting, an_entry

from pbtbench.regression import history, sitting
from pbtbench.regression.sitting import Loaded

MANY, ROUNDS = 1000, 5

SERIES, SITTINGS = 100, 1000


def test_what_the_plugin_adds(benchmark, tmp_path):
    """Milliseconds by which an ordinary pytest takes longer with the plugin than without it, in turns."""
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]

    def seconds(*more: str) -> float:
        start = time.perf_counter()
        subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL, cwd=tmp_path)
        return time.perf_counter() - start

    added = []
    benchmark.pedantic(
        lambda: added.append(seconds() - seconds("-p", "no:pbtbench")), rounds=11, warmup_rounds=1
    )
    benchmark.extra_info["ms_added"] = 1e3 * float(np.median(added[1:]))
    benchmark.extra_info["ms_least_most"] = [1e3 * min(added[1:]), 1e3 * max(added[1:])]


def test_comparing_a_thousand_benchmarks(benchmark, tmp_path):
    """Seconds of `pbtbench compare` of two files."""
    rng = np.random.default_rng(0)
    for name in ("base", "new"):
        seconds = rng.lognormal(sigma=0.05, size=(MANY, 4, ROUNDS)).tolist()
        benchmarks = {
            f"test_{i}": an_entry(
                {
                    "forks": [4] * ROUNDS,
                    "final_score": [0.5] * ROUNDS,
                    **dict(
                        zip(("wall_s", "train_s", "save_s", "checkpoint_overhead"), of, strict=True)
                    ),
                }
            )
            for i, of in enumerate(seconds)
        }
        sitting.write(tmp_path / f"{name}.json", a_sitting(**benchmarks))
    files = [str(tmp_path / f"{name}.json") for name in ("base", "new")]
    benchmark.pedantic(lambda: pbtbench("compare", *files), rounds=5, warmup_rounds=1)


def test_a_history_of_a_hundred_series(benchmark, tmp_path):
    """Seconds of `pbtbench history` of a thousand sittings, the page and all."""
    rng = np.random.default_rng(0)
    seconds = rng.lognormal(sigma=0.05, size=(SITTINGS, SERIES // 2))
    seconds[SITTINGS // 3 :, ::2] *= 1.2
    entries = {
        f"test_{i}": an_entry({"forks": [4] * ROUNDS, "wall_s": [1.0] * ROUNDS})
        for i in range(SERIES // 2)
    }
    one = history.line(Loaded(Path("measured"), a_sitting(**entries)))
    for place, of in enumerate(seconds.tolist()):
        for entry, wall in zip(one.benchmarks.values(), of, strict=True):
            entry["pbt"].spread["wall_s"] = (wall, wall, wall)
        with (tmp_path / "m.jsonl").open("a") as file:
            file.write(one.model_copy(update={"commit": f"{place:040x}"}).model_dump_json() + "\n")
    command = ["history", str(tmp_path), "--page", str(tmp_path / "page.html")]
    benchmark.pedantic(lambda: pbtbench(*command), rounds=5, warmup_rounds=1)
    benchmark.extra_info["megabytes"] = (tmp_path / "page.html").stat().st_size / 1e6
