# ruff: noqa: INP001 (a script, not a package)
"""`python .ci/check_wheel.py DIST`: the one wheel in DIST holds both packages whole, and nothing else."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from importlib.metadata import PathDistribution
from pathlib import Path
from zipfile import Path as ZipPath
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PACKAGES = ("pbtbench", "problems")


def complaints(wheel: ZipFile) -> list[str]:
    """What is wrong with the wheel, one line each."""
    held = {name for name in wheel.namelist() if not name.endswith("/")}
    info = next(name.split("/")[0] for name in held if name.endswith(".dist-info/METADATA"))
    files = {name for name in held if not name.startswith(f"{info}/")}
    tree = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    entries = ConfigParser(delimiters=("=",))
    if f"{info}/entry_points.txt" in held:
        entries.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    targets = {
        group: [target.partition(":")[0] for target in entries[group].values()]
        for group in entries.sections()
    }
    licence = (ROOT / "LICENSE").read_bytes()
    said = PathDistribution(ZipPath(wheel, f"{info}/")).metadata
    return [
        *(f"not in the wheel: {name} (package-data in pyproject.toml)" for name in tree - files),
        *(f"in the wheel, not in the packages: {name}" for name in files - tree),
        *(f"no entry point in {g}" for g in ("console_scripts", "pytest11") if g not in targets),
        *(
            f"entry point of {group} leads nowhere: {module}"
            for group, modules in targets.items()
            for module in modules
            if not files & {module.replace(".", "/") + end for end in (".py", "/__init__.py")}
        ),
        *(
            f"{package} has no py.typed"
            for package in PACKAGES
            if f"{package}/py.typed" not in files
        ),
        *(
            ["LICENSE is missing or another text"]
            if licence not in [wheel.read(n) for n in held if n.endswith("/LICENSE")]
            else []
        ),
        *(["no licence named"] if said["License-Expression"] != "Apache-2.0" else []),
    ]


if __name__ == "__main__":
    (file,) = Path(sys.argv[1]).glob("*.whl")
    with ZipFile(file) as wheel:
        wrong = sorted(complaints(wheel))
        print(
            *wrong or [f"{file.name}: {len(wheel.namelist())} files, as they should be"], sep="\n"
        )
    sys.exit(bool(wrong))
