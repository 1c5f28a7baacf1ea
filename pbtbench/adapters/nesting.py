"""Nested configurations, as Ray Tune has them, and their hyperparameters by flat names: `model/dropout`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from pbtbench.errors import BadInput

Path = tuple[str | int, ...]
"""Keys of dictionaries and places in lists, from the outside in."""


@dataclass(frozen=True)
class Nesting:
    """Where hyperparameters stand in a nested configuration; those without a path stand at its top."""

    paths: Mapping[str, Path] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where a hyperparameter stands."""
        return self.paths.get(name, (name,))

    def nested(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """The configuration, from hyperparameters by name. Its values are copies."""
        return self.placed(deepcopy(dict(flat)))

    def placed(self, flat: Mapping[str, Any]) -> dict[str, Any]:
        """What is known of hyperparameters, by name, in the shape of the configuration."""
        root = _Node()
        for name, value in flat.items():
            *way, last = self.path(name)
            node = root
            for key in way:
                node = node.setdefault(key, _Node())
            node[last] = value
        shaped: dict[str, Any] = _built(root)
        return shaped

    def flat(self, nested: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """The hyperparameters of these names, from a configuration.

        Raises `BadInput` for a configuration that lacks one.
        """
        found = {}
        for name in names:
            value: Any = nested
            for key in self.path(name):
                try:
                    value = value[key]
                except (KeyError, IndexError, TypeError):
                    raise BadInput(f"a configuration has no {name!r}: {dict(nested)}") from None
            found[name] = value
        return found


class _Node(dict[Any, Any]):
    """A dictionary, or a list by its places, that is no hyperparameter's own value."""


def _built(node: Any) -> Any:
    if not isinstance(node, _Node):
        return node
    inner = {key: _built(value) for key, value in node.items()}
    if inner and all(isinstance(key, int) for key in inner):
        return [inner[place] for place in sorted(inner)]
    return inner


@dataclass(frozen=True)
class Leaf:
    """What is declared for one hyperparameter: in `param_space`, in `hyperparam_mutations`, or in both.
    None stands for neither."""

    path: Path
    start: tuple[Any] | None
    mutation: tuple[Any] | None

    @property
    def name(self) -> str:
        """Its path as one name: `model/dropout`."""
        return "/".join(map(str, self.path))


def leaves(param_space: Mapping[str, Any], mutations: Mapping[str, Any]) -> list[Leaf]:
    """All that is declared, by path: first what only `param_space` has.

    A dictionary or list counts as one value unless something within it is drawn or mutated.
    """
    found = list(_leaves(param_space, mutations, ()))
    names: dict[str, Leaf] = {}
    for leaf in found:
        if names.setdefault(leaf.name, leaf) is not leaf:
            raise BadInput(f"two hyperparameters are named {leaf.name!r}: rename one")
    order: dict[Any, int] = {key: place for place, key in enumerate(mutations)}
    mutated = [leaf for leaf in found if leaf.mutation]
    mutated.sort(key=lambda leaf: order[leaf.path[0]])
    return [*(leaf for leaf in found if not leaf.mutation), *mutated]


def _leaves(declared: Mapping[str, Any], mutations: Mapping[str, Any], way: Path) -> Iterator[Leaf]:
    for key in dict.fromkeys([*declared, *mutations]):
        path = (*way, key)
        name = "/".join(map(str, path))
        if not isinstance(key, str):
            raise BadInput(f"hyperparameter {name!r}: names must be text, not {key!r}")
        start = (declared[key],) if key in declared else None
        mutation = (mutations[key],) if key in mutations else None
        if mutation and _is_nested(mutation[0]):
            if start and not _is_nested(start[0]):
                raise BadInput(
                    f"hyperparameter {name!r}: hyperparam_mutations has a dictionary, and param_space "
                    f"has {start[0]!r}: give both the same shape"
                )
            yield from _leaves(start[0] if start else {}, mutation[0], path)
        elif start and not mutation and _holds_domain(start[0]):
            yield from _inside(start[0], path)
        else:
            yield Leaf(path, start, mutation)


def _inside(declared: Any, path: Path) -> Iterator[Leaf]:
    """What a dictionary or list that isn't mutated has within."""
    if isinstance(declared, tuple):
        name = "/".join(map(str, path))
        raise BadInput(f"hyperparameter {name!r}: a tuple with a domain in it; give a list")
    if isinstance(declared, Mapping):
        yield from _leaves(declared, {}, path)
        return
    for place, value in enumerate(declared):
        if _holds_domain(value):
            yield from _inside(value, (*path, place))
        else:
            yield Leaf((*path, place), (value,), None)


def _is_nested(declared: Any) -> bool:
    """Whether something is a dictionary of hyperparameters, not a `tune.grid_search`."""
    return isinstance(declared, Mapping) and set(declared) != {"grid_search"}


def _holds_domain(declared: Any) -> bool:
    """Whether something is a dictionary or list with a domain or function within."""
    if _is_nested(declared):
        inner = list(declared.values())
    elif isinstance(declared, list | tuple):
        inner = list(declared)
    else:
        return False
    return any(is_drawn(value) or _holds_domain(value) for value in inner)


def is_drawn(declared: Any) -> bool:
    """Whether something stands for values that are drawn: a domain of Ray Tune's, a function, a
    `tune.grid_search`."""
    from ray.tune.search.sample import Domain

    if isinstance(declared, Mapping):
        return set(declared) == {"grid_search"}
    return isinstance(declared, Domain) or (callable(declared) and not isinstance(declared, type))
