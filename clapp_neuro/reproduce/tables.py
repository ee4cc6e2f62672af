"""Results of many networks → one table, as JSON and as Markdown, the paper's figure beside ours."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Results = Sequence[Mapping[str, Any]]


def by_method(results: Results) -> dict[str, dict[str, Any]]:
    """Row → `accuracy` (seeds × layers, percent, the paper's readout), the same by `logistic`, and
    what these figures rest on."""
    methods: dict[str, dict[str, Any]] = {}
    for result in sorted(results, key=lambda result: result["seed"]):
        row = methods.setdefault(
            result["row"],
            {
                "accuracy": [],
                "accuracy_logistic": [],
                "seeds": [],
                "training_seconds": [],
                "processor_seconds": [],
                "final": [],
                "train_images": result["train_images"],
                "test_images": result["test_images"],
                "source": result["source"],
                "device": result["device"],
                "settings": result["settings"],
            },
        )
        row["accuracy"].append(result["accuracy"]["adam"])
        row["accuracy_logistic"].append(result["accuracy"]["logistic"])
        row["seeds"].append(result["seed"])
        row["training_seconds"].append(result["training_seconds"])
        row["processor_seconds"].append(result.get("processor_seconds"))  # new in 0.1
        row["final"].append(result["final"])
    return methods


def spread(values: Sequence[float]) -> str:
    """Mean ± sample standard deviation; the value alone where there is one."""
    mean = statistics.mean(values)
    return f"{mean:.1f} ± {statistics.stdev(values):.1f}" if len(values) > 1 else f"{mean:.1f}"


def rows(
    methods: Mapping[str, Mapping[str, Any]],
    published: Mapping[str, float],
    key: str = "accuracy",
) -> list[tuple[str, ...]]:
    """A header, then one row a method: each layer, the best one in the mean, the paper's figure."""
    depth = max(len(method[key][0]) for method in methods.values())
    header = ("method", *(f"layer {layer}" for layer in range(1, depth + 1)), "best", "paper")
    found: list[tuple[str, ...]] = [header]
    for name, method in methods.items():
        layers = list(zip(*method[key], strict=True))
        best = max(statistics.mean(values) for values in layers)
        cells = [spread(values) for values in layers] + [""] * (depth - len(layers))
        paper = f"{published[name]:.1f}" if name in published else "–"
        found.append((name, *cells, f"{best:.1f}", paper))
    return found


def page(title: str, parts: Sequence[tuple[str, Sequence[Sequence[str]]]]) -> str:
    """A page of Markdown: for each part a paragraph and a table, header first."""
    lines = [f"# {title}"]
    for text, (header, *body) in parts:
        lines += ["", text, "", markdown(header, body)]
    return "\n".join(lines) + "\n"


def markdown(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in body)])
