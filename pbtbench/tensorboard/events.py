"""A member's events, from rows of its run's record: what it scored, what it trained with, and its row in
TensorBoard's table of hyperparameters (the HPARAMS tab).

Steps are iterations. Times are those of the run's start, on the wall clock, and of the record. Scalars are
float32, as TensorBoard has them: NaN and infinite scores stay what they are, and one beyond 3e38 is infinite.
"""

from __future__ import annotations

import io
import json
import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.plugins.text import metadata as text
from tensorboard.summary.writer.record_writer import RecordWriter

from pbtbench.record import Forks, Record, Scores
from pbtbench.runs import Run
from pbtbench.space import Hyperparameters
from pbtbench.space.columns import rows

SCHEDULE = "hyperparameters/"
"""How the tags begin of what a member trains with."""

OF_RUN = "run."
"""How the names begin of the table's columns that tell runs and members apart."""

Event = Any
"""An `event_pb2.Event`."""


def encoded(events: Iterable[Event]) -> bytes:
    """Events as they stand in a file of TensorBoard's."""
    buffer = io.BytesIO()
    writer = RecordWriter(buffer)
    for event in events:
        writer.write(event.SerializeToString())
    return buffer.getvalue()


def header(wall_s: float) -> Event:
    """What a file begins with: the version of its format."""
    return event_pb2.Event(wall_time=wall_s, file_version="brain.Event:2")


@dataclass
class MemberEvents:
    """The events of one member, made of its rows as they come in."""

    run: Run
    member: int
    began: float
    """When the run started, in seconds since 1970."""
    _now: Hyperparameters = field(default_factory=dict)
    """What it trains with."""
    _coming: deque[tuple[float, Hyperparameters]] = field(default_factory=deque)
    """What it goes on with from its next score on, and since when; in order of time."""

    def of(self, forks: Forks, scores: Scores) -> Iterator[Event]:
        """Its events of more of its rows, each table in order of time.

        A score goes with the hyperparameters that led to it: those of its latest fork before. At iteration 0
        stand those that it starts with.
        """
        when = zip(forks.t_s.tolist(), forks.starts.tolist(), strict=True)
        for (t_s, starts), new in zip(
            when, rows(forks.new), strict=False
        ):  # none, where nothing is tuned
            if not starts:
                self._coming.append((t_s, new))
            elif not self._now:
                yield self._session_start(new)
                yield self._scalars(t_s, 0, {}, self._changed(new))
        at = zip(scores.t_s.tolist(), scores.iteration.tolist(), strict=True)
        for (t_s, iteration), metrics in zip(at, rows(scores.metrics), strict=True):
            texts: Hyperparameters = {}
            while self._coming and self._coming[0][0] < t_s:
                texts = {**texts, **self._changed(self._coming.popleft()[1])}
            yield self._scalars(t_s, iteration, metrics, texts)

    def end(self, t_s: float, cause: str) -> Event:
        """The end of the member's row in the table. `t_s`: seconds since the start of the run."""
        status = api_pb2.STATUS_FAILURE if cause else api_pb2.STATUS_SUCCESS
        ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=self.began + t_s)
        data = plugin_data_pb2.HParamsPluginData(session_end_info=ended)
        return _of_table(self.began + t_s, hparams.SESSION_END_INFO_TAG, data)

    def _changed(self, new: Hyperparameters) -> Hyperparameters:
        """Take new hyperparameters; the dynamic ones among them that are no numbers, where they changed."""
        before, self._now = self._now, new
        return {
            name: new[name]
            for name in self.run.card.dynamic
            if name in new and not _is_number(new[name]) and before.get(name) != new[name]
        }

    def _scalars(
        self, t_s: float, iteration: int, metrics: Hyperparameters, texts: Hyperparameters
    ) -> Event:
        event = event_pb2.Event(wall_time=self.began + t_s, step=iteration)
        for name, value in metrics.items():
            event.summary.value.add(tag=name, simple_value=value)
        for name in self.run.card.dynamic:
            if _is_number(self._now.get(name)):
                event.summary.value.add(tag=SCHEDULE + name, simple_value=float(self._now[name]))
        for name, value in texts.items():
            shown = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING)
            shown.string_val.append(str(_plain(value)).encode())
            about = text.create_summary_metadata(display_name="", description="")
            event.summary.value.add(tag=SCHEDULE + name, tensor=shown, metadata=about)
        return event

    def _session_start(self, start: Hyperparameters) -> Event:
        started = plugin_data_pb2.SessionStartInfo(
            group_name=f"{self.run.id}/{self.member}", start_time_secs=self.began
        )
        for name, value in columns(self.run, self.member, start).items():
            stored = started.hparams[name]
            if isinstance(value, bool):
                stored.bool_value = value
            elif isinstance(value, str):
                stored.string_value = value
            else:
                stored.number_value = value
        data = plugin_data_pb2.HParamsPluginData(session_start_info=started)
        return _of_table(self.began, hparams.SESSION_START_INFO_TAG, data)


