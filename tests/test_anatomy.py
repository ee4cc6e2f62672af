"""What ends where and comes when, in programs whose kernels learn: what is broken is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import plastic_maps
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clapp_neuro.errors import InputError
from compiler.connectivity import fan_in, synapse_count
from compiler.design_rules.checks import check
from compiler.program import MEMBRANE_MAX, Message, PostValue, Program, Relay, Tally
from compiler.soundness import fault
from compiler.soundness.widths import largest_count, largest_sum, overflowing
from compiler.targets import load_target
from compiler.terms import Compartment, Connection, Quantity

PROGRAM = plastic_maps.program(averaged=2)
TARGET = load_target("loihi2-sim")
RULE = PROGRAM.synapses[0].rule
UNTAGGED = {"rule": None, "tags": None, "slots": ()}


def named(name: str) -> Any:
    return next(s for s in PROGRAM.synapses if s.name == name)


def synapses(name: str, **changes: Any) -> Program:
    """The program with something of a projection changed."""
    parts = (replace(s, **changes) if s.name == name else s for s in PROGRAM.synapses)
    return replace(PROGRAM, synapses=tuple(parts))


def without(name: str) -> Program:
    return replace(PROGRAM, synapses=tuple(s for s in PROGRAM.synapses if s.name != name))


def beside(name: str, **changes: Any) -> Program:
    """The program with another projection like that one, changed."""
    other = replace(named(name), name="another", **changes)
    return replace(PROGRAM, synapses=(*PROGRAM.synapses, other))


def population(name: str, **changes: Any) -> Program:
    parts = (replace(p, **changes) if p.name == name else p for p in PROGRAM.populations)
    return replace(PROGRAM, populations=tuple(parts))


def sends(name: str, old: int, **changes: Any) -> Program:
    """The program with the message that a population sends at a step changed."""
    messages = PROGRAM.population(name).messages
    assert any(m.step == old for m in messages)
    changed = tuple(replace(m, **changes) if m.step == old else m for m in messages)
    return population(name, messages=changed)


def at_once(name: str, step: int) -> Program:
    """The program with the first post value of a population, and its learning, at a step."""
    values = PROGRAM.population(name).post_values
    first = replace(values[0], step=step, gate=None)
    return population(name, post_values=(first, *values[1:]))


def off_the_map(field: str) -> Program:
    array = getattr(named("layer2.forward"), field).copy()
    array[0, 0, 0, 0, 2] = 1  # the first position has nothing above it
    return synapses("layer2.forward", **{field: array})


def gates(**changes: Any) -> Program:
    first, *others = PROGRAM.gates
    return replace(PROGRAM, gates=(replace(first, **changes), *others))


def dense_dendrite(**changes: Any) -> Program:
    """The program with a prediction from all of a map to all of it in place of the spread."""
    whole = {"source": "layer1", "target": "layer1", "weights": np.zeros((144, 144), np.int8)}
    return replace(PROGRAM, synapses=(replace(named("layer1.prediction"), **whole, **changes),))


def reading(name: str, *factors: Quantity) -> Program:
    """The program with a post value more."""
    value = PostValue(12, "y3", factors, None, 1, 0, 1, 0)
    return population(name, post_values=(*PROGRAM.population(name).post_values, value))


def onto(name: str, like: str) -> Program:
    """What ends on a population's soma alone, and that is one of an ordinary layer."""
    soma = replace(PROGRAM.population(like).soma, latched=False)
    kept = [p for p in PROGRAM.populations if p.name in ("input", name, like)]
    silent = (replace(p, messages=(), post_values=()) for p in kept)
    parts = (replace(p, soma=soma) if p.name == name else p for p in silent)
    ending = tuple(s for s in PROGRAM.synapses if s.name == name)
    return replace(PROGRAM, populations=tuple(parts), synapses=ending, gates=())


