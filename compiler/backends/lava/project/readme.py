"""The text that explains a project to its reader, with what this one holds."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from compiler.backends.lava.compat import INSTALL
from compiler.backends.lava.project.carried import PACKAGE
from compiler.ir import Compartment, Connection
from compiler.program import Program, ProgramPopulation, Relay, SumOfProducts, Synapses, Tally
from compiler.terms import Integers

WIDTH = 100
SPARSE = {Connection.UNPOOL, Connection.SUM, Connection.SPREAD}


def readme(program: Program, fixations: int) -> str:
    """README.md of a project whose stimulus has so many fixations."""
    parts = (_what(program), _run(program, fixations), _files(program), _chip(program))
    return "\n".join(line for part in parts for line in part) + "\n"


def _what(program: Program) -> Iterator[str]:
    steps, period = program.timetable.steps, program.timetable.period
    yield from (
        "# A spiking network on Lava",
        "",
        fill(
            "Written by clapp-neuro, which compiled the network to integers, and is not needed to "
            f"run it. An input is shown for {steps} time steps (a *fixation*), a new one every "
            f"{period}. Each level of populations runs one step behind the one below. The "
            f"docstring of `{PACKAGE}/program/__init__.py` has the timetable.",
            WIDTH,
        ),
        "",
        "| population | level | neurons | soma |",
        "| --- | --- | --- | --- |",
    )
    for p in program.populations:
        size = "×".join(str(n) for n in p.shape) if p.shape else str(p.size)
        yield f"| {p.name} | {p.level} | {size} | {_soma(p)} |"
    yield from (
        "",
        "| projection | from | to | weights | rule |",
        "| --- | --- | --- | --- | --- |",
    )
    for s in program.synapses:
        shape = "×".join(str(n) for n in s.weights.shape)
        yield (
            f"| {s.name} | {s.source} | {s.target}, {s.compartment.value} | {shape}, "
            f"{s.connection.value}{f', delay {s.delay}' if s.delay else ''} | {_rule(s)} |"
        )


def _soma(p: ProgramPopulation) -> str:
    if p.soma is None:
        return "input"
    if isinstance(p.soma, Relay):
        return f"relay of {p.soma.neighbours}"
    if isinstance(p.soma, Tally):
        return "tally: adds up what it receives, when the network learns"
    spikes = "no threshold"
    if p.soma.threshold is not None:
        spikes = f"threshold {_values(p.soma.threshold)}, reset '{p.soma.reset.value}'"
    current = ""
    if p.soma.current_decay is not None:
        current = f", decay of the current {_values(p.soma.current_decay)}/4096"
    return f"LIF, decay {_values(p.soma.decay)}/4096{current}, {spikes}"


def _values(values: Integers) -> str:
    """One number, or from which to which."""
    return str(values) if isinstance(values, int) else f"{min(values)} to {max(values)}"


def _rule(s: Synapses) -> str:
    if s.rule is None:
        return f"carried into every {s.averaged} fixations" if s.averaged else "–"
    changes = (("dw", s.rule.dw), ("dt", s.rule.dt))
    rule = ", ".join(f"`{name} = {SumOfProducts.text(terms)}`" for name, terms in changes if terms)
    if s.paired:
        return f"{rule}, carried into {s.into} every {s.averaged} fixations"
    return f"{rule}, copies averaged every {s.averaged} fixations" if s.averaged else rule


def _run(program: Program, fixations: int) -> Iterator[str]:
    learned = (
        ", and with `--learn` also scores, gates, weights and tags," if program.plastic else ""
    )
    yield from (
        "",
        "## Run it",
        "",
        "With Python 3.10 to 3.13 on Linux or macOS (Lava forks):",
        "",
        "```",
        *INSTALL.split(" && "),
        "python run.py",
        *(["python run.py --learn"] if program.plastic else []),
        "```",
        "",
        fill(
            f"It shows the {fixations} fixations of `stimulus.npz`, says what each layer did, and "
            f"compares all spike counts{learned} to the bit with what clapp-neuro's simulator "
            "computed. Exit codes: 0 equal, 1 different, 2 it could not run.",
            WIDTH,
        ),
    )


def _files(program: Program) -> Iterator[str]:
    rows = (
        ("run.py", "reads, runs, shows, compares"),
        ("program.json", "everything but the arrays, as the dataclasses of `program/` have it"),
        ("weights.npz", "int8 weights (and int16 tags) of each projection, in the shape above"),
        ("stimulus.npz", "`NAME.intensities` of each input, `NAME.signal` int8 (F,)"),
        ("expected.npz", "`NAME.counts` (F, N) of each population, as the simulator has them"),
        *([("expected_learning.npz", "the same with learning, and scores, gates, weights, tags")]
          if program.plastic else []),
        ("requirements.txt", "Lava, and how to install it"),
        (f"{PACKAGE}/build.py", "the graph of processes: start reading here"),
        (f"{PACKAGE}/wiring.py", "which port listens to what, and in which time step"),
        (f"{PACKAGE}/soma.py", "what a neuron computes, in plain numpy"),
        (f"{PACKAGE}/entries.py", "which neurons the sparse projections of a map connect"),
        (f"{PACKAGE}/processes/", "the processes with their models for Lava's CPU backend"),
        (f"{PACKAGE}/rounding.py", "the counter-based random numbers of stochastic rounding"),
        (f"{PACKAGE}/compat.py", "imports Lava on Python 3.11 and later"),
        (f"{PACKAGE}/stored.py", "reads the files above"),
        (f"{PACKAGE}/outcome.py", "what a run leaves behind; `recording.py` is where it is kept"),
        ("LICENSE", "of all of this (MIT); Lava has its own"),
    )  # fmt: skip
    yield from ("", "## What is what", "", "| file | what it holds |", "| --- | --- |")
    for name, text in rows:
        yield f"| `{name}` | {text} |"


def _chip(program: Program) -> Iterator[str]:
    yield from (
        "",
        "## Towards a chip",
        "",
        fill(
            "None of this has run on silicon. Intel archived Lava in May 2026, and its compiler to "
            "the chip was never public: what follows is what is known from outside.",
            WIDTH,
        ),
        "",
    )
    for item in _to_change(program):
        yield fill(f"- {item}", WIDTH, subsequent_indent="  ")


def _to_change(program: Program) -> Iterator[str]:
    """What a port would have to look at; only what the program uses."""
    connections = {s.connection for s in program.synapses}
    if any(s.connection is Connection.ALL_TO_ALL and s.rule is None for s in program.synapses):
        yield (
            "Static all-to-all synapses are Lava's `Dense`; Lava calls its fixed-point model "
            "accurate to the bit."
        )
    if connections & {Connection.CONVOLUTION, Connection.POOL}:
        yield "Shared kernels and pools are Lava's `Conv` with its fixed-point model."
    if connections & SPARSE:
        yield (
            f"A map's other projections ({', '.join(sorted(c.value for c in connections & SPARSE))}"
            ") are Lava's `Sparse`, static, with its fixed-point model. They hear predictions as "
            "payloads of 24 bits and sign."
        )
    if Connection.POOL in connections:
        yield "The relays of a pool need bitwise operations in the soma (`NeuronState.relay`)."
    if any(s.compartment is Compartment.INHIBITION for s in program.synapses):
        yield (
            "Whoever does not win a pool forgets its count before learning: the relays send the "
            "winner's bit back, and the soma tests one bit (`NeuronState.inhibit`)."
        )
    yield (
        "Somata are Python for Lava's CPU backend, and would have to be written as programs of "
        f"Loihi 2's neurons. `{PACKAGE}/soma.py` is their specification: integers, 24-bit membrane "
        "potentials, shifts, compares, products."
    )
    yield (
        "Inputs send graded spikes, which Loihi 1 does not have. How pixels come onto the chip is "
        f"left open: `{PACKAGE}/processes/input.py` is the process to replace."
    )
    if program.plastic:
        yield (
            "Plastic synapses are Lava's `LearningDense` with the fixed-point model that Lava "
            "calls `bit_approximate_loihi`. Two things differ from stock Lava: each synapse has a "
            "random number of its own for rounding, and weights are clipped to "
            f"±{program.weight_max}, tags to ±{program.tag_max}. A chip rounds with its own random "
            "numbers, so its weights will differ by what rounding makes of them."
        )
        yield (
            "Where a rule is decimated (a factor u_k: every 2^k steps), all synapses have to be "
            "visited. Whether silicon visits those without presynaptic activity is not known."
        )
    if Connection.UNTIED in connections:
        yield (
            "Kernels that learn are copies, one a position, as Lava's `LearningSparse`. Its "
            "fixed-point model does not take rules that read a synapse's tag, so "
            f"`{PACKAGE}/processes/untied.py` applies Lava's arithmetic to a vector of synapses."
        )
    if program.low:
        yield (
            "Pairs of synapses: the high ones drive neurons, the low ones learn and drive nothing, "
            "so on a chip they need a compartment that no neuron reads. Between fixations whole "
            "units of the high weights are carried over. Here the process of the low ones does it; "
            f"on a chip it is work of the management processor (`{PACKAGE}/copies.py`)."
        )
    if any(s.averaged and s.connection is Connection.UNTIED for s in program.synapses):
        yield (
            "Between fixations the copies of a kernel are averaged. Here the process does it; on a "
            f"chip it is work of the management processor (`{PACKAGE}/copies.py`)."
        )
    if any(s.slots for s in program.synapses):
        yield (
            "Presynaptic traces are written by graded spikes (mode OVERWRITE), post values y1 to "
            "y3 by the soma, in the time steps in which a projection learns."
        )
    if program.gates:
        yield (
            "A comparator is one interneuron. Its gate is one graded spike fanned out to every "
            "neuron of the layer, as a chip has no global line."
        )
    yield (
        "Cores are not assigned here: `clapp-neuro compile` prints how many a machine needs and "
        "which limit binds. How many axons a core of Loihi 2 may have is not public."
    )
