"""What each way from an update to the weight keeps of what float learns, as it was measured.

`benchmarks/on_chip` writes the figures, `kept.json`, beside docs/results/on_chip.json.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PAGE = "docs/results/on_chip.md"


@dataclass(frozen=True)
class Kept:
    """Shares of the float network's loss gain, by layer: means over `seeds` runs."""

    seeds: int
    loss_gain: tuple[float, ...]

    def __str__(self) -> str:
        return " / ".join(f"{share:.2f}" for share in self.loss_gain)


def measured() -> dict[str, Kept]:
    """By the kind of consolidation; kinds that have not been measured are not there."""
    return {
        kind: Kept(way["seeds"], tuple(way["loss_gain"])) for kind, way in _stored()["ways"].items()
    }


@cache
def _stored() -> dict:
    return json.loads((Path(__file__).parent / "kept.json").read_text("utf-8"))


def cost(kind: str, weight_bits: int) -> str:
    """What this way costs in accuracy, beside the default's; weight_bits: of the target."""
    ways, found = measured(), _stored()
    if kind not in ways:
        return f"what {kind} keeps of float's loss gain has not been measured"
    seeds = ways[kind].seeds
    text = f"{kind} keeps {ways[kind]} of float's loss gain, by layer"
    if kind != "carry":
        text += f", where tags that are carried keep {ways['carry']}"
    text += (
        f" ({found['network']}, {found['fixations']:,} fixations, {seeds} "
        f"seed{'s' if seeds > 1 else ''}: {PAGE})"
    )
    if weight_bits < 8:
        text += f"; measured with weights of 8 bits, not {weight_bits}"
    return text
