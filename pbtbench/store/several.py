"""Several studies' folders, read beside each other, and the folder for what is said of them all.

Each study has a name of its own: its folder's, with those above it as far as two would be called the same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tomli_w

from pbtbench.errors import BadInput, plain
from pbtbench.store import Store
from pbtbench.store.documents import STUDY_BYTES, NewerFormat
from pbtbench.store.files import PART, Folder, described
from pbtbench.store.reading import Track

if TYPE_CHECKING:
    from pbtbench.measures import Measures

STUDIES = "studies.toml"
"""The file that says of which studies' folders a folder tells: nothing else is written over."""


@dataclass(frozen=True)
class KeptStudy:
    """A study as it stands in its folder."""

    name: str
    """By which it is told from the others."""
    store: Store
    measures: tuple[Measures, ...]
    """Of all runs that could be read, in the order of `Store.runs`."""


def read(paths: Sequence[Path], track: Track = iter) -> tuple[list[KeptStudy], list[str]]:
    """The studies in some folders, and a line for each of them that is left out, as it is damaged or no run
    is kept in it. A folder that is alone is left out by nothing but `BadInput`.

    Raises `BadInput` for a folder that holds no study, one that is given twice, one of a newer format, or if
    none is left.
    """
    names = _names(paths)
    found: list[KeptStudy] = []
    left_out: list[str] = []
    for path, name in zip(paths, names, strict=True):
        try:
            store = Store.open(path)
            measures = tuple(store.runs(track))
        except BadInput as error:
            missing = not Folder(path).has("study.toml")
            if missing or isinstance(error, NewerFormat) or len(paths) == 1:
                raise
            left_out.append(str(error))
            continue
        if measures or len(paths) == 1:
            found.append(KeptStudy(name, store, measures))
        else:
            left_out += [*store.left_out, plain(f"{path}: no run is kept in it")]
    if not found:
        raise BadInput(f"no study is left to report: {left_out[0]}")
    return found, left_out


def claim(path: Path, studies: Sequence[KeptStudy]) -> Store:
    """The folder for what is said of some studies, made if need be; it notes which they are.

    Raises `BadInput` for a study's folder, what is inside of one of these, and for a folder that holds anything
    else than an earlier report of this kind.
    """
    folder = Folder(path)
    if folder.has("study.toml"):
        raise BadInput(f"{path}: a study's folder; give --out a new or empty folder")
    for study in studies:
        if path.resolve().is_relative_to(study.store.path.resolve()):
            raise BadInput(
                f"{path}: inside of a study's folder, {study.store.path}; give --out a folder beside it"
            )
    if folder.has(STUDIES):
        _check(folder)
    else:
        with described(path):
            if path.is_dir() and any(not name.startswith(PART) for name in folder.entries()):
                raise BadInput(
                    f"{path}: not empty and no report of studies; give --out a new or empty folder"
                )
        folder.make()
    told = {study.name: plain(study.store.path) for study in studies}
    folder.write(STUDIES, tomli_w.dumps({"studies": told}).encode())
    return Store(path)


def _check(folder: Folder) -> None:
    """Raise `BadInput` if the file that names studies was not written here."""
    where = folder.path / STUDIES
    try:
        told = tomllib.loads(folder.read(STUDIES, STUDY_BYTES).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        told = {}
    if not isinstance(told.get("studies"), dict):
        raise BadInput(f"{where}: it names no studies; give --out a new or empty folder")


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each folder: as many of its path's last parts as tell all apart."""
    with described(paths[0]):
        places = [path.resolve() for path in paths]
    for i, place in enumerate(places):
        if (first := places.index(place)) < i:
            raise BadInput(f"{paths[i]}: the same folder as {paths[first]}; give each study once")
    most = max(len(place.parts) for place in places)
    for count in range(1, most):
        names = [plain("-".join(place.parts[-count:])) for place in places]
        if len({name.casefold() for name in names}) == len(names):
            return names
    return [plain(place) for place in places]