def columns(run: Run, member: int, start: Hyperparameters) -> dict[str, bool | float | str]:
    """A member's values in the table: of which run it is, and the hyperparameters that it starts with."""
    own = {
        "problem": run.problem_name,
        "method": run.method,
        "interval": run.interval,
        "engine": run.engine_label,
        "seed": run.seed,
        "member": member,
    }
    known = {OF_RUN + name: value for name, value in own.items() if value is not None}
    return {**known, **{name: _plain(value) for name, value in start.items()}}


@dataclass
class Experiment:
    """What the table has columns for, over all members of a study."""

    kinds: dict[str, set[type]] = field(default_factory=lambda: defaultdict(set))
    """Column -> the types of its values."""
    metrics: dict[str, None] = field(default_factory=dict)
    began: float = 0.0
    """When the first run started, in seconds since 1970."""

    def add(self, run: Run, record: Record, began: float) -> None:
        """Have columns for a run's members, too."""
        self.began = min(self.began or began, began)
        self.metrics |= dict.fromkeys([run.card.objective.metric, *record.scores.metrics])
        for start in rows(record.forks.at(record.forks.starts).new):
            for name, value in columns(run, 0, start).items():
                self.kinds[name].add(type(value))

    def event(self) -> Event:
        """The event that says so."""
        infos = [
            api_pb2.HParamInfo(name=name, type=_data_type(kinds))
            for name, kinds in self.kinds.items()
        ]
        metrics = [
            api_pb2.MetricInfo(name=api_pb2.MetricName(tag=metric)) for metric in self.metrics
        ]
        found = api_pb2.Experiment(
            hparam_infos=infos, metric_infos=metrics, time_created_secs=self.began
        )
        data = plugin_data_pb2.HParamsPluginData(experiment=found)
        return _of_table(self.began, hparams.EXPERIMENT_TAG, data)


def _data_type(kinds: set[type]) -> int:
    if kinds == {bool}:
        return int(api_pb2.DATA_TYPE_BOOL)
    return int(api_pb2.DATA_TYPE_FLOAT64 if kinds <= {int, float} else api_pb2.DATA_TYPE_STRING)


def _of_table(wall_s: float, tag: str, data: Any) -> Event:
    """An event for the table of hyperparameters."""
    about = hparams.create_summary_metadata(data)
    value = summary_pb2.Summary.Value(tag=tag, metadata=about, tensor=hparams.NULL_TENSOR)
    return event_pb2.Event(wall_time=wall_s, summary=summary_pb2.Summary(value=[value]))


def _is_number(value: object) -> bool:
    """Whether a hyperparameter's value is a curve's: a number, or a truth value as 0 or 1."""
    return isinstance(value, int | float)


def _plain(value: Any) -> bool | float | str:
    """A hyperparameter's value as the table takes it: what is no finite number, text or truth value as JSON."""
    fits = isinstance(value, bool | int | str) or (
        isinstance(value, float) and math.isfinite(value)
    )
    return value if fits else json.dumps(value)
