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

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pbtbench import catalogue, engines, methods, studies
from pbtbench.errors import BadInput, invalid, unknown
from pbtbench.problem import Problem, card, method_rng
from pbtbench.run import Cluster, Run

NAME = r"^[A-Za-z0-9][\w.-]*$"
"""What a study or a method may be called: it becomes a folder's name."""

Count = Annotated[int, Field(ge=1, strict=True)]
Names = Annotated[list[str], Field(min_length=1)]


class Sweep(BaseModel):
    """The keys that span runs. Lists multiply out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    problems: Names | None = None
    """Problems, by name, `package.module:NAME` or path."""
    methods: Names = ["pbt", "random", "grid"]
    """Methods, or names of `[method.NAME]` tables."""
    engines: Names = ["inprocess"]
    transports: Names | None = None
    """How states travel: each engine takes those that it has; its usual one by default."""
    intervals: Annotated[list[Count], Field(min_length=1)] = [1]
    """Perturbation intervals, in iterations, for methods that have one."""
    population: Annotated[Count, Field(le=1_000_000)] = 8
    """Members of each run."""
    workers: Count = 2
    """Workers of an engine that has several."""
    cpus_per_worker: Annotated[float, Field(gt=0)] = 1.0
    gpus_per_worker: Annotated[float, Field(ge=0)] = 0.0
    """May be a fraction: then workers share a GPU."""
    address: str | None = None
    """A Ray cluster that is there already: `auto` or `host:port`."""
    nodes: Count | None = None
    """Nodes of a Ray cluster that is started on this machine, to try things out."""
    cpus_per_node: Count | None = None
    """CPUs of each of these nodes; as many as the workers need by default."""
    iterations: Count | None = None
    """Budget of each member; the problem's own by default."""
    budget: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the problem's own iterations, where `iterations` is not given."""
    seeds: Count = 3
    """Number of seeds: 0, 1, …"""
    targets: list[float] | None = None
    """Scores to time; the problem's own by default."""
    limit_s: Annotated[float, Field(gt=0)] = 600.0
    """Wall seconds after which a run counts as hung and is ended."""
    options: dict[str, Any] = {}
    """Options of the problems."""
    label: Annotated[str, Field(pattern=NAME)] | None = None
    """Stands behind the problem's name, as in `synthetic.state_size@16MB`: tells sweeps apart that
    differ by options."""
    where_installed: bool = False
    """Leave problems out whose packages are not installed, instead of refusing the study."""
    from_scale: Count = 1
    """The scale of the study from which on these runs belong to it."""


class Declaration(Sweep):
    """A whole study file."""

    name: Annotated[str, Field(pattern=NAME)] = "study"
    title: str = ""
    """One line: what the study shows."""
    method: dict[str, dict[str, Any]] = {}
    """Options of methods; a table with `is` is a variant of that method."""
    engine: dict[str, dict[str, Any]] = {}
    """Options of engines."""
    sweep: list[dict[str, Any]] = []
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
        text, where = _read(reference) if reference else ("", "command line")
        try:
            keys = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadInput(f"{where}: not valid TOML: {error}") from None
        given = {key: value for key, value in (overrides or {}).items() if value is not None}
        if quick:
            if not isinstance(short := keys.get("quick"), dict):
                raise BadInput(f"{where}: has no quick version; give it a table [quick]")
            given = {**short, **given}
        base = {"name": Path(where).stem} if reference else {}
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
        over = _located(overrides or {})
        declared = _validated(Declaration, {**_located(keys), **over}, where)
        base = {k: getattr(declared, k) for k in Sweep.model_fields}
        of_sweeps = [
            {
                **_located(_validated(Sweep, s, f"{where}: sweep").model_dump(exclude_unset=True)),
                **{key: value for key, value in over.items() if key in Sweep.model_fields},
            }
            for s in declared.sweep
        ]
        planned = of_sweeps
        if "problems" in keys or not of_sweeps:
            planned = [{}, *of_sweeps]
        runs: dict[str, Run] = {}
        left_out: list[str] = []
        for own in planned:
            sweep = Sweep(**{**base, **own})
            if sweep.from_scale > declared.scale:
                continue
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
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise BadInput(f"study {reference!r}: {reason}") from None
    shipped = studies.shipped()
    if reference not in shipped:
        raise unknown("study (one that ships, or a path that ends in .toml)", reference, shipped)
    return studies.text(reference), f"{reference}.toml"


