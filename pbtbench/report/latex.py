"""Text of others as LaTeX has it: every character is printed, none is a command.

What comes out is ASCII, so that it compiles with every engine, whatever the document's input encoding.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pbtbench.errors import CONTROL

_COMMANDS = {
    **{c: f"\\{c}" for c in "&%$#_"},
    "{": r"\textbraceleft{}",  # BibTeX counts braces, also those behind a backslash
    "}": r"\textbraceright{}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "`": r"\`{}",
    '"': r"\char34{}",  # babel gives it other meanings
    "\N{NO-BREAK SPACE}": "~",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\dots{}",
    "•": r"\textbullet{}",
    "§": r"\S{}",
    "©": r"\textcopyright{}",
    "®": r"\textregistered{}",
    "™": r"\texttrademark{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}

_MATHS = {
    "∞": r"\infty",
    "−": "-",
    "±": r"\pm",
    "×": r"\times",
    "÷": r"\div",
    "·": r"\cdot",
    "≥": r"\geq",
    "≤": r"\leq",
    "≠": r"\neq",
    "≈": r"\approx",
    "→": r"\to",
    "←": r"\leftarrow",
    "√": r"\surd",
    "∑": r"\sum",
    "∂": r"\partial",
    "∈": r"\in",
    "°": r"^{\circ}",
    "µ": r"\mu",
}

_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
    *("lamda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi"),
    "omega",
)
"""The letters that LaTeX has, by their names in Unicode; of capitals those that are not Latin ones, too."""
_CAPITALS = (
    *("gamma", "delta", "theta", "lamda", "xi", "pi", "sigma", "upsilon", "phi", "psi", "omega"),
)

_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
    "\u0328": "k",
}


def escaped(text: str) -> str:
    """The text, to stand anywhere in a LaTeX document or in braces in a BibTeX file. A letter that no plain
    document can print is its code, such as `U+4E2D`."""
    found = "".join(map(_character, CONTROL.sub(" ", text)))
    return re.sub(
        r"(?<=[-',])(?=[-',])", "{}", found
    )  # they would be drawn as one, as dashes and quotes


def row(cells: Sequence[str]) -> str:
    """A table's row, of cells that are LaTeX already."""
    line = " & ".join(cells)
    # a bracket or a star would be taken for an option of the row or rule above
    guard = "{}" if line.startswith(("[", "*")) else ""
    return rf"{guard}{line} \\"


def _character(character: str) -> str:
    if character in _COMMANDS:
        return _COMMANDS[character]
    if character in _MATHS:
        return rf"\ensuremath{{{_MATHS[character]}}}"
    if character.isascii():
        return character
    return _greek(character) or _composed(character) or rf"\texttt{{U+{ord(character):04X}}}"


def _greek(character: str) -> str:
    name = unicodedata.name(character, "").lower()
    for size, letters in (("small", _GREEK), ("capital", _CAPITALS)):
        letter = name.removeprefix(f"greek {size} letter ")
        if letter != name and letter in letters:
            command = letter.replace("lamda", "lambda")
            if size == "capital":
                command = command.capitalize()
            return rf"\ensuremath{{\{command}}}"
    return ""


def _composed(character: str) -> str:
    """A letter with an accent, or one that is raised or lowered; empty for any other."""
    parts = unicodedata.decomposition(character).split()
    if len(parts) != 2:
        return ""
    kind, last = parts[0], chr(int(parts[1], 16))
    if kind in ("<super>", "<sub>"):
        return rf"\text{kind[1:-1]}script{{{_character(last)}}}"
    if kind.startswith("<"):
        return ""
    letter = chr(int(kind, 16))
    if last in _ACCENTS and letter.isascii() and letter.isalpha():
        return rf"\{_ACCENTS[last]}{{{letter}}}"
    return ""
