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


@pytest.mark.parametrize("fixation", [0, 2, 5])
@pytest.mark.parametrize(
    ("quantity", "key", "place"),
    [
        ("membrane", "layer2", (3, 1)),
        ("spikes", "layer1", (7, 0)),
        ("weights", "layer1.prediction", (9, 1, 2)),
        ("tags", "layer2.forward", (4, 0, 3)),
        ("counts", "layer1", (4,)),
        ("apical", "layer2", (2,)),
        ("retro", "layer1", (1,)),
        ("post", "layer1", (0, 3)),
    ],
)
def test_one_changed_value_of_any_kind_is_found(
    fixation: int, quantity: str, key: str, place: tuple[int, ...]
) -> None:
    program = compiled()
    left, right = (list(trace(program, seen(program))) for _ in range(2))
    values = getattr(right[fixation], quantity)[key]
    values[place] = not values[place] if values.dtype == bool else values[place] + 1
    *_, total = compare(program, left, right)
    first = total.first_difference
    assert first is not None
    assert (total.equal, total.mismatches) == (False, 1)
    assert (first.fixation, first.quantity, first.population) == (fixation, quantity, key)
    stepwise = quantity in ("membrane", "spikes", "weights", "tags")
    assert first.index == (place[1:] if stepwise else place)
    if stepwise:
        assert first.step == place[0]
    assert f"fixation {fixation}, step {first.step}: {quantity} of {key}" in str(first)


@pytest.mark.parametrize("quantity", ["scores", "gates"])
def test_a_changed_score_or_gate_is_found(quantity: str) -> None:
    program = compiled()
    left, right = (list(trace(program, seen(program))) for _ in range(2))
    getattr(right[1], quantity)["layer2.gate"] += 5
    *_, total = compare(program, left, right)
    first = total.first_difference
    assert first is not None
    assert (first.fixation, first.quantity, first.population) == (1, quantity, "layer2.gate")
    assert (first.index, first.right - first.left, total.mismatches) == ((), 5, 1)


def test_the_earliest_of_several_differences_is_named() -> None:
    program = compiled()
    left, right = (list(trace(program, seen(program))) for _ in range(2))
    right[4].membrane["layer1"][0, 0] += 1
    right[2].counts["layer1"][0] += 1  # compared last, but seen at step 7
    right[2].weights["layer2.forward"][3, 1, 1] += 1
    *_, total = compare(program, left, right)
    first = total.first_difference
    assert first is not None
    assert (first.fixation, first.step, first.quantity) == (2, 3, "weights")
    assert total.mismatches == 3


def test_nothing_compared_is_not_equal() -> None:
    assert not Comparison().equal


def test_engines_that_show_different_things_are_an_error() -> None:
    program = compiled()
    with pytest.raises(ValueError, match="the engines show weights"):
        list(
            compare(
                program,
                trace(program, seen(program)),
                trace(program, seen(program), learn=False),
            )
        )


def test_an_engine_that_stops_early_is_an_error() -> None:
    program = compiled()
    short = trace(program, seen(program, 3))
    with pytest.raises(ValueError, match="shorter"):
        list(compare(program, trace(program, seen(program, 6)), short))
