"""Whether learning stays sound over the long run: its part of the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from clapp_neuro.reproduce.tables import markdown

Found = dict[str, Any]


def long_section(runs: list[Found]) -> str:
    """Loss, gates, firing, dead and always-on neurons by stretch, means over the seeds."""
    if not runs:
        return ""
    rows = []
    for stretch in zip(*(run["stretches"] for run in runs), strict=True):
        rows.append(
            [
                f"{stretch[0]['fixations']:,}",
                _by_layer(stretch, "loss", "{:.3f}"),
                _by_layer(stretch, "gate", "{:.0%}"),
                _by_layer(stretch, "rate", "{:.1%}"),
                _most(stretch, "dead"),
                _most(stretch, "always_on"),
                f"{np.mean([s['at_limit'] for s in stretch]):.1e}",
            ]
        )
    header = ["fixations", "loss", "gates open", "firing", "dead", "always on", "weights at limit"]
    last = [run["stretches"][-1] for run in runs]
    clipped = {
        name: sum(s[name] for s in last)
        for name in ("tags_clipped", "weights_clipped", "post_clipped", "post_writes")
    }
    return "\n\n".join(
        [
            "## Whether long runs stay sound",
            f"{last[0]['fixations']:,} fixations from an untrained network, seeds "
            f"{', '.join(str(run['seed']) for run in runs)}; also `python "
            "benchmarks/adapt/long_run.py`. Layer by layer: loss, gates and firing rate are means "
            "over the seeds, dead and always-on neurons the most of any seed. A neuron is dead "
            "that never spikes for 1,000 test images, always on where it spikes in each of their "
            "fixations.",
            markdown(header, rows),
            f"Clipped in all: {clipped['tags_clipped']:,} tags, {clipped['weights_clipped']:,} "
            f"weights, {clipped['post_clipped']:,} of {clipped['post_writes']:,} post values.",
        ]
    )


def _by_layer(stretch: tuple[Found, ...], name: str, form: str) -> str:
    if name not in stretch[0]:
        return "–"
    return ", ".join(form.format(v) for v in np.mean([s[name] for s in stretch], axis=0))


def _most(stretch: tuple[Found, ...], name: str) -> str:
    return ", ".join(str(v) for v in np.max([s[name] for s in stretch], axis=0))
