"""Which machines: Ray on this one, a cluster of several nodes on it, or one that is there already.

A Ray that is started here is kept while runs ask for the same, and preallocates its object store:
the first touch of a page of shared memory costs some ten times what copying it costs.
"""

from __future__ import annotations

import logging
import math
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pbtbench.engines import RunFailed, ray_internals
from pbtbench.errors import BadInput
from pbtbench.user_code.tracebacks import line

if TYPE_CHECKING:
    from pbtbench.recorder import Recorder
    from pbtbench.runs import Cluster, Run

LOADED = time.perf_counter()
"""When this module loaded: in a trial's actor, as soon as Ray has given it a slot."""

STORE_BYTES = 2_000_000_000
"""Of the object store of a Ray that is started here; less where memory is scarce."""

QUESTIONS = 8
"""How often a node is asked for its time."""

CONNECT_S = 30.0
"""How long a cluster may take to answer."""

TOKEN_REFUSED = b"InvalidAuthToken"
"""In Ray's log, where a cluster refuses a token."""

LOG_BYTES = 100_000
"""How much is read of that log."""


class Session:
    """The Ray that this process is connected to through here, if it is."""

    def __init__(self) -> None:
        self.key: tuple[Any, ...] | None = None
        self.nodes: Any = None
        """Of a cluster that was started here: `ray.cluster_utils.Cluster`."""
        self.clocks: list[dict[str, Any]] = []


_session = Session()


def start(run: Run) -> None:
    """Have Ray run with what `run.workers` need. Where nothing was declared, a Ray that the caller has
    connected to is used as it is.

    `BadInput` for an address without a cluster, a wrong token, or more CPUs or GPUs than there are.
    """
    cluster = run.cluster
    slots = max(1, math.ceil(run.workers * cluster.cpus_per_worker))
    key = (cluster.address, cluster.nodes, cluster.cpus_per_node, slots * (not cluster.address))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
    try:
        import ray
    except ImportError as error:
        raise BadInput(f"engine {run.engine!r} needs Ray, which doesn't import: {error}") from None
    if _session.key not in (None, key) or (_session.key and not ray.is_initialized()):
        stop()
    if not ray.is_initialized():
        if cluster.address is not None:
            _connect(cluster.address)
        else:
            _start(cluster, slots)
        _session.key = key
    _check_room(run)
    clocks()


def note(run: Run, recorder: Recorder) -> None:
    """Note where a run is executed."""
    recorder.cluster = _label(run.cluster)
    recorder.nodes = [*clocks()]


def stop() -> None:
    """Shut down, or leave, the Ray that was connected to here."""
    if _session.key is None:
        return
    import ray

    ray.shutdown()
    if _session.nodes is not None:
        with suppress(Exception):
            _session.nodes.shutdown()
    _session.key = _session.nodes = None
    _session.clocks = []


def nodes() -> Any:
    """The cluster of several nodes that was started here; None if it is another."""
    return _session.nodes


def store_bytes() -> int:
    """What the smallest object store of the cluster's nodes holds."""
    import ray

    held = [n["Resources"].get("object_store_memory", 0.0) for n in ray.nodes() if n["Alive"]]
    return int(min(held, default=0.0))


def clocks() -> list[dict[str, Any]]:
    """The nodes alive when the session began, each with its clock's offset: what its
    `time.perf_counter` shows more than this process's, and how far off that may be, in seconds.

    A node that shares this machine's boot shares its clock. Otherwise the offset is that of the
    quickest of some questions, taken to be answered half-way (Cristian 1989).
    """
    if not _session.clocks:
        import ray

        _session.clocks = [_clock(node) for node in ray.nodes() if node["Alive"]]
    return _session.clocks


def _clock(node: dict[str, Any]) -> dict[str, Any]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    facts = {
        "id": node["NodeID"],
        "address": node["NodeManagerAddress"],
        "cpus": node["Resources"].get("CPU", 0.0),
        "gpus": node["Resources"].get("GPU", 0.0),
    }
    if len(ray.nodes()) == 1 and facts["address"] == ray.util.get_node_ip_address():
        return {**facts, "clock_offset_s": 0.0, "clock_uncertainty_s": 0.0}
    pinned = NodeAffinitySchedulingStrategy(facts["id"], soft=False)
    ask = ray.remote(num_cpus=0, scheduling_strategy=pinned)(reading)
    offset, uncertainty = compared(lambda: ray.get(ask.remote(), timeout=CONNECT_S))
    return {**facts, "clock_offset_s": offset, "clock_uncertainty_s": uncertainty}


def compared(ask: Callable[[], tuple[str, float]]) -> tuple[float, float]:
    """What another machine's clock shows more than this one's, and how far off that may be, in
    seconds; `ask` gives the other's `reading`."""
    best = (math.inf, 0.0)
    for _ in range(QUESTIONS):
        asked = time.perf_counter()
        boot, then = ask()
        answered = time.perf_counter()
        if boot == reading()[0]:
            return 0.0, 0.0
        best = min(best, ((answered - asked) / 2, then - (asked + answered) / 2))
    return best[1], best[0]


