"""`reproduce`: one table or figure, from whatever is there to its files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from clapp_neuro.errors import InputError, unknown
from clapp_neuro.files import write_whole
from clapp_neuro.progress import Report, silent
from clapp_neuro.reproduce import pictures, plan, published, tables
from clapp_neuro.reproduce.plan import SIZES, Planned, Scale
from clapp_neuro.reproduce.runs import Place, carry_out


@dataclass(frozen=True)
class Reproduced:
    """A table (header first), the files written, and where the images came from."""

    title: str
    rows: list[tuple[str, ...]]
    files: list[Path]
    source: str


@dataclass(frozen=True)
class Target:
    """What `reproduce` can be asked for: which networks, beside which figures, drawn how."""

    title: str
    plan: Callable[[Scale, list[int]], list[Planned]]
    published: Mapping[str, float]
    draw: Callable[[list[Planned], dict[str, Any], Place, str], list[Path]] | None = None


TARGETS = {
    "vision": Target("All methods by layer", plan.vision, published.TABLE_1, pictures.depth),
    "table1": Target("Table 1: methods", plan.table_1, published.TABLE_1),
    "table4": Target("Table 4: ResNet-50 and VGG", plan.table_4, published.TABLE_4),
    "table6": Target("Table 6: gradient-isolated modules", plan.table_6, published.TABLE_6),
    "figure3": Target("Figures 3a and 8: preferred patches", plan.figure_3, {}, pictures.patches),
    "figure4": Target(
        "Figure 4: accuracy grows with depth", plan.figure_4, published.TABLE_1, pictures.depth
    ),
    "tsne": Target("Figure 3b: t-SNE", plan.figure_3, {}, pictures.tsne),
    "alignment": Target(
        "Appendix C: W_pred and W_retro align", plan.alignment, {}, pictures.alignment
    ),
    "lecture-table": Target("The lecture's table", plan.lecture, published.LECTURE),
}


def reproduce(
    target: str,
    *,
    scale: str = "small",
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "reproduced",
    seeds: int | None = None,
    workers: int | None = None,
    report: Report = silent,
) -> Reproduced:
    """Repeat a table or figure of the paper.

    target: a key of TARGETS. scale: `small` ends on two cores within an hour, on Fashion-MNIST;
    `paper` is the paper's setting, on STL-10, for GPUs and days. data: see `load_images`. out:
    a folder that keeps the networks, so that the same command goes on where it was interrupted.
    seeds: how many, from 0. workers: networks at a time; None: two on the CPU, one on a GPU.

    Writes <out>/<scale>/<target>.json and .md, and pictures. Raises InputError for an unknown
    target or scale, data that are not there, or an interruption.
    """
    if target not in TARGETS:
        raise unknown("target", target, TARGETS)
    if scale not in SIZES:
        raise unknown("scale", scale, get_args(Scale))
    for name, value in (("seeds", seeds), ("workers", workers)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}: give at least 1")
    wanted, size = TARGETS[target], SIZES[scale]
    chosen: Scale = "paper" if scale == "paper" else "small"
    plans = wanted.plan(chosen, list(range(seeds or size.seeds)))
    place = Place(Path(out) / scale, None if data is None else os.fspath(data))
    results = carry_out(plans, place, workers or _workers(), report)
    methods = tables.by_method(results)
    files = wanted.draw(plans, methods, place, target) if wanted.draw else []
    table = tables.rows(methods, wanted.published)
    source = str(results[0]["source"])
    found = {"target": target, "scale": scale, "methods": methods}
    files = [
        _write(place.folder / f"{target}.json", json.dumps(found, indent=1) + "\n"),
        _write(place.folder / f"{target}.md", _page(wanted, target, scale, methods, results[0])),
        *files,
    ]
    return Reproduced(wanted.title, table, files, source)


def _page(
    target: Target, name: str, scale: str, methods: dict[str, Any], one: dict[str, Any]
) -> str:
    """The target's table by the paper's readout, and by one that standardises the features."""
    images = f"{one['train_images']:,} labelled and {one['test_images']:,} test images"
    paper = (
        f"`clapp-neuro reproduce {name} --scale {scale}`: {one['source']}, {images}. Test accuracy "
        "in percent of the paper's linear readout (Adam, features as they are), mean ± sd over the "
        "seeds. The paper's figures are for STL-10."
    )
    best = "The same by logistic regression on standardised features, until it converges:"
    return tables.page(
        target.title,
        [
            (paper, tables.rows(methods, target.published)),
            (best, tables.rows(methods, {}, "accuracy_logistic")),
        ],
    )


def _workers() -> int:
    import torch

    return 1 if torch.cuda.is_available() else min(2, os.cpu_count() or 1)


def _write(path: Path, text: str) -> Path:
    return write_whole(path, lambda file: file.write(text.encode()))
