"""Programs that no engine could execute are refused before one tries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from compiled_program import compiled

from compiler.averages import Averages
from compiler.ir import Quantity
from compiler.products import carries
from compiler.program import Product, Program, SumOfProducts, Trace
from compiler.soundness import fault

PROGRAM = compiled()


def first(values: tuple[Any, ...], **changes: Any) -> tuple[Any, ...]:
    """The same with the first element changed."""
    return (replace(values[0], **changes), *values[1:])


def layer(**changes: Any) -> Program:
    """The program with something of its first layer changed."""
    populations = tuple(
        replace(p, **changes) if p.name == "layer1" else p for p in PROGRAM.populations
    )
    return replace(PROGRAM, populations=populations)


def soma(**changes: Any) -> Program:
    old = PROGRAM.population("layer1").soma
    assert old is not None
    return layer(soma=replace(old, **changes))


def post(**changes: Any) -> Program:
    return layer(post_values=first(PROGRAM.population("layer1").post_values, **changes))


def message(**changes: Any) -> Program:
    return layer(messages=first(PROGRAM.population("layer1").messages, **changes))


def synapses(**changes: Any) -> Program:
    return replace(PROGRAM, synapses=first(PROGRAM.synapses, **changes))


def gates(**changes: Any) -> Program:
    return replace(PROGRAM, gates=first(PROGRAM.gates, **changes))


def averages(**changes: Any) -> Program:
    kept = Averages("saccade", 210, 21, 24, 100, np.ones(8, np.int32), np.ones(8, np.int32))
    program = layer(averages=kept)
    assert fault(program) is None
    return layer(averages=replace(kept, **changes))


def timetable(**changes: Any) -> Program:
    return replace(PROGRAM, timetable=replace(PROGRAM.timetable, **changes))


PREDICTION = next(s for s in PROGRAM.synapses if s.name == "layer1.prediction")


def prediction(**changes: Any) -> Program:
    changed = replace(PREDICTION, **changes)
    synapses = tuple(changed if s is PREDICTION else s for s in PROGRAM.synapses)
    return replace(PROGRAM, synapses=synapses)


def static(**changes: Any) -> Program:
    program = compiled(plastic=False)
    first, second, *rest = program.populations
    return replace(program, populations=(first, replace(second, **changes), *rest))


POST_VALUES = PROGRAM.population("layer1").post_values


BROKEN: list[tuple[str, Callable[[], Program]]] = [
    ("seed", lambda: replace(PROGRAM, seed=2**64)),
    ("weight_max", lambda: replace(PROGRAM, weight_max=0)),
    ("tag_max", lambda: replace(PROGRAM, tag_max=10**30)),
    ("the number of steps", lambda: timetable(steps=0)),
    ("the period", lambda: timetable(period=3)),
    ("the step predict", lambda: timetable(predict=-1)),
    ("the same name", lambda: layer(name="input")),
    ("no input population", lambda: replace(PROGRAM, populations=PROGRAM.populations[1:])),
    ("size", lambda: layer(size=0)),
    ("decay", lambda: soma(decay=4097)),
    ("threshold", lambda: soma(threshold=2**40)),
    ("the reset 'never'", lambda: soma(reset="never")),
    ("input_shift", lambda: soma(input_shift=-1)),
    ("drop", lambda: message(drop=-1)),
    ("drop", lambda: message(drop=70)),
    ("lift", lambda: message(lift=10**6)),
    ("step of a post value", lambda: post(step=10**6)),
    ("granularity", lambda: post(granularity=0)),
    ("layer1: shift", lambda: post(shift=70)),
    ("multiplier", lambda: post(multiplier=2**62)),
    ("the register 'y9'", lambda: post(register="y9")),
    ("waits for 'nobody'", lambda: post(gate="nobody")),
    ("delivery_shift", lambda: synapses(delivery_shift=-1)),
    ("has the unit", lambda: synapses(unit=0.0)),
    ("has the unit", lambda: synapses(unit=float("nan"))),
    ("a step", lambda: synapses(slots=(-1,))),
    ("sends nothing at tau", lambda: synapses(listens=(3,))),
    ("connects what does not exist", lambda: synapses(target="nobody")),
    ("the shape", lambda: synapses(weights=PROGRAM.synapses[0].weights[:-1])),
    ("the wrong number type", lambda: synapses(weights=PROGRAM.synapses[0].weights.astype(int))),
    ("a weight of", lambda: replace(PROGRAM, weight_max=3)),
    ("rule without tags", lambda: synapses(tags=None)),
    ("names what does not exist", lambda: gates(modulator="nobody")),
    ("score_shift", lambda: gates(score_shift=99)),
    ("the number of score factors", lambda: gates(score=())),
    ("margin", lambda: gates(left=2**40)),
    ("the norm of retro", lambda: gates(norm=Quantity.RETRO)),
    ("rectified 'twice'", lambda: post(rectified="twice")),
    ("reads a deviation", lambda: post(factors=(Quantity.DEVIATION,))),
    ("averages by 'layer1.gate'", lambda: averages(signal="layer1.gate")),
    ("the multiplier of the averages", lambda: averages(multiplier=-1)),
    ("the shift of the averages", lambda: averages(shift=0)),
    ("the fraction of the averages", lambda: averages(fraction=30)),
    ("the epsilon of the averages", lambda: averages(epsilon=0)),
    ("the shape (8,)", lambda: averages(mean=np.zeros(9, np.int32))),
    ("the shape (8,)", lambda: averages(variance=np.zeros(8, np.int64))),
    ("out of range", lambda: averages(mean=np.full(8, (8 << 24) + 1, np.int32))),
    ("a share above 1", lambda: averages(multiplier=3, shift=1)),
    ("out of range", lambda: averages(variance=np.full(8, -1, np.int32))),
    ("layer1 sends its apical, which is no count", lambda: message(quantity=Quantity.APICAL)),
    ("sends up to 4096 at tau", lambda: message(lift=9)),
    ("sends a message at tau 3, when it has no count", lambda: message(step=3)),
    ("layer1.soma may exceed 32 bits", lambda: soma(input_shift=23)),
    ("shifts what it delivers to the soma", lambda: synapses(delivery_shift=20)),
    ("may exceed 64 bits", lambda: post(factors=(Quantity.APICAL,) * 3, multiplier=2**15)),
    ("writes a register twice", lambda: layer(post_values=(*POST_VALUES, POST_VALUES[0]))),
    ("reads layer1.gate at tau 9, before it has arrived at 10", lambda: post(step=9)),
    ("layer1.gate compares the input", lambda: gates(population="input")),
    ("learns or layer1 writes y1 at tau", lambda: synapses(slots=PROGRAM.synapses[0].slots[:1])),
    ("climbs 0 levels onto the soma", lambda: layer(level=0)),
    ("is too short for its levels", lambda: timetable(predict=14)),
    ("ends on the input", lambda: static(soma=None)),
    ("listens 2 times", lambda: prediction(listens=(*PREDICTION.listens, PREDICTION.listens[0]))),
    ("not when input presents itself", lambda: synapses(listens=(0, 0))),
]


def test_compiled_programs_are_sound() -> None:
    assert fault(PROGRAM) is None
    assert fault(compiled(plastic=False)) is None


@pytest.mark.parametrize(("words", "build"), BROKEN)
def test_what_is_wrong_is_named(words: str, build: Callable[[], Program]) -> None:
    found = fault(build())
    assert found is not None and words in found


RULE = PROGRAM.synapses[0].rule
assert RULE is not None
ACCUMULATE, BACK = RULE.dt
CARRY = RULE.dw[0]


@pytest.mark.parametrize(
    "rule",
    [
        SumOfProducts((replace(CARRY, exponent=1),), RULE.dt),
        SumOfProducts((replace(CARRY, factors=(*CARRY.factors, "x1")),), RULE.dt),
        SumOfProducts((), RULE.dt),
        SumOfProducts(RULE.dw, (replace(ACCUMULATE, sign=-1), BACK)),
        SumOfProducts(RULE.dw, (replace(ACCUMULATE, exponent=-2), BACK)),
        SumOfProducts(RULE.dw, (replace(ACCUMULATE, mantissa=3), BACK)),
        SumOfProducts(RULE.dw, (replace(ACCUMULATE, factors=("x0", "x1")), BACK)),
        SumOfProducts(RULE.dw, (ACCUMULATE, replace(BACK, exponent=5))),
        SumOfProducts(RULE.dw, (ACCUMULATE,)),
        SumOfProducts(RULE.dw, RULE.dt, (Trace("x1", 4000, 100),)),
    ],
)
def test_rules_that_do_not_carry_are_legal_all_the_same(rule: SumOfProducts) -> None:
    assert carries(RULE)
    assert not carries(rule)
    assert fault(synapses(rule=rule)) is None


@pytest.mark.parametrize(
    "rule",
    [
        SumOfProducts((replace(CARRY, factors=("zzz", "sgn(t)")),), RULE.dt),
        SumOfProducts(RULE.dw, (replace(ACCUMULATE, sign=31), BACK)),
        SumOfProducts(RULE.dw, (replace(ACCUMULATE, factors=("x0", "x1", "z")), BACK)),
        SumOfProducts(RULE.dw, (ACCUMULATE, replace(BACK, factors=("u3", "sgn(t)")))),
        SumOfProducts((Product(0, ("u99", "sgn(t)")),), RULE.dt),
    ],
)
def test_what_is_no_sum_of_products_is_refused(rule: SumOfProducts) -> None:
    assert "no engine executes the rule" in str(fault(synapses(rule=rule)))


def test_a_rule_reads_only_what_is_written() -> None:
    rule = SumOfProducts((Product(0, ("x0", "y2")),), ())
    nothing = replace(layer(post_values=()), synapses=synapses(rule=rule).synapses[:1])
    assert "reads y2 of layer1, which nothing writes" in str(fault(nothing))
    trace = replace(rule, traces=(Trace(ACCUMULATE.factors[-1], 4000, 100), Trace("y2", 1, 1)))
    assert "where layer1.forward has a trace" in str(fault(synapses(rule=trace)))


def test_a_fixation_ends_before_the_next_begins() -> None:
    rule = SumOfProducts((Product(0, ("x0", "y1")),), (), (Trace("y1", 4000, 100),))
    period = PROGRAM.timetable.steps
    messages = tuple(m for m in PROGRAM.population("input").messages if m.step < period)
    short = replace(
        PROGRAM,
        timetable=replace(PROGRAM.timetable, period=period),
        populations=tuple(
            replace(p, post_values=(), messages=messages if p.soma is None else ())
            for p in PROGRAM.populations[:2]
        ),
        synapses=(replace(PROGRAM.synapses[0], rule=rule, slots=()),),
        gates=(),
    )
    assert "in the next" in str(fault(short))


def test_carries_fall_on_whole_fixations() -> None:
    carry = replace(CARRY, factors=("u3", "sgn(t)"))
    rule = SumOfProducts((carry,), (ACCUMULATE, replace(BACK, factors=carry.factors)))
    assert "does not divide" in str(fault(synapses(rule=rule)))


def test_a_tag_beyond_its_width() -> None:
    tags = np.full_like(PROGRAM.synapses[0].tags, PROGRAM.tag_max + 1)
    assert "a tag of" in str(fault(synapses(tags=tags)))
