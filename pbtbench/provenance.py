"""Where a run comes from: what was there when it started."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256

import pbtbench
from pbtbench import machine
from pbtbench.run import Provenance, Run


def provenance(run: Run) -> Provenance:
    """The provenance of a run that starts now, in this process."""
    commit, dirty = machine.commit()
    problem = {"sources": dict(run.sources), "options": dict(run.problem_options)}
    return Provenance(
        version=pbtbench.__version__,
        commit=commit,
        dirty=dirty,
        machine=machine.fingerprint(machine.facts()),
        problem=sha256(json.dumps(problem, sort_keys=True).encode()).hexdigest()[:16],
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )
