"""The schema of what comes from outside: the kinds of values that keys of studies, options of engines,
methods and problems, and problems themselves may have. A bad one is refused in one line.

A kind is an annotated type that pydantic checks: `Count`, `Number`, `Text`, … Nothing is converted
on the way, but a whole number where a real one is asked for: text is no number, nor is a truth value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from pbtbench.errors import CONTROL, invalid

NAME_LENGTH = 60
"""Characters of a name at most."""

DEEPEST = 8
"""How deep lists and tables may stand in one another."""

DEEPEST_READ, LONGEST_READ = 16, 20_000
"""The same of what is read back, which has options in it; and characters of a text there."""

MOST = 2**63
"""TOML's whole numbers are smaller."""

T = TypeVar("T")


def _printable(text: str) -> str:
    if found := CONTROL.search(text):
        raise PydanticCustomError(
            "printable", "it holds the character {it}; leave it out", {"it": ascii(found[0])}
        )
    return text


def _name(text: str) -> str:
    if not re.fullmatch(r"[^\W_][\w.-]*", text):
        raise PydanticCustomError(
            "name", "a name begins with a letter or digit, and goes on with such, '.', '_' or '-'"
        )
    return text


def _distinct(values: list[T]) -> list[T]:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise PydanticCustomError(
                "distinct", "{it} stands there twice; leave one out", {"it": repr(value)}
            )
        seen.add(value)
    return values


def _share_of_a_machine(number: float) -> float:
    if number > 1 and not number.is_integer():
        raise PydanticCustomError("share", "it should be a whole number, or at most 1")
    return number


def _plain(value: object, depth: int = DEEPEST) -> Any:
    """A number, text, a truth value, or a list or table of such: what JSON and TOML both hold."""
    if depth == 0:
        raise PydanticCustomError("deep", "lists and tables stand too deep in one another")
    if isinstance(value, Mapping):
        return {_text(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        if not -MOST <= value < MOST:
            raise PydanticCustomError("int64", "a whole number of more than 64 bits")
        return value
    if not isinstance(value, float):
        kind = type(value).__name__
        raise PydanticCustomError(
            "plain", "a {kind}; give numbers, text, truth values, lists or tables", {"kind": kind}
        )
    if not math.isfinite(value):
        raise PydanticCustomError("finite", "numbers should be finite")
    return value


def _text(value: object) -> str:
    text: str = _adapter(Text).validate_python(value)
    return text


Text = Annotated[str, Field(strict=True, max_length=4000), AfterValidator(_printable)]
"""Text of one line. May be empty."""
Reference = Annotated[
    str, Field(strict=True, min_length=1, max_length=4000), AfterValidator(_printable)
]
"""What names something: a module, a file, a folder, an address."""
Name = Annotated[str, Field(strict=True, max_length=NAME_LENGTH), AfterValidator(_name)]
"""What a study, a method or a label may be called: it becomes a folder's name as it is."""
Whole = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000_000)]
Total = Annotated[int, Field(strict=True, ge=0, lt=MOST)]
"""What was counted, or bytes."""
Label = Annotated[str, Field(strict=True, min_length=1, max_length=200), AfterValidator(_printable)]
"""The name of a hyperparameter or an option."""
Integer = Annotated[int, Field(strict=True, le=1_000_000_000)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Real = Annotated[float, Field(strict=True)]
"""Also NaN and the infinite ones, for whoever has something to say of them."""
Seconds = Annotated[Number, Field(gt=0, le=31_622_400)]
"""A year at most."""
Truth = Annotated[bool, Field(strict=True)]
Share = Annotated[Number, Field(gt=0, le=1)]
CPUs = Annotated[Number, Field(ge=0.0001, le=10_000), AfterValidator(_share_of_a_machine)]
"""Ray counts in ten-thousandths, and above one in whole ones."""
GPUs = Annotated[Number, Field(ge=0, le=1000), AfterValidator(_share_of_a_machine)]
Plain = Annotated[Any, AfterValidator(_plain)]
"""A value of an option: anything that JSON and TOML both hold, without NaN and infinity."""
Distinct = AfterValidator(_distinct)
"""Of a list: nothing in it stands there twice."""


def checked(kind: Any, value: object, what: str) -> Any:
    """`value`, if it is of that kind; `BadInput` that begins with `what` otherwise."""
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as found:
        raise invalid(what, found) from None


def unfit(value: object, *, finite: bool = True, depth: int = DEEPEST_READ) -> str:
    """What keeps a value from outside, as JSON or TOML hold them, from being used and shown; empty where
    nothing does."""
    if isinstance(value, float):
        return "a number that is not finite" if finite and not math.isfinite(value) else ""
    if isinstance(value, str):
        if len(value) > LONGEST_READ:
            return f"a text of {len(value)} characters"
        found = CONTROL.search(value)
        return f"a text with the character {found[0]!a}" if found else ""
    if value is None or isinstance(value, int):
        return "" if -MOST <= (value or 0) < MOST else "a whole number of more than 64 bits"
    if not isinstance(value, dict | list | tuple):
        return f"a {type(value).__name__}"
    if depth == 0:
        return "lists and tables stand too deep in one another"
    for part in [*value, *value.values()] if isinstance(value, dict) else value:
        if what := unfit(part, finite=finite, depth=depth - 1):
            return what
    return ""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
