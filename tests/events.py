"""TensorBoard's event files, read back by the reader that TensorBoard has for where TensorFlow is absent; and a
run by hand whose events tests look at."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
from fabricated import CAME_FROM, a_run, an_outcome, fork, score, started, timed
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub.errors import OutOfRangeError
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.util import tensor_util

from pbtbench.tensorboard import files

BEGAN = datetime.fromisoformat(CAME_FROM.started).timestamp()
RUN = a_run(method="pbt", interval=2, iterations=3)
OUTCOME = an_outcome(
    started(0, rate=0.1),
    started(1, rate=0.7),
    timed("train", 0.0, 8.0, iteration=3),
    *(score(float(i), 0, i, 0.1 * i, loss=math.inf) for i in (1, 2)),
    *(score(i + 0.5, 1, i, math.nan, loss=-1e300) for i in (1, 2)),
    fork(3.0, 1, 0, 2, 0.7, 0.25),
    score(4.0, 0, 3, 0.3, loss=0.0),
    score(4.5, 1, 3, 0.2, loss=1.0),
)


def file_of(store, run, member):
    return store.path / "tensorboard" / run.id / str(member) / files.FILE


def events(file: Path):
    """All that is in a file, by its checksums undamaged."""
    reader, found = PyRecordReader_New(str(file)), []
    with suppress(OutOfRangeError):
        while True:
            reader.GetNext()
            found.append(Event.FromString(reader.record()))
    return found


def points(file: Path):
    """Tag -> a list of (step, value); NaN as text, so that it is equal to itself."""
    found = defaultdict(list)
    for event in events(file):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found[value.tag].append((event.step, shown(value.simple_value)))
            elif value.metadata.plugin_data.plugin_name != "hparams":
                number = tensor_util.make_ndarray(value.tensor)
                found[value.tag].append((event.step, shown(number.ravel()[0])))
    return dict(found)


def shown(value):
    if isinstance(value, bytes):
        return value.decode()
    return "nan" if np.isnan(value) else float(value)


def single(value):
    """What is left of a number in float32."""
    return shown(np.float32(value))


def problems_files(study: Path):
    """Member -> the files that its problem wrote; of the one run in a study's folder."""
    found = defaultdict(list)
    for file in sorted(study.glob("tensorboard/**/problem/*tfevents*")):
        found[int(file.parts[-3])].append(file)
    return dict(found)
