"""What the stored runs of all networks say together: docs/results/on_chip.json."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from settings import DEFAULT, LAST, LAVA, LOWERINGS, Network

from clapp_neuro.errors import InputError
from compiler.energy import Coefficients
from compiler.energy.band import scaled
from compiler.targets import load_target

Found = dict[str, Any]
OF_COMPILE = {"carry": DEFAULT, "transfer": "batch-32", "pair": "pair-32", "direct": "direct"}
"""The row of each `compile --consolidation`."""

COSTS = ("plastic_updates", "carry_visits", "management_visits", "tag_clipped", "weight_clipped")


def best_rate(network: Network, folder: Path) -> float:
    """The reference's learning rate with the best mean accuracy on the validation images."""
    fitting = [rate for rate in network.rates if rate <= (network.fastest or rate)]
    return max(fitting, key=lambda rate: _validated(network, folder, rate))


def _validated(network: Network, folder: Path, rate: float) -> float:
    runs = [_read(folder, seed, f"online-{rate:.6f}") for seed in network.seeds[: network.choosing]]
    return statistics.mean(
        statistics.mean(run["accuracy"]["validation"]) for run in runs if run is not None
    )


def _read(folder: Path, seed: int, name: str) -> Found | None:
    path = folder / str(seed) / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def summarise(networks: dict[str, Network], folder: Path, scale: str, stored: Path) -> Found:
    """All networks; `default` and `variants` are the first one's.

    Those of which there is a whole seed in the folder as it says, others as they are in `stored`,
    an earlier summary, if there is one. InputError where a network is in neither.
    """
    found = json.loads(stored.read_text())["networks"] if stored.exists() else {}
    for name, network in networks.items():
        measured = _network(network, folder / name)
        if measured is not None:
            found[name] = {"scale": scale, **measured}
    if not found:
        raise InputError(f"no network of scale '{scale}' has a whole seed in {folder} yet")
    order = [*networks, *found]
    ordered = {name: found[name] for name in sorted(found, key=order.index)}
    first = next(iter(ordered.values()))
    return {"default": first["default"], "variants": first["variants"], "networks": ordered}


def _network(network: Network, folder: Path) -> Found | None:
    """Everything about one network; None where no seed is whole."""
    if not all(
        _read(folder, seed, f"online-{rate:.6f}")
        for seed in network.seeds[: network.choosing]
        for rate in network.rates
    ):
        return None
    rate = best_rate(network, folder)
    default = _lowering(network, folder, rate, DEFAULT)
    if default is None:
        return None
    variants = {name: _lowering(network, folder, rate, name) for name in network.lowerings}
    seconds = [json.loads(path.read_text())["seconds"] for path in sorted(folder.glob("*/*.json"))]
    return {
        "settings": network.to_json(),
        "rate": rate,
        "validated": {f"{r:.6f}": _validated(network, folder, r) for r in network.rates},
        "default": default,
        "variants": {name: found for name, found in variants.items() if found is not None},
        "lava": _read(folder, network.seeds[0], f"{LAVA}-{rate:.6f}"),
        "seconds": sum(seconds),
    }


def _lowering(network: Network, folder: Path, rate: float, name: str) -> Found | None:
    """One way to learn, over the seeds that have it: everything as seeds x layers."""
    rows: list[tuple[int, Found, Found, Found]] = []
    for seed in network.seeds:
        runs = [
            _read(folder, seed, "untrained"),
            _read(folder, seed, f"online-{rate:.6f}"),
            _read(folder, seed, f"{name}-{rate:.6f}"),
        ]
        if runs[0] is not None and runs[1] is not None and runs[2] is not None:
            rows.append((seed, runs[0], runs[1], runs[2]))
    if not rows:
        return None
    before, float_, chip = (
        np.array([row[i]["accuracy"]["test"] for row in rows]) for i in (1, 2, 3)
    )
    losses = [np.array([row[i]["loss"] for row in rows]) for i in (2, 3)]
    float_loss, chip_loss = (loss[:, :, -LAST:].mean(2) for loss in losses)
    return {
        "title": LOWERINGS[name].title,
        "seeds": [row[0] for row in rows],
        "untrained": before.tolist(),
        "online": float_.tolist(),
        "accuracy": chip.tolist(),
        "gain_recovered": _ratio(chip - before, float_ - before),
        "loss": chip_loss.tolist(),
        "online_loss": float_loss.tolist(),
        "loss_gain": _ratio(1 - chip_loss, 1 - float_loss),
        "curves": {
            "loss": _mean([row[3]["loss"] for row in rows]),
            "gate": _mean([row[3]["gate"] for row in rows]),
            "online_loss": _mean([row[2]["loss"] for row in rows]),
            "online_gate": _mean([row[2]["gate"] for row in rows]),
        },
        **{cost: statistics.mean(row[3][cost] for row in rows) for cost in COSTS},
        "learning_energy": {
            **rows[0][3]["learning_energy"],
            **{
                bound: statistics.mean(row[3]["learning_energy"][bound] for row in rows)
                for bound in ("value", "low", "high")
            },
        },
        "management_energy": _of_processor(rows),
        "silent": np.mean([row[3]["silent"] for row in rows], axis=0).tolist(),
        "saturated": np.mean([row[3]["saturated"] for row in rows], axis=0).tolist(),
        "source": rows[0][3]["accuracy"]["source"],
        "tested": rows[0][3]["accuracy"]["tested"],
    }


def _of_processor(rows: list[tuple[int, Found, Found, Found]]) -> Found:
    """What the management processor's visits cost in a fixation, mean over the seeds."""
    visits = statistics.mean(row[3]["management_visits"] for row in rows)
    machine = load_target("loihi2-sim").machine
    return scaled(Coefficients(machine).energy("averaged_synapse"), visits).to_json()


def _ratio(kept: np.ndarray, whole: np.ndarray) -> list[list[float | None]]:
    """By seed and layer; None where the reference gained nothing."""
    return [
        [float(k / w) if w else None for k, w in zip(ks, ws, strict=True)]
        for ks, ws in zip(kept, whole, strict=True)
    ]


def _mean(curves: list[Any]) -> Any:
    return np.mean(curves, axis=0).tolist()


def kept(found: Found) -> Found:
    """What `compile` says of each way from an update to the weight: `compiler.kept`."""
    network, *_ = found["networks"].values()
    ways = {DEFAULT: network["default"], **network["variants"]}
    return {
        "network": network["settings"]["preset"],
        "fixations": network["settings"]["fixations"],
        "ways": {
            way: {
                "seeds": len(ways[row]["seeds"]),
                "loss_gain": np.mean(np.array(ways[row]["loss_gain"], float), axis=0).tolist(),
            }
            for way, row in OF_COMPILE.items()
            if row in ways
        },
    }
