"""A study: the declared experiment, and the flat list of runs that it comes to.

    name = "mine"
    problems = ["toy.noisy_quadratic"]
    methods = ["pbt", "random", "wide"]
    intervals = [1, 10]
    [method.wide]            # a variant: another name for a method with options
    is = "pbt"
    perturbation_factors = [0.5, 2.0]
    [[sweep]]                # as many as wanted: each plans more runs, the keys above overridden
    engines = ["tune"]
    seeds = 1

Without problems above them, the sweeps are all there is. Keys that are not given have the
problem's or this module's defaults. Nothing here imports Ray or TensorFlow, or reads a clock.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pbtbench import catalogue, engines, filename, methods, studies
from pbtbench.adapters.trainable import requested
from pbtbench.errors import BadInput, invalid, unknown
from pbtbench.problem import Problem, card, method_rng
from pbtbench.run import Cluster, Run
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
    checked,
)
from pbtbench.user_code.guard import guarded

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
    quick: dict[str, Any] = {}
    """Keys that `--quick` overrides, here and in all sweeps: a short version of the study."""
    scale: Count = 1
    """How large the study is to be: sweeps with a higher `from_scale` are left out."""


@dataclass(frozen=True)
class Study:
    """A validated declaration and its runs."""

    declaration: Declaration
    runs: tuple[Run, ...]
    left_out: tuple[str, ...] = ()
    """Why problems are left out of a study that takes those `where_installed`."""

    @property
    def name(self) -> str:
        return self.declaration.name

    def to_toml(self) -> str:
        """The study as resolved: enough to run it again."""
        return tomli_w.dumps(self.declaration.model_dump(exclude_none=True))

    @classmethod
    def load(
        cls,
        reference: str | None,
        overrides: Mapping[str, Any] | None = None,
        *,
        quick: bool = False,
    ) -> Study:
        """A study by the name of one that ships, or by path; None for an empty one.

        `overrides` replace keys in it and in all of its sweeps, as its table `[quick]` does if `quick`.
        Raises `BadInput`.
        """
        text, where = _read(reference) if reference is not None else ("", "command line")
        try:
            keys = tomllib.loads(text)
        except RecursionError:
            raise BadInput(f"{where}: lists or tables stand too deep in one another") from None
        except ValueError as error:  # also a number of thousands of digits
            raise BadInput(f"{where}: not valid TOML: {error}") from None
        given = {key: value for key, value in (overrides or {}).items() if value is not None}
        if quick:
            if not isinstance(short := keys.get("quick"), dict):
                raise BadInput(f"{where}: has no quick version; give it a table [quick]")
            given = {**short, **given}
        base = {"name": _name_of(where)} if reference is not None else {}
        return cls.plan({**base, **keys}, where, given)

    @classmethod
    def plan(
        cls,
        keys: Mapping[str, Any],
        where: str = "study",
        overrides: Mapping[str, Any] | None = None,
    ) -> Study:
        """Validate a study's keys and lay out its runs.

        One engine after another, so that nobody's servers run beside another's measurements; within
        an engine seed by seed, so that methods that are compared run side by side.
        """
        over = dict(overrides or {})
        declared = _validated(Declaration, {**keys, **over}, where)
        _validated(Declaration, declared.quick, f"{where}: quick")
        base = {k: getattr(declared, k) for k in Sweep.model_fields}
        overridden = {k: base[k] for k in over if k in base}
        of_sweeps = [
            {
                **_validated(Sweep, s, f"{where}: sweep").model_dump(exclude_unset=True),
                **overridden,
            }
            for s in declared.sweep
        ]
        planned = of_sweeps
        if "problems" in keys or not of_sweeps:
            planned = [{}, *of_sweeps]
        sweeps = [Sweep(**{**base, **own}) for own in planned]
        sweeps = [sweep for sweep in sweeps if sweep.from_scale <= declared.scale]
        if not sweeps:
            raise BadInput(
                f"{where}: nothing to run: from_scale is above the scale, {declared.scale}"
            )
        if (count := sum(map(_most_runs, sweeps))) > MOST_RUNS:
            raise BadInput(
                f"{where}: it comes to as many as {count} runs; a study has {MOST_RUNS} at most: "
                "give fewer seeds, intervals, methods or problems"
            )
        runs: dict[str, Run] = {}
        left_out: list[str] = []
        for sweep in sweeps:
            try:
                left_out += _missing(sweep)
                found = _runs(sweep, declared)
            except BadInput as error:
                raise BadInput(f"{where}: {error}") from None
            for run in found:
                if runs.setdefault(run.id, run) != run:
                    raise BadInput(
                        f"{where}: two sweeps plan {run.id} with different settings; "
                        "give the sweeps a label each, or a method variant another name"
                    )
        if not runs and left_out:
            raise BadInput(f"{where}: nothing to run: {left_out[0]}")
        problems = declared.problems if planned is not of_sweeps else None
        resolved = declared.model_copy(update={"sweep": of_sweeps, "problems": problems})
        order = list(dict.fromkeys(run.engine for run in runs.values()))
        ordered = sorted(runs.values(), key=lambda run: (order.index(run.engine), run.seed))
        return cls(resolved, tuple(ordered), tuple(dict.fromkeys(left_out)))


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


def _runs(sweep: Sweep, declaration: Declaration) -> list[Run]:
    if not sweep.problems:
        raise BadInput("no problems; name some (problems = […] or --problems; see `pbtbench list`)")
    for name in declaration.method:
        kind, options = _method(declaration, name)
        methods.build(kind, 1 if methods.uses_interval(kind) else None, options)
    for name, options in declaration.engine.items():
        engines.with_options(name, options)
    return [
        run
        for reference in sweep.problems
        if not (sweep.where_installed and _problem(reference).missing())
        for name in sweep.methods
        for engine in sweep.engines
        for transport in _transports(sweep, engine)
        for run in _cell(sweep, declaration, reference, name, engine, transport)
    ]


def _missing(sweep: Sweep) -> Iterator[str]:
    """Why problems are left out, a line each."""
    for reference in sweep.problems or [] if sweep.where_installed else []:
        try:
            _problem(reference).check_installed()
        except BadInput as error:
            yield str(error)


def _transports(sweep: Sweep, engine: str) -> list[str]:
    """Those of the study's transports that the engine has."""
    has = engines.engine(engine).transports
    if sweep.transports is None:
        return [has[0]]
    known = {name for e in engines.names() for name in engines.engine(e).transports}
    for name in sweep.transports:
        if name not in known:
            raise unknown("transport", name, known)
    found = [name for name in sweep.transports if name in has]
    if not found:
        raise BadInput(
            f"engine {engine!r} has none of the transports {', '.join(sweep.transports)}; "
            f"it has {', '.join(has)}"
        )
    return found


