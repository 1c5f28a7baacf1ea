"""A cluster that is there already: found by its address, entered with its token alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

HEAD = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={
    "num_cpus": 2, "include_dashboard": False, "object_store_memory": 100_000_000})
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""

TOKEN = "6f1c" * 16


@dataclass(frozen=True)
class Head:
    address: str

    def run(self, folder, address: str, token: str | None = TOKEN, engine: str = "ray"):
        """`pbtbench run` on that cluster."""
        flags = ["--problems", "toy.pbt_quadratic", "--methods", "pbt", "--engines", engine]
        flags += ["--population", "4", "--iterations", "4", "--intervals", "2", "--seeds", "1"]
        return subprocess.run(
            [sys.executable, "-m", "pbtbench", "run", *flags, "--address", address],
            cwd=folder,
            env=surroundings(token, folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )


def surroundings(token: str | None, home) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    given = {"RAY_AUTH_TOKEN": token} if token else {}
    return {**kept, "HOME": str(home), "RAY_AUTH_MODE": "token", **given}


@pytest.fixture(scope="module")
def head(tmp_path_factory) -> Iterator[Head]:
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD],
        env=surroundings(TOKEN, tmp_path_factory.mktemp("home")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield Head(process.stdout.readline().strip())
    process.communicate(timeout=60)


def test_a_study_runs_on_it_and_it_is_still_there_afterwards(head, tmp_path):
    for name, engine in (("one", "ray"), ("two", "tune"), ("three", "ray")):
        folder = tmp_path / name
        folder.mkdir()
        done = head.run(folder, head.address, engine=engine)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ray-1x2cpu" in (folder / "results" / "study" / "summary.csv").read_text("utf-8")


@pytest.mark.parametrize("token", ["0" * 64, None])
def test_a_wrong_token_or_none_is_refused_in_one_line(head, tmp_path, token):
    done = head.run(tmp_path, head.address, token)
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "token" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_address_of_rays_client_is_refused_in_one_line(head, tmp_path):
    done = head.run(tmp_path, "ray://127.0.0.1:10001")
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--address auto" in done.stderr
