"""Whether the code that runs depend on is still what it was when they were planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pbtbench import catalogue
from pbtbench.errors import BadInput
from pbtbench.runs import Run

Stamp = tuple[int, int] | None
"""When a file was written last, in nanoseconds, and its bytes; None for one that isn't there."""


@dataclass
class Code:
    """Digests files when it meets them, and again only when one of them was written."""

    _stamps: dict[tuple[str, str], dict[Path, Stamp]] = field(default_factory=dict)

    def check_unchanged(self, run: Run) -> None:
        """Raise `BadInput` if a file that the run depends on isn't as it was planned with."""
        key = run.problem, str(run.method_options.get("explore", ""))
        known = self._stamps.get(key)
        if known is not None and known == {file: _stamp(file) for file in known}:
            return
        stamps = {file: _stamp(file) for file in catalogue.files(*key)}
        now = catalogue.sources(run.problem, run.method_options)
        changed = sorted(f for f in {**run.sources, **now} if run.sources.get(f) != now.get(f))
        if changed:
            raise BadInput(
                f"{run.id}: {', '.join(changed)} changed while the study runs; what was made before is kept, "
                "and the same command with --again makes it anew"
            )
        self._stamps[key] = stamps


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