def higher(name: str) -> Program:
    """The program with the source of a downward projection a level too high for it, named first."""
    s = named(name)
    source = PROGRAM.population(s.source)
    program = population(s.source, level=source.level + 1)
    silent = (replace(p, post_values=()) for p in program.populations)
    others = (replace(t, **UNTAGGED) for t in program.synapses if t.name != name)
    static = tuple(replace(t, averaged=0) for t in others)
    return replace(program, populations=tuple(silent), synapses=(s, *static), gates=())


def a_million_positions() -> Program:
    """A mean of so many positions that its count leaves 24 bits."""
    mean, pool = (PROGRAM.population(f"layer1.{kind}") for kind in ("mean", "pool"))
    parts = {
        "layer1.mean": replace(mean, soma=Tally(2**22)),
        "layer1.pool": replace(pool, shape=(1, 2**11, 2**11), size=2**22),
    }
    whole = tuple(parts.get(p.name, p) for p in PROGRAM.populations)
    return replace(PROGRAM, populations=whole)


ONES = np.ones((3, 3), np.int8)
LATE, OWN = (Message(6, quantity, 0, 0) for quantity in (Quantity.WINNER, Quantity.APICAL))
POOL, PARTS = named("layer1.pool").weights, named("layer2.forward").weights
NO_KERNELS = {"weights": np.zeros((6, 6), np.int8)}

BROKEN: list[tuple[str, Callable[[], Program]]] = [
    ("layer1.mean does not add up one map", lambda: without("layer1.mean")),
    ("layer1.mean does not add up one map", lambda: beside("layer1.mean")),
    ("adds up 9 positions, not 8", lambda: population("layer1.mean", soma=Tally(8))),
    ("layer1.mean: most is 0", lambda: population("layer1.mean", soma=Tally(0))),
    ("ends on the apical", lambda: synapses("layer1.mean", compartment=Compartment.APICAL)),
    ("ends on the soma", lambda: synapses("layer1.dendrite", compartment=Compartment.SOMA)),
    ("ends on the retro", lambda: synapses("layer1.inhibition", compartment=Compartment.RETRO)),
    ("does not end on the apical of layer1 alone", lambda: beside("layer1.dendrite")),
    ("does not go back to the map", lambda: beside("layer1.pool")),
    ("a sum ends on layer2.mean, which is no mean", lambda: onto("layer2.mean", "layer2")),
    ("a pool ends on layer1.pool, which is no relay", lambda: onto("layer1.pool", "layer1")),
    ("which does not send it", lambda: population("layer1.mean", soma=Relay(4))),
    ("are not those of its sum", lambda: synapses("layer1.mean", weights=2 * ONES)),
    ("are not those of its unpool", lambda: synapses("layer1.inhibition", weights=POOL)),
    ("weights of layer1.dendrite are not", lambda: synapses("layer1.dendrite", **NO_KERNELS)),
    ("the shape (6, 6)", lambda: synapses("layer1.dendrite", weights=ONES)),
    ("the shape (9, 3, 4, 3, 3)", lambda: synapses("layer2.forward", weights=PARTS[:8])),
    ("does not fit the maps", lambda: synapses("layer1.feedback", source="layer2.mean")),
    ("does not fit the maps", lambda: synapses("layer1.inhibition", target="layer2")),
    ("does not go back to the map", lambda: without("layer1.pool")),
    ("synapses that look off the map", lambda: off_the_map("weights")),
    ("synapses that look off the map", lambda: off_the_map("tags")),
    ("averaged is -1", lambda: synapses("layer1.forward", averaged=-1)),
    ("averages copies of kernels", lambda: synapses("layer1.prediction", averaged=1)),
    ("processor changes, and no low synapses", lambda: synapses("layer1.forward", **UNTAGGED)),
    (
        "but the synapses of a spread do not learn",
        lambda: synapses("layer1.dendrite", rule=RULE, tags=np.zeros((6, 6), np.int16)),
    ),
    ("the dendrites of all of a map", lambda: dense_dendrite(**UNTAGGED)),
    ("compares the positions of layer1", lambda: gates(population="layer1")),
    ("reads the surrogate of the mean", lambda: gates(score=(Quantity.SURROGATE,))),
    ("is a mean and has no surrogate", lambda: reading("layer1.mean", Quantity.SURROGATE)),
    ("layer1 reads who has won", lambda: reading("layer1", Quantity.WINNER)),
    ("layer1.gate reads who has won", lambda: gates(score=(Quantity.WINNER,))),
    ("relays, and writes post values", lambda: reading("layer1.pool")),
    ("climbs 2 levels onto the soma", lambda: population("layer1.pool", level=3)),
    ("layer1.dendrite climbs -3 levels onto the apical", lambda: higher("layer1.dendrite")),
    ("layer1.inhibition climbs -2 levels", lambda: higher("layer1.inhibition")),
    ("layer1 sends its winner", lambda: population("layer1", messages=(LATE,))),
    ("layer1 sends its apical", lambda: population("layer1", messages=(OWN,))),
    ("sends its surrogate, which", lambda: sends("layer1.mean", 7, quantity=Quantity.SURROGATE)),
    ("at tau 5, when it has no winner", lambda: sends("layer1.pool", 6, step=5)),
    ("at tau 13, when it has no apical", lambda: sends("layer1.mean", 13, quantity=OWN.quantity)),
    ("at tau 7, when it has no retro", lambda: sends("layer1.mean", 7, quantity=Quantity.RETRO)),
    ("sends two messages in one step", lambda: sends("layer1.mean", 8, step=9)),
    ("sends its retro at tau 10, to nobody", lambda: sends("layer1.mean", 8, step=10)),
    ("sends its winner at tau 6, to nobody", lambda: without("layer1.inhibition")),
    ("sends its apical at tau 0, to nobody", lambda: without("layer1.dendrite")),
    ("shifts its apical", lambda: sends("layer1.mean", 0, lift=1)),
    ("sends up to 432", lambda: sends("layer1.mean", 7, lift=3)),
    ("brings at tau 2, before it has arrived at 3", lambda: at_once("layer1", 2)),
    ("brings at tau 7, before it has arrived at 8", lambda: at_once("layer1", 7)),
    ("layer2.dendrite brings at tau 1", lambda: at_once("layer2", 1)),
]  # fmt: skip


