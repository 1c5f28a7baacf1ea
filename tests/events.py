"""TensorBoard's event files, read back by TensorBoard's own package."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.util import tensor_util


def events(file: Path):
    return list(LegacyEventFileLoader(str(file)).Load())


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
