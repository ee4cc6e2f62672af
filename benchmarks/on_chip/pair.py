"""A pair of 8-bit synapses as one weight, for a machine without tags: what is measured of it.

The low synapse takes the place of the tag: it accumulates the same products in 1/64 of a unit of
the high one, between -127 and 127, and drives no soma. Between fixations the management processor
carries whole units, rounded to the nearest: w += round(t / 64), t -= 64 round(t / 64). This is no
lowering of the compiler: its synapses are the program's tags, narrowed, carried here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.backends.simulator.engine import Machine
from compiler.backends.simulator.shown import stimulus_arrays
from compiler.products import carries
from compiler.program import TAG_UNITS, Product, Program, SumOfProducts
from compiler.trace import Stimulus

LOW_MAX = 127
NEVER = 40  # u_40 is due after 10^12 time steps


def paired(program: Program) -> Program:
    """The program whose low synapses, its tags, no learning engine carries."""
    synapses = tuple(
        s if s.rule is None else replace(s, rule=_uncarried(s.rule)) for s in program.synapses
    )
    return replace(program, synapses=synapses, tag_max=LOW_MAX)


def _uncarried(rule: SumOfProducts) -> SumOfProducts:
    due = f"u{NEVER}"
    changed = SumOfProducts(
        dw=(Product(0, (due, "sgn(t)")),),
        dt=(rule.dt[0], Product(TAG_UNITS.bit_length() - 1, (due, "sgn(t)"), sign=-1)),
    )
    assert carries(changed)
    return changed


def learn_in_pairs(
    program: Program, stimulus: Stimulus, every: int
) -> tuple[Machine, np.ndarray, np.ndarray]:
    """A run of `paired(program)`: the machine after it, scores and gates (F, gates).

    every: fixations from one carry to the next.
    """
    machine = Machine(paired(program), learn=True)
    shown = stimulus_arrays(program, machine.layout, stimulus)
    scores, gates = [], []
    for start in range(0, stimulus.fixations, every):
        u, gate = machine.run(shown.part(start, start + every))
        scores.append(u)
        gates.append(gate)
        carry(machine.working.weights, machine.working.tags, program.weight_max)
    return machine, np.concatenate(scores), np.concatenate(gates)


def carry(weights: np.ndarray, tags: np.ndarray, weight_max: int) -> None:
    """Whole units from the low synapses into the high ones, in place."""
    moved = (tags + TAG_UNITS // 2) >> (TAG_UNITS.bit_length() - 1)
    np.clip(weights + moved, -weight_max, weight_max, out=moved)
    tags -= (TAG_UNITS * (moved - weights)).astype(np.int16)
    weights[:] = moved
    np.clip(tags, -LOW_MAX, LOW_MAX, out=tags)
