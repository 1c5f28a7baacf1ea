"""The gate at the end of `pytest --benchmark --benchmark-gate=BASELINE`."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from pbtbench.errors import BadInput, Failed
from pbtbench.regression import gate, sitting, thresholds
from pbtbench.report.comparison import print_comparison, remarks
from pbtbench.store.files import described

FAILED, USAGE = 1, 4
"""Exit codes of pytest."""

WIDTH = 110


class Gate:
    """Compares what a session's benchmarks measure with a baseline."""

    def __init__(self, baseline: Path, root: Path, *, update: bool) -> None:
        """`root`: of the project, whose `pyproject.toml` may have thresholds. `BadInput` for a baseline that
        can't be read, or isn't there and isn't to be made."""
        self._baseline, self._update = baseline, update
        with described(baseline):
            new = not baseline.exists()
        if update:
            sitting.check_place(baseline)
        elif new:
            raise BadInput(f"{baseline}: no such file; --benchmark-gate-update makes it")
        self._base = None if new else sitting.load(baseline)
        self._thresholds = thresholds.beside(root)
        self.text: list[str] = []
        """What came of it, in lines."""

    def closed(self, made: Mapping[str, Any], status: int) -> int:
        """The session's exit code, after its benchmarks have been compared; `status`: what it is without."""
        if not made:
            self.text.append("nothing was measured: there is nothing to compare with the baseline")
            return status or FAILED
        try:
            new = sitting.Loaded(Path("this session"), sitting.of_infos(made, Path("this session")))
            worse = self._compared(new)
            if self._update and status:
                self.text.append(f"{self._baseline}: not moved, as a benchmark failed")
            elif self._update:
                sitting.write(self._baseline, new.sitting)
                self.text.append(f"{self._baseline}: the new baseline")
        except (BadInput, Failed) as error:
            self.text.append(str(error))
            return USAGE
        return FAILED if worse and not self._update else status

    def _compared(self, new: sitting.Loaded) -> bool:
        if self._base is None:
            self.text += remarks(new)
            return False
        rows = gate.compare(self._base.sitting, new.sitting, self._thresholds)
        console = Console(file=StringIO(), width=WIDTH)
        with console.capture() as captured:
            print_comparison(rows, self._base, new, console, whole=False)
        self.text += captured.get().splitlines()
        return gate.tripped(rows)
