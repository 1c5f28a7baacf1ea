"""A state arrives as it was sent, by every transport; what a disk refuses is told in one line."""

import resource
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pbtbench import engines
from pbtbench.engines import transport
from pbtbench.engines.formats import TransportFailed
from pbtbench.engines.transport import NAMES
from pbtbench.errors import BadInput
from pbtbench.record import KINDS
from pbtbench.recorder import Recorder

BY_DISK = [name for name in NAMES if name.startswith("disk")]
BEHIND = [name for name in BY_DISK if name.endswith("async")]
OF_AUTOGRAPH = "__autograph_generated_file"
"""TensorFlow leaves such a file among the temporary ones at its first use in a process, until its end."""
ROW = {"worker": 0, "member": 3, "iteration": 7}

kinds = st.sampled_from(["f4", "f8", "i4", "i8", "u1", "u8", "b1", "f2"])
shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
states = st.dictionaries(
    st.text("abc/:.é ", min_size=1, max_size=8),
    arrays.arrays(kinds.map(np.dtype), shapes),
    max_size=4,
)


@pytest.fixture(scope="module", params=NAMES)
def travel(request, tmp_path_factory):
    found = transport.transport(request.param, tmp_path_factory.mktemp("states"))
    yield found
    found.close()


@settings(max_examples=25)
@given(state=states)
def test_what_arrives_is_what_was_sent_to_the_bit(travel, state):
    parcel = travel.send(state, Recorder(), **ROW)
    for _ in range(2):
        arrived = travel.receive(parcel, Recorder(), **ROW)
        assert list(arrived) == list(state)
        for name, array in state.items():
            assert arrived[name].dtype == array.dtype
            assert arrived[name].shape == array.shape
            assert arrived[name].tobytes() == array.tobytes()
    travel.discard(parcel)


def test_states_sent_in_quick_succession_do_not_mix(travel):
    """An asynchronous writer may still be at the state before."""
    sent = [{"weights": np.full(200_000, i, "f4"), "step": np.array(i)} for i in range(5)]
    parcels = [travel.send(state, Recorder(), **ROW) for state in sent]
    for parcel, state in zip(parcels, sent, strict=True):
        arrived = travel.receive(parcel, Recorder(), **ROW)
        assert all((arrived[name] == state[name]).all() for name in state)
        travel.discard(parcel)


@pytest.mark.parametrize("name", BY_DISK)
def test_each_stage_is_a_row_with_its_bytes(name, tmp_path):
    found = transport.transport(name, tmp_path)
    recorder, state = Recorder(), {"weights": np.zeros(100_000, "f4")}
    parcel = found.send(state, recorder, **ROW)
    found.receive(parcel, recorder, **ROW)
    found.close()
    timeline = recorder.record().timeline
    assert set(timeline.member.tolist()) == {3}
    assert set(timeline.iteration.tolist()) == {7}
    own = timeline.at(timeline.worker == 0)
    found = Counter(KINDS[code] for code in own.kind)
    assert found - Counter(wait=1) == {"persist": 1, "transfer": 1}
    assert (timeline.worker[timeline.rows("persist")] == -1).sum() == (name in BEHIND)
    written = timeline.bytes[timeline.rows("persist", "transfer")]
    assert ((written >= 400_000) & (written < 410_000)).all()
    ends = own.t_start_s + own.duration_s
    assert own.t_start_s[1:] == pytest.approx(ends[:-1])


@pytest.mark.parametrize("name", BY_DISK)
def test_what_is_discarded_leaves_no_files(name, tmp_path):
    found = transport.transport(name, tmp_path)
    parcel = found.send({"weights": np.zeros(1000)}, Recorder(), **ROW)
    found.discard(parcel)
    found.discard(parcel)
    found.close()
    assert list(tmp_path.rglob("*")) == []


def test_no_pickle_is_written_or_read(tmp_path):
    found = transport.transport("disk-npz", tmp_path)
    parcel = found.send({"a": np.zeros(2)}, Recorder(), **ROW)
    (file,) = tmp_path.rglob("*.npz")
    np.savez(file, **{"0": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        found.receive(parcel, Recorder(), **ROW)


@pytest.mark.parametrize("name", BY_DISK)
def test_a_folder_that_cannot_be_is_told_in_one_line(name, tmp_path):
    file = tmp_path / "file"
    file.touch()
    found = transport.transport(name, file / "states")
    with pytest.raises(
        TransportFailed, match=r"states can't be kept in .*: Not a directory"
    ) as error:
        found.send({"a": np.zeros(2)}, Recorder(), **ROW)
    assert "\n" not in str(error.value)


FULL = """
import resource, sys
from pathlib import Path
import numpy as np
from pbtbench.engines import transport
from pbtbench.engines.formats import TransportFailed
from pbtbench.recorder import Recorder

state = {"weights": np.random.default_rng(0).random(500_000)}
row = {"worker": 0, "member": 0, "iteration": 1}
travel = transport.transport(sys.argv[1], Path(sys.argv[2]))
travel.discard(travel.send({"weights": np.zeros(2)}, Recorder(), **row))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    travel.receive(travel.send(state, Recorder(), **row), Recorder(), **row)
except TransportFailed as error:
    print(error)
"""


@pytest.mark.parametrize("name", BY_DISK)
def test_a_full_disk_is_told_in_one_line(name, tmp_path):
    """No file may grow beyond a megabyte, and the state has four."""
    command = [sys.executable, "-c", FULL, name, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout == f"states can't be kept in {tmp_path}: the disk is full\n"


@pytest.mark.parametrize("name", BY_DISK)
def test_a_run_whose_disk_is_full_is_recorded_as_failed(name, planned, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (run,) = planned(transports=[name], iterations=4, intervals=[1])
    assert engines.execute(run).cause == ""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, before[1]))
    try:
        outcome = engines.execute(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome.cause == "crash"
    assert outcome.message.endswith("the disk is full")
    assert len(outcome.record.scores)
    left = [file for file in tmp_path.iterdir() if not file.name.startswith(OF_AUTOGRAPH)]
    assert left == []


def test_an_unknown_transport_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"'disc'.*disk"):
        transport.transport("disc", tmp_path)


@pytest.mark.parametrize("name", BY_DISK)
def test_forks_through_a_disk_are_those_through_memory(name, planned):
    (by_disk,) = planned(transports=[name], iterations=8, intervals=[2])
    (by_memory,) = planned(iterations=8, intervals=[2])
    found, reference = engines.execute(by_disk).record, engines.execute(by_memory).record
    assert found.scores.metrics["Q"].tolist() == reference.scores.metrics["Q"].tolist()
    assert found.forks.donor.tolist() == reference.forks.donor.tolist()
    assert not found.forks.starts.all()
