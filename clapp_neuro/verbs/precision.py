"""What rounding costs each layer: foretold by the compiler, and measured on samples beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compiler.backends import simulator
from compiler.passes.quantizing.layer_precision import LayerPrecision
from compiler.pipeline import Compiled
from compiler.precision import LayerMeasured, Measured, measure, together
from compiler.trace import Stimulus

SPIKES_AT_ONCE = 1 << 27  # of neurons, steps and samples: a byte each

HEADER = (
    "layer",
    "exponent",
    "error of threshold",
    "of decay",
    "firing rate, foretold",
    "measured",
    "may differ within",
    "potentials as near",
    "spikes that differ",
)


@dataclass(frozen=True)
class Precision:
    """Layer by layer; `measured` is None where there were no samples."""

    layers: tuple[LayerPrecision, ...]
    measured: Measured | None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "layers": [{**asdict(f), "in_thresholds": f.in_thresholds} for f in self.layers],
            "measured": None if self.measured is None else self.measured.to_json(),
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row for each layer, as `HEADER` names its cells."""
        for found in self.layers:
            measured = None
            if self.measured is not None:
                measured = self.measured.layers.get(found.population)
            yield (
                found.population,
                f"{found.exponent}",
                "" if found.threshold is None else f"{found.threshold:.1e}",
                f"{found.decay:.1e}",
                "" if found.rate is None else f"{found.rate.all:+.2%}",
                *_measured(measured)[:1],
                "" if found.in_thresholds is None else f"{found.in_thresholds:.1%} of it",
                *_measured(measured)[1:],
            )

    def sentence(self) -> str:
        """What the samples say of the whole network; empty where there were none."""
        found = self.measured
        if found is None:
            return ""
        text = (
            f"of {found.samples} samples {found.certain} spike exactly as the source, whatever is "
            f"rounded how; the median sample does up to step "
            f"{int(np.median(found.certain_steps))} of {found.steps}"
        )
        if found.cut:
            text += f"; {found.cut:,} potentials or currents left 24 bits, which no bound covers"
        return text


def _measured(layer: LayerMeasured | None) -> tuple[str, str, str]:
    if layer is None:
        return "", "", ""
    shift = "silent" if layer.rate_shift is None else f"{layer.rate_shift:+.2%}"
    return shift, f"{layer.near / layer.asked:.2%}", f"{layer.differing / layer.asked:.3%}"


def measured(compiled: Compiled, stimulus: Stimulus) -> Measured:
    """The program on the simulator beside its source in real numbers."""
    program = compiled.program
    per_sample = program.timetable.steps * sum(p.size for p in program.populations)
    some = max(1, SPIKES_AT_ONCE // per_sample)
    parts = []
    for first in range(0, stimulus.fixations, some):
        part = stimulus.part(first, first + some)
        spikes = simulator.answer(program, part).spikes
        _, events = simulator.infer(program, part)
        cut = sum(p.membrane_clipped + p.current_wrapped for p in events.populations if not p.host)
        parts.append(measure(compiled.quantized, part.intensities, spikes, cut))
    return together(parts)
