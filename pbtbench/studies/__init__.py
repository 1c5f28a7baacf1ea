"""The studies that ship with the package: one TOML file each."""

from __future__ import annotations

import tomllib
from importlib import resources


def shipped() -> dict[str, str]:
    """Name -> title of every shipped study."""
    files = {f.name: f for f in resources.files(__name__).iterdir() if f.name.endswith(".toml")}
    return {
        name.removesuffix(".toml"): str(tomllib.loads(files[name].read_text("utf-8"))["title"])
        for name in sorted(files)
    }


def text(name: str) -> str:
    """The TOML text of a shipped study."""
    return (resources.files(__name__) / f"{name}.toml").read_text("utf-8")
