"""SANA-FE as a separate program: writes its two input files from a program, and reads its counts.

SANA-FE (GPL) is never imported here. `python -c` runs it in a process of its own, from files that
hold nothing but facts: a placed network, and the machine's coefficients.

Facts about it that the files rely on, found by running it: tiles of a mesh of width W and height H
are numbered column by column; a message that is sent in a step is processed in the same step, and
its current reaches the soma in the next; a soma that no message has reached, with a potential of
zero, is accessed only, any other is updated; inputs are somata of a model of their own, one neuron
each; a population's neurons name the unit that their synapses use.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compiler.events.projections import form_of
from compiler.passes.placing.placement import Placement
from compiler.program import Program, Soma

INSTALL = "python -m pip install 'sanafe>=2.2'   # or, in a clone: make setup"
HOST_CORE = 4  # of the first tile, beside its four: where inputs come from
RUN = """
import json, sys, sanafe
chip = sanafe.SpikingChip(arch := sanafe.load_arch("machine.yaml"))
chip.load(sanafe.load_net("network.yaml", arch))
result = chip.sim(int(sys.argv[1]), timing_model="detailed", perf_trace=True, spike_trace=True)
trace = [[str(n) for n in step] for step in result["spike_trace"]]
json.dump({"energy": result["energy"], "time": result["sim_time"], "perf": result["perf_trace"],
           "packets": result["packets_sent"], "spikes": trace}, open("result.json", "w"))
"""


@dataclass(frozen=True)
class Costs:
    """Joules and seconds an event that both models multiply the same counts with."""

    energy: dict[str, float]
    time: dict[str, float]


@dataclass(frozen=True)
class SanaFe:
    """What it counted in a run: whole-run sums, and spikes by population, bool (steps, N)."""

    synaptic_operations: int
    updates: int  # of somata that had a current or a potential
    spikes: int
    packets: int
    hops: int
    energy: dict[str, float]
    time: float
    trains: dict[str, np.ndarray]


def missing() -> str | None:
    """What to do where SANA-FE is not installed, or None."""
    if importlib.util.find_spec("sanafe") is not None:
        return None
    return f"SANA-FE is not installed: {INSTALL}"


def run(
    program: Program,
    placement: Placement,
    inputs: dict[str, np.ndarray],
    steps: int,
    costs: Costs,
    folder: Path,
    mesh: tuple[int, int] = (8, 4),
) -> SanaFe:
    """Runs the placed program for so many steps; `inputs` are trains bool (steps, N).

    One all-to-all projection onto each population, all on one chip; somata without leak or bias.
    """
    (folder / "machine.yaml").write_text(json.dumps(_machine(costs, program, mesh)))
    (folder / "network.yaml").write_text(_network(program, placement, inputs, mesh))
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(steps)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    if done.returncode:
        raise RuntimeError(f"SANA-FE failed: {done.stderr[-2000:]}")
    data = json.loads((folder / "result.json").read_text())
    perf = data["perf"]
    hosts = {p.name for p in program.populations if p.soma is None}
    trains = {p.name: np.zeros((steps, p.size), bool) for p in program.populations}
    for step, fired in enumerate(data["spikes"]):
        for neuron in fired:
            name, _, index = neuron.rpartition(".")
            trains[name][step, int(index)] = True
    sent = sum(int(np.count_nonzero(trains[name])) for name in hosts)
    return SanaFe(
        synaptic_operations=sum(perf["spikes"]),
        updates=sum(perf["updated"]) - sent,  # an input that spikes counts as updated
        spikes=sum(perf["fired"]) - sent,
        packets=data["packets"],
        hops=sum(perf["hops"]),
        energy=data["energy"],
        time=data["time"],
        trains=trains,
    )


def _machine(costs: Costs, program: Program, mesh: tuple[int, int]) -> dict:
    """A mesh of tiles with four cores each; the first tile has the host's core as well."""
    e, t = costs.energy, costs.time
    hops = {
        f"{what}_{way}_hop": values[f"hop_{axis}"]
        for what, values in (("energy", e), ("latency", t))
        for axis, ways in (("east_west", ("east", "west")), ("north_south", ("north", "south")))
        for way in ways
    }
    width, height = mesh
    tiles = [
        {"name": "tile[0]", "attributes": hops, "core": [_cores(costs, 4), _host(costs, program)]},
        {
            "name": f"tile[1..{width * height - 1}]",
            "attributes": hops,
            "core": [_cores(costs, 4)],
        },
    ]
    attributes = {
        "topology": "mesh",
        "width": width,
        "height": height,
        "link_buffer_size": 16,
        "sync_model": "fixed",
        "latency_sync": t["barrier"],
    }
    return {"architecture": {"name": "chip", "attributes": attributes, "tile": tiles}}


