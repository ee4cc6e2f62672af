"""`compile`: a checkpoint to a program for a target."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clapp_neuro.errors import InputError, unknown
from clapp_neuro.files import require_place
from clapp_neuro.readouts.reward import RATE
from clapp_neuro.verbs.precision import Precision, measured
from clapp_neuro.verbs.samples import is_foreign
from clapp_neuro.verbs.sight import gaze, images_of
from clapp_neuro.verbs.source import Reading, load_array, read_source, require_no_folder
from compiler.bundle import write_bundle
from compiler.frontends.compile_source import stimulus
from compiler.passes.lowering.consolidation import Consolidation
from compiler.passes.quantizing.quantize import MAXIMUM
from compiler.passes.untie import AVERAGED_EVERY
from compiler.pipeline import Compiled, compile_network
from compiler.program import MACHINE, Program
from compiler.report import Note
from compiler.targets import load_target
from compiler.trace import Stimulus
from compiler.worked_examples.row import Example
from compiler.worked_examples.rules import unshown, worked_example

MEASURED = 64  # samples of a calibration file
KERNELS = ("untied", "tied-averaged", "sequential")
NO_READOUT, BY_POSITION = "none", "reward-by-position"
READOUTS = (NO_READOUT, "reward", BY_POSITION)


@dataclass(frozen=True)
class CompileResult:
    """Where the program was written, what compiling did to it and cost, and each rule at work."""

    path: Path
    target: str
    compiled: Compiled
    examples: tuple[Example, ...]
    precision: Precision

    def to_json(self) -> dict[str, Any]:
        """Plain data: notes of the passes, placement, timetable."""
        return {
            "path": str(self.path),
            "target": self.target,
            "timetable": asdict(self.compiled.program.timetable),
            "notes": [asdict(note) for note in self.compiled.notes],
            "placement": self.compiled.placement.to_json(),
            "precision": self.precision.to_json(),
            "examples": [example.to_json() for example in self.examples],
        }


def compile(
    model: str | os.PathLike[str],
    target: str = "loihi2-sim",
    out: str | os.PathLike[str] | None = None,
    *,
    seed: int = 0,
    static: bool = False,
    kernels: str = "untied",
    average_every: int = AVERAGED_EVERY,
    consolidation: str | None = None,
    consolidate_every: int | None = None,
    percentile: float = MAXIMUM,
    readout: str = NO_READOUT,
    readout_rate: float = RATE,
    exponents: Mapping[str, int] | None = None,
    measure: int | None = None,
    data: str | os.PathLike[str] | None = None,
    reading: Reading | None = None,
) -> CompileResult:
    """Compile a model and write the program to `out` (default: beside it, as .clapp).

    model: a checkpoint, or a NIR or ONNX file, read as `reading` says.
    seed: of the stochastic rounding on the chip. static: leave learning out. kernels that learn
    become copies, one a position: "untied", or "tied-averaged" by the management processor after
    every `average_every` fixations. Or one set of synapses learns from one position after the
    other, "sequential", and what it learned is carried into the shared kernels as often.
    consolidation: how updates reach the weights: "carry", "transfer", "pair" or "direct"
    (`compiler.passes.lowering.consolidation`; default: the best that the target allows), the first
    three after every `consolidate_every` fixations. percentile: of a layer's weights, by magnitude,
    that the largest integer stands for; 100 for the largest weight. exponents: of the weights onto
    layers, by name, -6 to 0; others get the largest that leaves room. measure: on so many samples
    the program runs beside its source in real numbers: of a foreign model's calibration (default:
    64 of it, where there is one), of a checkpoint fixations over its images, from `data` as in
    `load_images` (default: none). readout: "reward" adds one neuron a class, which learns at
    `readout_rate` from one bit of reward (`clapp_neuro.readouts.reward`); "reward-by-position" as
    many for each position of the gaze. Raises InputError for what does not fit, with all violated
    limits; nothing is written then.
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"seed {seed}: the chip's random numbers take one from 0 to 2^32 - 1")
    if kernels not in KERNELS:
        raise unknown("lowering of kernels", kernels, KERNELS)
    if average_every < 1:
        raise InputError(
            f"copies averaged or weights carried every {average_every} fixations: give at least 1"
        )
    if readout not in READOUTS:
        raise unknown("readout", readout, READOUTS)
    if not 50 <= percentile <= MAXIMUM:
        raise InputError(f"percentile {percentile:g}: give 50 to 100, which is the largest weight")
    chosen = load_target(target)
    path = program_path(model, out)
    require_place(path)
    if path.resolve() == Path(model).resolve():
        raise InputError(f"'{path}' would overwrite the model: give another --out")
    if measure is not None and measure < 1:
        raise InputError(f"measure on {measure} samples: give at least 1")
    source = read_source(
        model,
        reading,
        static=static,
        data=data,
        readout=None if readout == NO_READOUT else readout_rate,
        by_position=readout == BY_POSITION,
    )
    network = source.network
    averaged = 0 if kernels == "untied" else average_every
    compiled = compile_network(
        network,
        chosen,
        seed,
        averaged=averaged,
        sequential=kernels == "sequential",
        consolidation=Consolidation(consolidation, consolidate_every),
        percentile=percentile,
        exponents=exponents,
    )
    shown = _samples(compiled.program, reading, measure, data)
    beside = None if shown is None else measured(compiled, shown)
    precision = Precision(compiled.quantized.layers, beside)
    if target.endswith(".json"):
        described = {**compiled.program.provenance, MACHINE: chosen.machine.model_dump_json()}
        program = replace(compiled.program, provenance=described)
        compiled = replace(compiled, program=program)
    if source.graph is not None:
        told = tuple(Note("read", source.kind, text) for text in source.graph.notes)
        compiled = replace(compiled, notes=(*told, *compiled.notes))
    left_out = unshown(compiled.program)
    if left_out:
        note = Note("example", "network", left_out)
        compiled = replace(compiled, notes=(*compiled.notes, note))
    write_bundle(path, compiled.program, compiled.notes)
    examples = worked_example(network, compiled.program)
    return CompileResult(path, target, compiled, examples, precision)


def program_path(model: str | os.PathLike[str], out: str | os.PathLike[str] | None) -> Path:
    """Where the program is written: `out`, or beside the model; InputError where that is none."""
    require_no_folder(model)
    return Path(out) if out is not None else Path(model).with_suffix(".clapp")


def _samples(
    program: Program,
    reading: Reading | None,
    asked: int | None,
    data: str | os.PathLike[str] | None,
) -> Stimulus | None:
    """What to measure on; None where nobody asks."""
    if not is_foreign(program):
        return None if asked is None else gaze(program, images_of(program, data), asked, 0)
    given = None if reading is None else reading.calibration
    if given is None:
        if asked is not None:
            raise InputError(
                "measuring needs samples: give --calibration SAMPLES.npy, as clapp-neuro answer "
                "takes them"
            )
        return None
    found = stimulus(program, load_array(given))
    return found.part(0, asked or MEASURED)
