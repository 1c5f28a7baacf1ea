"""What a declaration spans: its cells, which become runs by their seeds. Plain data: no problem is looked at,
so that the declaration of a folder can be read whatever it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pbtbench import catalogue, engines, filename, methods
from pbtbench.errors import BadInput, unknown
from pbtbench.runs import cell_name
from pbtbench.schema import Name, Reference, checked
from pbtbench.study.declaration import Declaration, Sweep, sweeps


@dataclass(frozen=True)
class Cell:
    """Runs that differ by seed alone: the settings of a sweep, and one of each of its lists."""

    sweep: Sweep
    problem: str
    """Its reference."""
    method: str
    """Its name in the study."""
    engine: str
    transport: str
    interval: int | None
    seeds: int
    """How many: 0, 1, …"""
    targets: tuple[float, ...] | None
    """The problem's own where they are not given."""

    @property
    def problem_name(self) -> str:
        """As `Run.problem_name`."""
        name = filename.folder(catalogue.label(self.problem))
        return f"{name}@{self.sweep.label}" if self.sweep.label else name

    @property
    def engine_label(self) -> str:
        """As `Run.engine_label`."""
        usual = self.transport == engines.engine(self.engine).transports[0]
        return self.engine if usual else f"{self.engine}+{self.transport}"

    @property
    def name(self) -> str:
        """As `Run.cell`."""
        return cell_name(self.problem_name, self.method, self.engine_label, self.interval)


def cells(declared: Declaration, where: str) -> dict[str, Cell]:
    """All cells of a resolved declaration, by name; of two of one name, the one with more seeds."""
    found: dict[str, Cell] = {}
    for sweep in sweeps(declared, where):
        try:
            of_this = {cell.name: cell for cell in of_sweep(sweep, declared)}
        except BadInput as error:
            raise BadInput(f"{where}: {error}") from None
        for name, cell in of_this.items():
            if name not in found or found[name].seeds < cell.seeds:
                found[name] = cell
    return found


def of_sweep(sweep: Sweep, declared: Declaration) -> Iterator[Cell]:
    """The cells of one sweep; `BadInput` for methods, engines and transports that there are not."""
    if not sweep.problems:
        raise BadInput("no problems; name some (problems = […] or --problems; see `pbtbench list`)")
    targets = None if sweep.targets is None else tuple(sweep.targets)
    intervals = {name: _intervals(sweep, declared, name) for name in sweep.methods}
    transports = {name: _transports(sweep, name) for name in sweep.engines}
    for problem in sweep.problems:
        for method in sweep.methods:
            for engine in sweep.engines:
                for transport in transports[engine]:
                    for interval in intervals[method]:
                        yield Cell(
                            sweep,
                            problem,
                            method,
                            engine,
                            transport,
                            interval,
                            sweep.seeds,
                            targets,
                        )


def method(declared: Declaration, name: str) -> tuple[str, dict[str, Any]]:
    """The kind and the options of a method by its name in the study."""
    checked(Name, name.removeprefix(methods.TUNED), "a method's name")
    table = dict(declared.method.get(name, {}))
    kind = checked(Reference, table.pop("is", name), f"method {name!r}: is")
    if not methods.known(kind):
        raise unknown("method", kind, {*methods.kinds(), *declared.method} - {kind})
    return kind, table


def _intervals(sweep: Sweep, declared: Declaration, name: str) -> list[int] | list[None]:
    kind, _ = method(declared, name)
    return sweep.intervals if methods.uses_interval(kind) else [None]


def _transports(sweep: Sweep, engine: str) -> list[str]:
    """Those of the sweep's transports that the engine has."""
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
