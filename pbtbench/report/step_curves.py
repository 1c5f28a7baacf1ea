"""Shares that rise by steps, with bands: what curves of runs, and of targets, that are reached look like."""

from __future__ import annotations

from pbtbench.report.figures import Spec, pale, picked, real, tooltip


def share(title: str) -> Spec:
    """A channel from 0 to 100%, of the rows' `share`."""
    return real("share", title, domain=[0, 1]) | {"axis": {"format": "%"}}


def layers(y: Spec, from_rows: Spec) -> list[Spec]:
    """A band and a line for each method. `y`: `share`'s channel; `from_rows`: the data and transforms that give
    rows with `label`, `x`, `share`, `low` and `high`."""
    shown = tooltip(label="nominal", x="quantitative .3s", share="quantitative .0%")
    return [
        {
            **from_rows,
            "params": picked("label"),
            "mark": {"type": "area", "interpolate": "step-after", "tooltip": False},
            "encoding": {
                "y": {**y, "field": "low"},
                "y2": {"field": "high"},
                "opacity": pale(0.12, 0.02),
            },
        },
        {
            **from_rows,
            "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after"},
            "encoding": {"y": y, "opacity": pale(1, 0.12), "tooltip": shown},
        },
    ]
