"""What may be declared: the keys of a study file, where they come from, and the sweeps that they are."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pbtbench import catalogue, studies
from pbtbench.errors import BadInput, invalid, unknown
from pbtbench.schema import (
    NAME_LENGTH,
    Count,
    CPUs,
    Distinct,
    GPUs,
    Name,
    Plain,
    Real,
    Reference,
    Seconds,
    Share,
    Text,
    Truth,
)

MOST_RUNS = 100_000
"""Runs of a study at most."""

Problems = Annotated[Reference, AfterValidator(catalogue.absolute)]
"""So that a study means the same in another folder."""

Several = Field(min_length=1, max_length=MOST_RUNS)


class Sweep(BaseModel):
    """The keys that span runs. Lists multiply out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problems: Annotated[list[Problems], Several, Distinct] | None = None
    """Problems, by name, `package.module:NAME` or path, which becomes an absolute one."""
    methods: Annotated[list[Reference], Several, Distinct] = ["pbt", "random", "grid"]
    """Methods, or names of `[method.NAME]` tables."""
    engines: Annotated[list[Reference], Several, Distinct] = ["inprocess"]
    transports: Annotated[list[Reference], Several, Distinct] | None = None
    """How states travel: each engine takes those that it has; its usual one by default."""
    intervals: Annotated[list[Count], Several, Distinct] = [1]
    """Perturbation intervals, in iterations, for methods that have one."""
    population: Annotated[Count, Field(le=1_000_000)] = 8
    """Members of each run."""
    workers: Annotated[Count, Field(le=10_000)] = 2
    """Workers of an engine that has several."""
    cpus_per_worker: CPUs | None = None
    """What a trainable asks for by its `default_resource_request`, or else 1, by default."""
    gpus_per_worker: GPUs | None = None
    """The same, or else 0. May be a fraction: then workers share a GPU."""
    address: Reference | None = None
    """A Ray cluster that is there already: `auto` or `host:port`."""
    nodes: Annotated[Count, Field(le=100)] | None = None
    """Nodes of a Ray cluster that is started on this machine, to try things out."""
    cpus_per_node: Annotated[Count, Field(le=10_000)] | None = None
    """CPUs of each of these nodes; as many as the workers need by default."""
    iterations: Count | None = None
    """Budget of each member; the problem's own by default."""
    budget: Share = 1.0
    """Share of the problem's own iterations, where `iterations` is not given."""
    seeds: Annotated[Count, Field(le=MOST_RUNS)] = 3
    """Number of seeds: 0, 1, …"""
    targets: Annotated[list[Real], Distinct] | None = None
    """Scores to time; the problem's own by default."""
    limit_s: Seconds = 600.0
    """Wall seconds without progress after which a run counts as hung and is ended."""
    options: dict[Text, Plain] = {}
    """Options of the problems."""
    label: Name | None = None
    """Stands behind the problem's name, as in `synthetic.state_size@16MB`: tells sweeps apart that
    differ by options."""
    where_installed: Truth = False
    """Leave problems out whose packages are not installed, instead of refusing the study."""
    from_scale: Count = 1
    """The scale of the study from which on these runs belong to it."""


class Declaration(Sweep):
    """A whole study file."""

    name: Name = "study"
    title: Text = ""
    """One line: what the study shows."""
    method: dict[Text, dict[Text, Plain]] = {}
    """Options of methods; a table with `is` is a variant of that method."""
    engine: dict[Text, dict[Text, Plain]] = {}
    """Options of engines."""
    sweep: Annotated[list[dict[str, Any]], Field(max_length=MOST_RUNS)] = []
    """Sweeps: each plans more runs, with the keys above overridden."""
    until_clear: Truth = False
    """Add seeds until each method is clearly better or worse than each baseline, by the rule of
    `statistics.sequential`, which chooses `seeds`."""
    quick: dict[str, Any] = {}
    """Keys that `--quick` overrides, here and in all sweeps: a short version of the study."""
    scale: Count = 1
    """How large the study is to be: sweeps with a higher `from_scale` are left out."""


