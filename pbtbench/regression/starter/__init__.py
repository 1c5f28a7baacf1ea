"""`pbtbench ci init`: what a repository needs for CI to hold each change against a baseline.

The texts stand beside this file: a workflow for each provider, a first benchmark, and what is allowed of it.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from pbtbench import __version__
from pbtbench.errors import BadInput, Failed
from pbtbench.store.files import Folder, described

BENCHMARK, GATE = "benchmarks/test_pbt.py", "benchmarks/gate.toml"
BASELINE = "benchmarks/baseline.json"

WORKFLOWS = {
    "github": (".github/workflows/pbtbench.yml", "github.yml"),
    "gitlab": (".gitlab-ci.pbtbench.yml", "gitlab.yml"),
}
"""Provider -> where its workflow stands in a repository, and its text here."""

MOVE = ("--benchmark", "benchmarks", f"--benchmark-gate={BASELINE}", "--benchmark-gate-update")
"""The flags of pytest that make a baseline, and move it."""

NEXT = {
    "github": "commit these files: each pull request is then held against the baseline",
    "gitlab": "commit these files, with the line `include: .gitlab-ci.pbtbench.yml` in .gitlab-ci.yml: each "
    "merge request is then held against the baseline",
}
"""What to do once they are written."""

LIMIT_S = 600
"""Seconds within which the benchmarks must end."""


def repository() -> Path:
    """The root of the git repository that one stands in; `BadInput` where there is none."""
    with described(Path()):
        here = Path.cwd()
        for place in (here, *here.parents):
            if (place / ".git").exists():
                return place
    raise BadInput(f"{here}: not in a git repository; go to one, or make one by git init")


def write(root: Path, provider: str, *, baseline: bool, force: bool) -> list[str]:
    """Write a workflow and a first benchmark, both or neither, and give their places in the repository.
    `BadInput`, with nothing written, if something stands in their way, or in that of the `baseline` that is
    to be made, unless `force`."""
    workflow, text = WORKFLOWS[provider]
    new = {
        workflow: _text(text).replace("pbtbench==VERSION", f"pbtbench=={__version__}"),
        BENCHMARK: _text("test_pbt.txt"),
        GATE: _text("gate.toml"),
    }
    folder = Folder(root)
    places = [*new, BASELINE] if baseline else [*new]
    there = [place for place in places if folder.has(place)]
    if there and not force:
        raise BadInput(f"{root}: already there: {', '.join(there)}; --force writes over them")
    absent = [
        above
        for place in new
        for above in (root / place).parents
        if root in above.parents and not above.exists()
    ]
    written: list[str] = []
    try:
        for place, content in new.items():
            folder.write(place, content.encode())
            written.append(place)
    except (BadInput, Failed):
        folder.clear([place for place in written if place not in there], absent)
        raise
    return written


def make_baseline(root: Path) -> None:
    """Run the benchmarks of a repository once, for its baseline, with pytest's own output; `Failed` if they
    don't pass."""
    again = f"mend it, and run: python -m pytest {' '.join(MOVE)}"
    command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", *MOVE]
    try:
        made = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{BASELINE}: the benchmarks take more than {LIMIT_S} s; {again}") from None
    if made.returncode:
        raise Failed(f"{BASELINE}: not made, for what pytest says above; {again}")


def _text(name: str) -> str:
    return files(__name__).joinpath(name).read_text("utf-8")