@pytest.mark.parametrize(
    "how", [{}, {"pool": (1, 2), "patch": 7}, {"pool": (), "layers": (2, 3, 2)}]
)
def test_lowered_programs_are_sound_and_fit(how: dict[str, Any]) -> None:
    program = plastic_maps.program(**how)
    assert fault(program) is None
    assert check(program, TARGET) == ()


@pytest.mark.parametrize(("words", "build"), BROKEN)
def test_what_is_wrong_is_named(words: str, build: Callable[[], Program]) -> None:
    found = fault(build())
    assert found is not None and words in found


def test_messages_hold_what_their_listeners_deliver() -> None:
    """The spread of the prediction hears no retrodiction, and plastic synapses hear counts."""
    silent = population("layer1", post_values=())
    heard = {"layer1.dendrite": (8,), "layer1.feedback": (0,)}
    parts = (
        replace(s, listens=heard.get(s.name, s.listens), slots=s.slots, rule=s.rule)
        for s in silent.synapses
        if s.name != "layer1.forward"
    )
    swapped = fault(replace(silent, synapses=tuple(parts)))
    assert swapped == "layer1.mean sends its apical at tau 0, to nobody"
    assert "layer1.prediction needs no retro" in str(fault(learns_at("layer1.mean", 12, 8)))


def learns_at(name: str, old: int, new: int) -> Program:
    """The program with the learning of a mean's prediction moved to another step."""
    values = PROGRAM.population(name).post_values
    moved = tuple(replace(v, step=new, gate=None) if v.step == old else v for v in values)
    program = population(name, post_values=moved)
    parts = (
        replace(s, slots=(new,)) if s.name == "layer1.prediction" else s for s in program.synapses
    )
    return replace(program, synapses=tuple(parts))


