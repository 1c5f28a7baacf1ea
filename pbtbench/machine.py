"""What this machine has: for `machine.json` and `pbtbench doctor`. Imports neither Ray nor TensorFlow."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("pbtbench", "ray", "tensorflow", "keras", "numpy", "scipy", "pyarrow")
OPTIONAL = ("torch", "jax")
"""Named only where they are installed: some problems need them."""

COPIED_BYTES, COPIES = 64_000_000, 9


FINGERPRINT = ("cpu", "cores_usable", "gpus", "system", "python", "versions")
"""The facts by which machines are told apart, beside their memory in whole GiB; pbtbench's own version is none,
as two versions of it are compared on one machine."""


def describe() -> dict[str, Any]:
    """`facts`, and what copying in memory takes (seconds for 10⁹ bytes), as plain data."""
    return {**facts(), "memcpy_s_per_gb": _memcpy_s_per_gb()}


@cache
def facts() -> dict[str, Any]:
    """CPU, cores, memory (bytes), GPUs, system and versions, as plain data."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "cores_usable": usable_cores(),
        "memory_bytes": _memory_bytes(),
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": _versions(),
    }


def fingerprint(of: Mapping[str, Any]) -> str:
    """A short digest of what matters for how fast a machine is and what it computes, of its `facts`."""
    memory, versions = of.get("memory_bytes"), of.get("versions")
    known = {
        **{key: of.get(key) for key in FINGERPRINT},
        "versions": {**versions, "pbtbench": None} if isinstance(versions, dict) else versions,
        "memory": round(memory / 2**30) if isinstance(memory, int | float) else None,
    }
    return sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _memcpy_s_per_gb() -> float:
    """Median of some copies between arrays of 64 MB whose pages are there: the least that moving a
    state can cost."""
    source, target = np.ones((2, COPIED_BYTES), np.uint8)
    took = []
    for _ in range(COPIES):
        start = time.perf_counter()
        np.copyto(target, source)
        took.append(time.perf_counter() - start)
    return float(np.median(took)) / COPIED_BYTES * 1e9


def _gpus() -> list[str]:
    listed = _output(["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"])
    return listed.splitlines() if listed else []


def _versions() -> dict[str, str | None]:
    optional = {name: found for name in OPTIONAL if (found := _version(name))}
    return {**{name: _version(name) for name in PACKAGES}, **optional}


def _version(package: str) -> str | None:
    for name in (package, f"{package}-cpu"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return None


@cache
def commit() -> tuple[str, bool]:
    """The commit of the code that this process runs, and whether files differed from it when this was first
    asked for; empty where pbtbench is installed, or inside somebody else's repository."""
    folder = str(Path(__file__).parent)
    if not _output(["git", "-C", folder, "ls-files", "machine.py"]):
        return "", False
    found = _output(["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=12"]) or ""
    return found.removesuffix("-dirty"), found.endswith("-dirty")


def _output(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