def reading() -> tuple[str, float]:
    """Which boot of which machine this is, and what its clock shows."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text("ascii") if boot.is_file() else "", time.perf_counter()


def _start(cluster: Cluster, slots: int) -> None:
    import ray

    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        ray_internals.read_settings()  # Ray has read them at its import
    os.environ.setdefault("RAY_preallocate_plasma_memory", "1")
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if cluster.nodes is None:
            ray.init(
                address="local",
                num_cpus=slots,
                include_dashboard=False,
                object_store_memory=_store_bytes(1),
                **quiet,
            )
            return
        from ray.cluster_utils import Cluster as LocalNodes

        _have_token()
        cpus = cluster.cpus_per_node or math.ceil(slots / cluster.nodes)
        store = _store_bytes(cluster.nodes)
        _session.nodes = LocalNodes()
        for _ in range(cluster.nodes):
            _session.nodes.add_node(
                num_cpus=cpus, object_store_memory=store, include_dashboard=False
            )
        ray.init(address=_session.nodes.address, **quiet)
    except Exception as error:
        raise RunFailed("crash", f"Ray doesn't start: {line(error)}{_remedy(error)}") from None


def _remedy(error: Exception) -> str:
    """What to do about a Ray that doesn't start on this machine, where it is known."""
    said, home = str(error), os.environ.get("HOME", "")
    if "AF_UNIX path length" in said:
        return "; set RAY_TMPDIR, or TMPDIR, to a short path such as /tmp"
    if isinstance(error, OSError) and home and home in said:
        return f"; HOME is {home}: set it to a folder that can be written"
    return ""


def _connect(address: str) -> None:
    import ray

    if address.startswith("ray://"):
        raise BadInput(
            f"address {address!r}: Ray's client doesn't carry these engines; run on a machine of the "
            "cluster with --address auto, or give host:port of its head"
        )
    if (reason := _refusal(address)) is not None:
        raise BadInput(f"address {address!r}: {reason}")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        raise BadInput(f"address {address!r}: {line(error)}") from None


def _refusal(address: str) -> str | None:
    """Why nobody can connect to `address`; None if one can.

    A process of its own tries it: where nobody answers, Ray ends the process that asks, after two
    minutes, and what it has against a token it only writes to the log.
    """
    nobody = (
        "no Ray cluster answers; start one with `ray start --head`, or leave address out for a Ray "
        "on this machine"
    )
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=CONNECT_S / 3).close()
        except OSError as error:
            return f"{nobody} ({error.strerror or error})"
    attempt = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False)"
    with tempfile.TemporaryFile() as log:
        asks = subprocess.Popen(
            [sys.executable, "-c", attempt, address], stdout=subprocess.DEVNULL, stderr=log
        )
        give_up = time.monotonic() + CONNECT_S
        while asks.poll() is None and time.monotonic() < give_up:
            time.sleep(0.02)
            if TOKEN_REFUSED in os.pread(log.fileno(), LOG_BYTES, 0):
                break
        if asks.poll() == 0:
            return None
        asks.kill()
        asks.wait()
        text = os.pread(log.fileno(), LOG_BYTES, 0)
    if TOKEN_REFUSED in text:
        return (
            "the cluster refuses this token; set RAY_AUTH_MODE=token, and give the cluster's own in "
            "RAY_AUTH_TOKEN or in the file that RAY_AUTH_TOKEN_PATH names"
        )
    raised = re.findall(r"^\w+(?:Error|Exception): .*", text.decode(errors="replace"), re.MULTILINE)
    reason = f" ({raised[-1][:160]})" if raised else ""
    return f"{nobody}; if there is one, its token may be another{reason}"


def _check_room(run: Run) -> None:
    import ray

    cluster, has = run.cluster, ray.cluster_resources()
    for key, each, flag in (
        ("CPU", cluster.cpus_per_worker, "cpus_per_worker"),
        ("GPU", cluster.gpus_per_worker, "gpus_per_worker"),
    ):
        if each * run.workers > has.get(key, 0):
            raise BadInput(
                f"engine {run.engine!r}: {run.workers} workers with {flag} = {each:g} need "
                f"{run.workers * each:g} {key}s, and Ray sees {has.get(key, 0):g}; take fewer "
                f"workers or a smaller {flag}"
            )


def _label(cluster: Cluster) -> str:
    """`local-2cpu`, `ray-4x8cpu`, with the GPUs of each node behind it where workers use some."""
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = max((int(r.get("GPU", 0)) for r in alive), default=0)
    suffix = f"-{gpus}gpu" if cluster.gpus_per_worker and gpus else ""
    if cluster.address is None and cluster.nodes is None:
        return f"local-{os.cpu_count()}cpu{suffix}"
    cpus = max((int(r.get("CPU", 0)) for r in alive), default=0)
    return f"ray-{len(alive)}x{cpus}cpu{suffix}"


def _store_bytes(nodes: int) -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(100_000_000, min(STORE_BYTES, memory // 8) // nodes)


def _have_token() -> None:
    """A token for nodes that are started here; without one of the user's, for this process alone."""
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return
    if not (Path.home() / ".ray" / "auth_token").is_file():
        os.environ["RAY_AUTH_TOKEN"] = uuid.uuid4().hex