def _cluster(sweep: Sweep, problem: Problem, engine: str) -> Cluster:
    if sweep.address is not None and sweep.nodes is not None:
        raise BadInput("address and nodes: give one; nodes starts a cluster, address takes one")
    if sweep.cpus_per_node is not None and sweep.nodes is None:
        raise BadInput("cpus_per_node: give nodes, too; it is for a cluster that is started here")
    keys = ("address", "nodes", "cpus_per_node", "cpus_per_worker", "gpus_per_worker")
    given = {key: value for key in keys if (value := getattr(sweep, key)) is not None}
    asked = requested(problem) if engines.engine(engine).distributed else {}
    return Cluster(**{**asked, **given})


def _cell(
    sweep: Sweep,
    declaration: Declaration,
    reference: str,
    name: str,
    engine: str,
    transport: str,
) -> list[Run]:
    problem = _problem(reference)
    problem.check_installed()
    problem.with_options(sweep.options)
    kind, options = _method(declaration, name)
    if (only := methods.only_on(kind)) not in (None, engine):
        raise BadInput(f"method {name!r} runs on engine {only!r} only, not on {engine!r}")
    if (only := problem.starter.only_on) not in (None, engine):
        raise BadInput(
            f"problem {problem.name!r} is a function trainable, which runs on engine {only!r} only, not on "
            f"{engine!r}; for that one, make it a class with setup, step, save_checkpoint and "
            "load_checkpoint"
        )
    engine_options = engines.with_options(engine, declaration.engine.get(engine, {}))
    usual = engines.engine(engine).transports[0]
    place = engine if transport == usual else f"{engine}+{transport}"
    what = filename.folder(problem.name) + (f"@{sweep.label}" if sweep.label else "")
    intervals: Sequence[int | None] = sweep.intervals if methods.uses_interval(kind) else [None]
    iterations = sweep.iterations or max(1, round(sweep.budget * problem.iterations))
    targets = problem.objective.targets if sweep.targets is None else tuple(sweep.targets)
    for target in targets:
        problem.objective.check_target(target)
    cluster = _cluster(sweep, problem, engine)
    synchronous = False
    for interval in intervals:
        method = methods.build(kind, interval, options)
        try:
            method.check(sweep.population, iterations)
        except BadInput as error:
            raise BadInput(f"method {name!r} on {problem.name}: {error}") from None
        if interval == intervals[0]:  # what members start with is the same at any interval
            with guarded(f"the space of problem {problem.name!r} can't be drawn from"):
                method.propose(problem.space, sweep.population, method_rng(0))
        engines.engine(engine).check(problem, method, engine_options)
        synchronous = method.synchronous
    sources = catalogue.sources(reference, options)
    about = card(problem, as_it_is=iterations == problem.iterations and not sweep.options)
    return [
        Run(
            id="/".join(
                [
                    what,
                    name.replace(":", "-"),
                    place,
                    *([f"k{interval}"] if interval else []),
                    f"s{seed}",
                ]
            ),
            problem=reference,
            problem_name=what,
            problem_options=sweep.options,
            method=name,
            kind=kind,
            method_options=options,
            interval=interval,
            synchronous=synchronous,
            engine=engine,
            engine_label=place,
            engine_options=engine_options,
            transport=transport,
            cluster=cluster,
            seed=seed,
            population=sweep.population,
            workers=sweep.workers,
            iterations=iterations,
            targets=targets,
            limit_s=sweep.limit_s,
            card=about,
            sources=sources,
        )
        for interval in intervals
        for seed in range(sweep.seeds)
    ]


@cache
def _problem(reference: str) -> Problem:
    return catalogue.problem(reference)


def _method(declaration: Declaration, name: str) -> tuple[str, dict[str, Any]]:
    checked(Name, name.removeprefix(methods.TUNED), "a method's name")
    table = dict(declaration.method.get(name, {}))
    kind = checked(Reference, table.pop("is", name), f"method {name!r}: is")
    if not methods.known(kind):
        raise unknown("method", kind, {*methods.kinds(), *declaration.method} - {kind})
    return kind, table