def _validated(model: type[Any], keys: Mapping[str, Any], where: str) -> Any:
    try:
        return model(**keys)
    except ValidationError as found:
        raise invalid(where, found, model.model_fields) from None


def _located(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The keys with problems' paths absolute, so that the study means the same elsewhere."""
    problems = keys.get("problems")
    if not isinstance(problems, list) or not all(isinstance(p, str) for p in problems):
        return dict(keys)
    return {**keys, "problems": [catalogue.absolute(p) for p in problems]}


def _runs(sweep: Sweep, declaration: Declaration) -> list[Run]:
    if not sweep.problems:
        raise BadInput("no problems; name some (problems = […] or --problems; see `pbtbench list`)")
    for name in declaration.method:
        _method(declaration, name)
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
    found = [name for name in dict.fromkeys(sweep.transports) if name in has]
    if not found:
        raise BadInput(
            f"engine {engine!r} has none of the transports {', '.join(sweep.transports)}; "
            f"it has {', '.join(has)}"
        )
    return found


def _cluster(sweep: Sweep) -> Cluster:
    if sweep.address is not None and sweep.nodes is not None:
        raise BadInput("address and nodes: give one; nodes starts a cluster, address takes one")
    if sweep.cpus_per_node is not None and sweep.nodes is None:
        raise BadInput("cpus_per_node: give nodes, too; it is for a cluster that is started here")
    keys = ("address", "nodes", "cpus_per_node", "cpus_per_worker", "gpus_per_worker")
    return Cluster(**{key: getattr(sweep, key) for key in keys})


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
    engine_options = engines.with_options(engine, declaration.engine.get(engine, {}))
    usual = engines.engine(engine).transports[0]
    place = engine if transport == usual else f"{engine}+{transport}"
    what = f"{problem.name}@{sweep.label}" if sweep.label else problem.name
    intervals: Sequence[int | None] = sweep.intervals if methods.uses_interval(kind) else [None]
    iterations = sweep.iterations or max(1, round(sweep.budget * problem.iterations))
    targets = problem.objective.targets if sweep.targets is None else tuple(sweep.targets)
    for target in targets:
        problem.objective.check_target(target)
    for interval in intervals:
        if interval is not None and interval > iterations:
            raise BadInput(
                f"interval {interval} is beyond the budget of {iterations} iterations of "
                f"{problem.name}: nothing would ever be perturbed"
            )
        method = methods.build(kind, interval, options)
        method.propose(problem.space, sweep.population, method_rng(0))
        engines.engine(engine).check(problem, method, engine_options)
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
            problem_options=sweep.options,
            method=name,
            kind=kind,
            method_options=options,
            interval=interval,
            engine=engine,
            engine_options=engine_options,
            transport=transport,
            cluster=_cluster(sweep),
            seed=seed,
            population=sweep.population,
            workers=sweep.workers,
            iterations=iterations,
            targets=targets,
            limit_s=sweep.limit_s,
            card=card(problem, as_it_is=iterations == problem.iterations and not sweep.options),
        )
        for interval in intervals
        for seed in range(sweep.seeds)
    ]


@cache
def _problem(reference: str) -> Problem:
    return catalogue.problem(reference)


def _method(declaration: Declaration, name: str) -> tuple[str, dict[str, Any]]:
    if not re.fullmatch(NAME, name.removeprefix(methods.TUNED)):
        raise BadInput(f"method {name!r}: a name becomes a folder's; it must match {NAME}")
    table = dict(declaration.method.get(name, {}))
    kind = str(table.pop("is", name))
    if not methods.known(kind):
        raise unknown("method", kind, {*methods.kinds(), *declaration.method} - {kind})
    return kind, table
