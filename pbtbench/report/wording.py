"""Numbers as people read them: three significant digits, with units, never false precision."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

NONE = "–"


def number(value: float | None) -> str:
    """`0.525`, `1.1995` as `1.2`, `12,800`; `–` for none or NaN, `∞` for infinite."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e7 else f"{value:.2e}"
    return f"{value:.3g}".replace("-", "−")


def score(value: float) -> str:
    """A score: four significant digits, since good ones differ late."""
    if math.isnan(value) or math.isinf(value) or abs(value) >= 1000:
        return number(value)
    return f"{value:.4g}".replace("-", "−")


def percent(share: float) -> str:
    """`0.7%`, `41%`, `290%`, `2,700%`; `–` for NaN, `∞` for infinite."""
    if math.isnan(share) or math.isinf(share):
        return number(share)
    value = 100 * share
    if value and abs(value) < 0.1:
        return "<0.1%"
    text = f"{value:.1f}%" if abs(value) < 10 else f"{value:,.0f}%"
    return text.replace("-", "−")


def signed(share: float) -> str:
    """`+0.7%`, `−3.1%`, `+290%`: a share by which something is more or less."""
    if math.isnan(share):
        return NONE
    return ("−" if share < 0 else "+") + percent(abs(share)).lstrip("<")


def times(ratio: float) -> str:
    """`2.9×`, `0.51×`, `1,200×`: how many times something is of another."""
    return f"{number(ratio)}×"


def size(count: float) -> str:
    """`250 bytes`, `1 kB`, `16 MB`, `1.5 GB`; `–` for none."""
    if not count:
        return NONE
    for limit, scale, unit in ((1e3, 1, "bytes"), (1e6, 1e3, "kB"), (1e9, 1e6, "MB")):
        if count < 0.9995 * limit:
            return f"{count / scale:.3g} {unit}"
    return f"{count / 1e9:.3g} GB"


def seconds(value: float) -> str:
    """`49 ns`, `31 µs`, `3.1 ms`, `4.2 s`, `12.5 min`; `–` for NaN, `∞` for infinite."""
    if math.isnan(value) or math.isinf(value):
        return number(value)
    for limit, scale, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1, 1e3, "ms"), (120, 1, "s")):
        if value < limit:
            return f"{_two(value * scale)} {unit}"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def plural(count: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def counted(counts: Iterable[int], noun: str) -> str:
    """What several have each: `3 seeds`, or `2 to 3 seeds` where they differ."""
    known = set(counts)
    least, most = min(known), max(known)
    return plural(most, noun) if least == most else f"{least:,} to {most:,} {noun}s"


def medians(counts: Iterable[int]) -> str:
    """Of how many seeds numbers are: `one seed`, `median of 3 seeds`."""
    text = counted(counts, "seed")
    return "one seed" if text == "1 seed" else f"median of {text}"


def once(parts: Sequence[tuple[str, str]]) -> tuple[list[str], str]:
    """Texts, and what is so of all of them: of each text its remark is given; where remarks differ, each stands
    behind its own text, and nothing is so of all."""
    remarks = {remark for _, remark in parts}
    if len(remarks) == 1:
        return [text for text, _ in parts], remarks.pop()
    return [f"{text} ({remark})" for text, remark in parts], ""


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _two(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
