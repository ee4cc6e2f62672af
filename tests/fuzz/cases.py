"""A case: a program, what it is shown, and how; as a strategy and as two files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from clapp_neuro.errors import InputError
from compiler.bundle import read_bundle, write_bundle
from compiler.ir import Network
from compiler.program import Program
from compiler.trace import Stimulus
from fuzz.drawn import SEEDS, Draw
from fuzz.networks import networks
from fuzz.programs import Refused, programs


@dataclass(frozen=True)
class Case:
    """`split`: the fixation before which the state is handed over to another run."""

    program: Program
    stimulus: Stimulus
    learn: bool
    split: int

    def __repr__(self) -> str:
        sizes = ", ".join(f"{p.name} {p.size}" for p in self.program.populations)
        return (
            f"{sizes}; {self.program.timetable.steps} steps, {self.stimulus.fixations} fixations, "
            f"{'learning' if self.learn else 'inference'}"
        )


@st.composite
def cases(
    draw: Draw,
    refused: Refused = lambda reason: None,
    least: int = 0,
    most: int = 6,
    sources: st.SearchStrategy[Network] | None = None,
) -> Case | None:
    """A case of `least` to `most` fixations; None where the compiler refuses the network."""
    program = draw(programs(networks() if sources is None else sources, refused))
    if program is None:
        return None
    fixations = draw(st.sampled_from([n for n in (3, most, 2, most, 1, 0) if n >= least]))
    steps = program.timetable.steps
    inputs = {p.name: p for p in program.populations if p.soma is None}
    signs = st.sampled_from([1, -1, 1, -1, 0])
    beyond = max((gate.classes for gate in program.gates), default=0)
    classes = st.integers(-1, beyond)  # -1: nobody knows; the last of them is no class either
    stimulus = Stimulus(
        {
            name: draw(
                _sequences((fixations, steps, p.size), p.sequence)
                if p.sequence
                else _intensities((fixations, p.size))
            )
            for name, p in inputs.items()
        },
        {
            name: np.array(
                draw(st.tuples(*[classes if name == "class" else signs] * fixations)), np.int8
            )
            for name in program.modulators
        },
    )
    learn = draw(st.sampled_from([True, False, True]))
    return Case(program, stimulus, learn, draw(st.integers(0, fixations)))


@st.composite
def _intensities(draw: Draw, shape: tuple[int, int]) -> np.ndarray:
    kind = draw(st.sampled_from([*["any"] * 4, "sparse", "bright", "dim", "dark"]))
    random = np.random.default_rng(draw(SEEDS))
    if kind == "any":
        return random.integers(0, 256, shape).astype(np.uint8)
    if kind == "sparse":
        return (random.integers(0, 256, shape) * (random.random(shape) < 0.2)).astype(np.uint8)
    if kind == "dim":
        return random.integers(0, 4, shape).astype(np.uint8)
    return np.full(shape, {"dark": 0, "bright": 255}[kind], np.uint8)


@st.composite
def _sequences(draw: Draw, shape: tuple[int, int, int], largest: int) -> np.ndarray:
    """What an input is given step by step: spikes, or values of either sign."""
    random = np.random.default_rng(draw(SEEDS))
    values = random.integers(0 if largest == 1 else -largest, largest + 1, shape)
    share = draw(st.sampled_from([1.0, 0.3, 1.0, 0.05, 0.0]))
    return (values * (random.random(shape) < share)).astype(np.int16)


def write_case(path: Path, case: Case) -> Path:
    """Writes `path` (a bundle) and, beside it, the stimulus as .npz; returns the bundle's path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(path, case.program)
    shown = {f"intensities.{k}": v for k, v in case.stimulus.intensities.items()}
    shown |= {f"signals.{k}": v for k, v in case.stimulus.signals.items()}
    np.savez(path.with_suffix(".npz"), learn=case.learn, split=case.split, **shown)
    return path


def read_case(path: Path) -> Case:
    """Reads what `write_case` wrote. InputError where a file is missing or is something else."""
    program, _ = read_bundle(path)
    beside = path.with_suffix(".npz")
    try:
        with np.load(beside, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in arrays.files}
        learn, split = bool(values.pop("learn")), int(values.pop("split"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{beside}' is not the stimulus of a case: {error}") from error

    def of(kind: str) -> dict[str, np.ndarray]:
        return {k.split(".", 1)[1]: v for k, v in values.items() if k.startswith(f"{kind}.")}

    return Case(program, Stimulus(of("intensities"), of("signals")), learn, split)