def _cores(costs: Costs, number: int) -> dict:
    e, t = costs.energy, costs.time
    soma = {
        "model": "leaky_integrate_fire",
        "energy_access_neuron": e["neuron_update_idle"],
        "latency_access_neuron": t["neuron_update_idle"],
        "energy_update_neuron": e["neuron_update_active"] - e["neuron_update_idle"],
        "latency_update_neuron": t["neuron_update_active"] - t["neuron_update_idle"],
        "energy_spike_out": e["spike"],
        "latency_spike_out": t["spike"],
    }
    out = {"energy_message_out": e["axon_out"], "latency_message_out": t["axon_out"]}
    return _core(f"core[0..{number - 1}]", [{"name": "lif", "attributes": soma}], out, costs)


def _host(costs: Costs, program: Program) -> dict:
    """A core of inputs that cost nothing, since they are not on the chip."""
    inputs = sum(p.size for p in program.populations if p.soma is None)
    free = {
        f"{what}_{name}": 0.0
        for what in ("energy", "latency")
        for name in ("access_neuron", "update_neuron", "spike_out")
    }
    somata = [{"name": f"input[0..{inputs - 1}]", "attributes": {"model": "input", **free}}]
    out = {"energy_message_out": 0.0, "latency_message_out": 0.0}
    return _core("host[0]", somata, out, costs)


def _core(name: str, somata: list[dict], out: dict, costs: Costs) -> dict:
    e, t = costs.energy, costs.time
    synapses = [
        {
            "name": form,
            "attributes": {
                "model": "current_based",
                "energy_process_spike": e[f"synaptic_operation_{form}"],
                "latency_process_spike": t[f"synaptic_operation_{form}"],
            },
        }
        for form in ("dense", "sparse")
    ]
    axon = {"energy_message_in": e["axon_in"], "latency_message_in": t["axon_in"]}
    dendrite = {"model": "accumulator", "energy_update": 0.0, "latency_update": 0.0}
    return {
        "name": name,
        "attributes": {
            "buffer_position": "soma",
            "buffer_inside_unit": False,
            "max_neurons_supported": 4096,
        },
        "axon_in": [{"name": "axon_in", "attributes": axon}],
        "synapse": synapses,
        "dendrite": [{"name": "dendrite", "attributes": dendrite}],
        "soma": somata,
        "axon_out": [{"name": "axon_out", "attributes": out}],
    }


def _network(
    program: Program, placement: Placement, inputs: dict[str, np.ndarray], mesh: tuple[int, int]
) -> str:
    lines = ["network:", "  name: network", "  groups:"]
    mapped = []
    unit = 0
    for p in program.populations:
        forms = "".join(f", synapse_hw_name: {form_of(s)}" for s in program.arriving[p.name])
        lines += [f"    - name: {p.name}", f"      attributes: [log_spikes: true{forms}]"]
        lines.append("      neurons:")
        if p.soma is None:
            for j in range(p.size):
                train = [int(x) for x in inputs[p.name][:, j]]
                lines.append(f"        - {j}: [spikes: {train}]")
                mapped.append(f'  - {p.name}.{j}: [core: 0.{HOST_CORE}, soma: "input[{unit}]"]')
                unit += 1
            continue
        assert isinstance(p.soma, Soma)
        soma = f"{{threshold: {p.soma.threshold}, reset_mode: soft, leak_decay: 1.0}}"
        lines += [f"        - {j}: [soma: {soma}]" for j in range(p.size)]
    placed: Counter[int] = Counter()
    for core in placement.cores:
        tile = core.column * mesh[1] + core.row
        offset = placed[tile]
        placed[tile] += 1
        for part in core.slices:
            first = part.first_channel
            for j in range(first, first + part.channels):
                mapped.append(f"  - {part.population}.{j}: [core: {tile}.{offset}, soma: lif]")
    lines.append("  edges:")
    for s in program.synapses:
        shift = program.population(s.target).soma.input_shift  # type: ignore[union-attr]
        dense = form_of(s) == "dense"
        for i, j in np.argwhere((s.weights.T != 0) | dense):
            weight = int(s.weights[j, i]) << shift
            lines.append(f"    - {s.source}.{i} -> {s.target}.{j}: [weight: {weight}]")
    return "\n".join([*lines, "mappings:", *mapped, ""])
