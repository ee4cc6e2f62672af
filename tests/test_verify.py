"""Comparing engines: equal ones are equal, and the first difference is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compiled_program import compiled

from compiler.backends.simulator import trace
from compiler.program import Program
from compiler.trace import Stimulus
from compiler.verify import Comparison, compare


def seen(program: Program, fixations: int = 6) -> Stimulus:
    random = np.random.default_rng(2)
    labels = random.choice([-1, 1], fixations).astype(np.int8)
    intensities = random.integers(0, 256, (fixations, 12)).astype(np.uint8)
    return Stimulus({"input": intensities}, dict.fromkeys(program.modulators, labels))


def last(left: Program, right: Program) -> Comparison:
    *_, total = compare(left, trace(left, seen(left)), trace(right, seen(right)))
    return total


def test_a_program_equals_itself() -> None:
    program = compiled()
    total = last(program, program)
    assert total.equal
    assert total.first_difference is None
    assert total.fixations == 6
    assert total.time_steps == 6 * program.timetable.period
    assert total.weights_compared > 0


def test_one_changed_weight_is_the_first_difference() -> None:
    program = compiled()
    target = program.synapses[1]
    weights = target.weights.copy()
    weights[2, 3] += 1
    changed = replace(target, weights=weights)
    synapses = (program.synapses[0], changed, *program.synapses[2:])
    total = last(program, replace(program, synapses=synapses))
    assert not total.equal
    first = total.first_difference
    assert first is not None
    assert (first.fixation, first.step, first.quantity) == (0, 0, "weights")
    assert (first.population, first.index) == (target.name, (2, 3))
    assert first.right == first.left + 1


def test_an_engine_that_stops_early_is_an_error() -> None:
    program = compiled()
    short = trace(program, seen(program, 3))
    with pytest.raises(ValueError, match="shorter"):
        list(compare(program, trace(program, seen(program, 6)), short))
