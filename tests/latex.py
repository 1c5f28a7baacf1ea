"""What holds of LaTeX and BibTeX that compile, looked for in their text alone."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

_NAMES = r"\\(?:label|ref|includegraphics|input|citep|bibliography|bibliographystyle|begin|end)\*?"


def environments(text: str) -> list[str]:
    """The names of environments that were opened, each closed by its own `\\end`."""
    found, opened = [], []
    for what, name in re.findall(r"\\(begin|end)\{([\w*]+)\}", text):
        if what == "begin":
            opened.append(name)
            found.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    return found


def check(text: str) -> None:
    """No letter beyond ASCII, no special character that is not meant, and braces that match."""
    assert text.isascii()
    environments(text)
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert_balanced("\n".join(lines))
    body = "\n".join(line.removesuffix("%") for line in lines)
    body = re.sub(_NAMES + r"(?:\[[^]]*\])?\{[^{}]*\}", "", body)
    body = re.sub(r"\\ensuremath\{(?:[^{}]|\{[^{}]*\})*\}", "", body)
    body = re.sub(r"\\[&%$#_^~`'\"=.]", "", body)
    assert not re.findall(r"[%$#_^]", body)
    for row in filter(lambda line: "&" in line, body.splitlines()):
        assert row.endswith(r"\\"), row
    for before, row in pairwise(body.splitlines()):
        if before.endswith((r"\\", "rule", "addlinespace")):
            assert not row.startswith(("[", "*")), row


def assert_balanced(text: str) -> None:
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, text
    assert depth == 0, text


def columns(text: str) -> tuple[int, list[int]]:
    """Of a `tabular`: how many columns it declares, and how many each row has."""
    declared = re.search(r"\\begin\{tabular\}\{(.*)\}", text)[1]
    rows = []
    for line in text.splitlines():
        if line.endswith(r"\\"):
            spans = [int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line)]
            rows.append(1 + len(re.findall(r"(?<!\\)&", line)) + sum(spans))
    return len(re.sub(r"@\{\}", "", declared)), rows


def entries(bibtex: str) -> dict[str, dict[str, str]]:
    """Key -> fields, of a BibTeX file with a field on each line."""
    assert_balanced(bibtex)
    assert bibtex.isascii()
    found = {}
    for kind, key, body in re.findall(
        r"^@(\w+)\{([^,{}\s]+),\n(.*?)^\}$", bibtex, re.MULTILINE | re.DOTALL
    ):
        found[key] = {
            "kind": kind,
            **dict(re.findall(r"^  (\w+) = \{(.*)\},$", body, re.MULTILINE)),
        }
    assert len(found) == bibtex.count("\n@") + bibtex.startswith("@")
    return found


def keys(text: str, command: str) -> Counter[str]:
    """What a command names, such as `ref`, and how often."""
    named = re.findall(rf"\\{command}\{{([^}}]*)\}}", text)
    return Counter(key for group in named for key in group.split(","))
