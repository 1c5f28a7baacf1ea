"""Ray on this machine: started when the first run needs it, kept while runs ask for the same slots."""

from __future__ import annotations

import logging
import math
import os
import time

from pbtbench.engines import RunFailed
from pbtbench.errors import BadInput

LOADED = time.perf_counter()
"""When this module loaded: in a trial's actor, as soon as Ray has given it a slot."""

_slots: int | None = None
"""CPUs of the Ray that was started here; None if none was."""


def start(workers: int, cpus_per_trial: float, gpus_per_trial: float) -> None:
    """Have Ray run with `workers` slots of that many CPUs. A Ray that the caller has connected to is
    used as it is. `BadInput` if there are fewer GPUs than the workers need."""
    global _slots  # noqa: PLW0603
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    try:
        import ray
    except ImportError as error:
        raise BadInput(f"engine 'tune' needs Ray, which doesn't import: {error}") from None
    slots = max(1, math.ceil(workers * cpus_per_trial))
    if ray.is_initialized() and _slots not in (None, slots):
        stop()
    if not ray.is_initialized():
        try:
            ray.init(
                address="local",
                num_cpus=slots,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise RunFailed(
                "crash", f"Ray doesn't start: {type(error).__name__}: {reason}"
            ) from None
        _slots = slots
    gpus = ray.cluster_resources().get("GPU", 0)
    if gpus_per_trial * workers > gpus:
        raise BadInput(
            f"engine 'tune': {workers} workers with gpus_per_trial = {gpus_per_trial:g} need "
            f"{workers * gpus_per_trial:g} GPUs, and Ray sees {gpus:g}; take fewer workers or a "
            "smaller fraction"
        )


def stop() -> None:
    """Shut down the Ray that was started here."""
    global _slots  # noqa: PLW0603
    if _slots is None:
        return
    import ray

    from pbtbench.engines.tune import collector

    collector.forget()
    ray.shutdown()
    _slots = None