def test_what_is_spread_arrives_within_the_fixation() -> None:
    late = sends("layer1.mean", 8, step=11)
    late = replace(
        late,
        populations=tuple(
            replace(p, post_values=()) if p.name == "layer1" else p for p in late.populations
        ),
        synapses=tuple(
            replace(s, listens=(11,)) if s.name == "layer1.feedback" else s
            for s in late.synapses
            if s.name != "layer1.forward"
        ),
    )
    assert fault(late) == "layer1.feedback arrives at tau 14, after the last step"


def test_winners_are_heard_before_counts_are_sent() -> None:
    """A count that is sent on before the inhibition would be that of losers, too."""
    program = population("layer1", messages=(Message(7, Quantity.COUNT, 0, 0),))
    assert fault(program) == "layer1 sends a message at tau 7, when it has no count"
    assert fault(population("layer1", messages=(Message(8, Quantity.COUNT, 0, 0),))) is None


def test_means_count_all_positions() -> None:
    beyond = [words for words in overflowing(a_million_positions()) if "counts" in words]
    assert beyond == ["layer1.mean counts up to 25165824, more than 24 bits"]
    mean = PROGRAM.population("layer1.mean")
    assert largest_count(PROGRAM, mean) == PROGRAM.timetable.steps * 9
    arriving = PROGRAM.arriving
    assert largest_sum(PROGRAM, arriving["layer1.mean"], Compartment.SOMA) == 9
    assert largest_sum(PROGRAM, arriving["layer1"], Compartment.APICAL) == MEMBRANE_MAX
    assert largest_sum(PROGRAM, arriving["layer1"], Compartment.INHIBITION) == 8 * 8
    forward = largest_sum(PROGRAM, arriving["layer2"], Compartment.SOMA)
    assert forward == 9 * 4 * PROGRAM.weight_max


def test_what_a_machine_lacks_is_named() -> None:
    loihi1 = load_target("loihi1-sim")
    missing = {(v.node, v.limit) for v in check(PROGRAM, loihi1) if v.unit == "capability"}
    assert ("layer1.mean", "a soma that adds up a map") in missing
    assert ("layer1", "a soma that forgets its count") in missing
    narrow = TARGET.machine.limits.payload_bits.model_copy(update={"value": 16})
    limits = TARGET.machine.limits.model_copy(update={"payload_bits": narrow})
    few = check(PROGRAM, TARGET.machine.model_copy(update={"limits": limits}))
    # a prediction is sent whole, with its sign; counts need 8 bits
    assert {v.node: v.actual for v in few if v.limit.startswith("payload")} == {
        "layer1.mean": 24,
        "layer2.mean": 24,
    }


@given(patch=st.integers(2, 7), layers=st.lists(st.integers(1, 4), min_size=1, max_size=2))
@settings(max_examples=20, deadline=None)
def test_entries_of_untied_kernels_are_as_many_synapses_as_are_on_the_map(patch, layers):
    try:
        program = plastic_maps.program(layers=tuple(layers), pool=(), patch=patch, rate=2**-12)
    except InputError:
        return  # a learning rate that so few positions do not carry
    for s in program.synapses:
        source, target = (program.population(n).map for n in (s.source, s.target))
        count = synapse_count(s.connection, s.weights.shape, source, target)
        if s.connection is Connection.UNTIED:
            full = replace(s, weights=np.ones_like(s.weights), tags=None)
            inside = np.count_nonzero(full.weights * on_map(s, target))
            assert count == inside
        assert count <= fan_in(s.connection, s.weights.shape) * np.prod(target)


def on_map(s: Any, target: tuple[int, int, int]) -> np.ndarray:
    """One entry after the other: is there a source neuron?"""
    inside = np.zeros(s.weights.shape, int)
    k = s.weights.shape[-1]
    for p, row, column in np.ndindex(target[1] * target[2], k, k):
        y, x = divmod(p, target[2])
        where = y + row - k // 2, x + column - k // 2
        inside[p, :, :, row, column] = 0 <= where[0] < target[1] and 0 <= where[1] < target[2]
    return inside