def read(
    reference: str | None, overrides: Mapping[str, Any], *, quick: bool
) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """The keys of a study by its name or path, where they stand, and those that override them."""
    text, where = _read(reference) if reference is not None else ("", "command line")
    keys = parsed(text, where)
    given = {key: value for key, value in overrides.items() if value is not None}
    if quick:
        if not isinstance(short := keys.get("quick"), dict):
            raise BadInput(f"{where}: has no quick version; give it a table [quick]")
        given = {**short, **given}
    base = {"name": _name_of(where)} if reference is not None else {}
    return {**base, **keys}, where, given


def parsed(text: str, where: str) -> dict[str, Any]:
    """The keys that a study file's text has."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BadInput(f"{where}: lists or tables stand too deep in one another") from None
    except ValueError as error:  # also a number of thousands of digits
        raise BadInput(f"{where}: not valid TOML: {error}") from None


def resolved(
    keys: Mapping[str, Any], where: str, overrides: Mapping[str, Any] | None = None
) -> Declaration:
    """The keys, validated, with `overrides` in place of theirs and of their sweeps'."""
    over = dict(overrides or {})
    declared = _validated(Declaration, {**keys, **over}, where)
    _validated(Declaration, declared.quick, f"{where}: quick")
    overridden = {key: getattr(declared, key) for key in over if key in Sweep.model_fields}
    own = [
        {**_validated(Sweep, s, f"{where}: sweep").model_dump(exclude_unset=True), **overridden}
        for s in declared.sweep
    ]
    alone = own and "problems" not in keys
    found: Declaration = declared.model_copy(
        update={"sweep": own, "problems": None if alone else declared.problems}
    )
    return found


def sweeps(declared: Declaration, where: str) -> list[Sweep]:
    """The sweeps of a resolved declaration that belong to its scale, each with all of its keys."""
    base = {key: getattr(declared, key) for key in Sweep.model_fields}
    own = declared.sweep
    if declared.problems is not None or not own:
        own = [{}, *own]
    found = [Sweep(**{**base, **keys}) for keys in own]
    found = [sweep for sweep in found if sweep.from_scale <= declared.scale]
    if not found:
        raise BadInput(f"{where}: nothing to run: from_scale is above the scale, {declared.scale}")
    if (count := sum(map(_most_runs, found))) > MOST_RUNS:
        raise BadInput(
            f"{where}: it comes to as many as {count} runs; a study has {MOST_RUNS} at most: "
            "give fewer seeds, intervals, methods or problems"
        )
    return found


def _read(reference: str) -> tuple[str, str]:
    if reference.endswith(".toml"):
        try:
            return Path(reference).read_text("utf-8"), reference
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text, or no path"
            raise BadInput(f"study {reference!r}: {reason}") from None
    shipped = studies.shipped()
    if reference not in shipped:
        raise unknown("study (one that ships, or a path that ends in .toml)", reference, shipped)
    return studies.text(reference), f"{reference}.toml"


def _name_of(where: str) -> str:
    """The name of a study that has none of its own: its file's, as far as a name may have it."""
    return "-".join(re.findall(r"[\w.-]+", Path(where).stem)).lstrip("._-")[:NAME_LENGTH] or "study"


def _validated(model: type[Any], keys: Mapping[str, Any], where: str) -> Any:
    try:
        return model.model_validate(dict(keys))
    except ValidationError as found:
        raise invalid(where, found, model.model_fields) from None


def _most_runs(sweep: Sweep) -> int:
    """How many runs a sweep comes to at most."""
    lists = (sweep.problems, sweep.methods, sweep.engines, sweep.transports, sweep.intervals)
    return math.prod(len(items or [1]) for items in lists) * sweep.seeds
