"""The compiler in one visible order: fold, quantise, untie, schedule, lower, check, place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from clapp_neuro.errors import InputError
from compiler.checks import check, refuse
from compiler.ir import Network
from compiler.passes.fold import fold
from compiler.passes.lower_learning import lower_learning
from compiler.passes.place import place
from compiler.passes.placement import Placement
from compiler.passes.quantize import quantize
from compiler.passes.schedule import Plan, schedule
from compiler.passes.untie import untie
from compiler.products import managed
from compiler.program import TAG_UNITS, Program
from compiler.report import Note
from compiler.targets import Figure, Target
from compiler.turns import in_turn, turns_of

WEIGHT_BITS = 8  # the engine's weights: 7 bits and sign, what Loihi keeps of mixed-sign weights
TAG_BITS = 9


@dataclass(frozen=True)
class Compiled:
    """A program, where its parts lie, and what each pass did and lost."""

    program: Program
    placement: Placement
    notes: tuple[Note, ...]


def compile_network(
    network: Network, target: Target, seed: int = 0, *, averaged: int = 0, sequential: bool = False
) -> Compiled:
    """Compiles a source network for a target.

    averaged: kernels that learn become copies, one a position; after so many fixations the
    management processor averages them (0: never). sequential: there is one set of synapses
    instead, shown one position after the other; after so many fixations (at least 1) the management
    processor carries what it learned into the shared kernels.

    Raises InputError for what cannot be computed there, with every violated limit at once.
    """
    try:
        program, notes = _lowered(network, target, seed, averaged, sequential)
    except InputError as error:
        refuse(check(network, target), target.name, also=str(error))
        raise
    refuse(check(program, target), target.name)
    return Compiled(program, place(program, target), notes)


def _lowered(
    network: Network, target: Target, seed: int, averaged: int, sequential: bool
) -> tuple[Program, tuple[Note, ...]]:
    """The program, with no regard to whether the target can hold it; that is checked after."""
    limits = target.machine.limits
    weight_max = _largest(limits.weight_bits, WEIGHT_BITS)
    # A tag must hold the unit that it carries. Where it cannot, the check refuses this width.
    tag_max = max(TAG_UNITS, _largest(limits.tag_bits, TAG_BITS))
    folded, folding = fold(network)
    quantized, rounding = quantize(folded, weight_max)
    untied, copying = (quantized, ()) if sequential else untie(quantized, averaged)
    plan = schedule(untied.network)
    program, lowering = lower_learning(
        untied,
        plan,
        target=target.name,
        seed=seed,
        weight_max=weight_max,
        tag_max=tag_max,
        averaged=averaged,
    )
    return program, (*folding, *rounding, *copying, *_timing(plan, program), *lowering)


def _largest(bits: Figure, most: int) -> int:
    """The largest magnitude of a signed field, at most `most` bits with the sign; 0 without it."""
    return (1 << max(0, min(int(bits.value), most) - 1)) - 1


def _timing(plan: Plan, program: Program) -> tuple[Note, ...]:
    timetable = plan.timetable
    text = f"{timetable.period} time steps a fixation, {timetable.steps} of them presentation"
    managed_every = {s.averaged for s in program.synapses if managed(s)}
    if managed_every:
        text += (
            f"; the management processor carries tags into weights every {managed_every.pop()} "
            "fixations"
        )
    elif plan.slots:
        carries = 2**plan.carry_exponent // timetable.period
        text += f"; tags are carried into weights every {carries} fixations"
    return (Note("schedule", "fixation", text), *_turns(program))


def _turns(program: Program) -> Iterator[Note]:
    for s in program.synapses:
        if in_turn(s):
            turns, positions = turns_of(program, s), prod(program.population(s.target).map[1:])
            text = (
                f"one set of synapses learns from {positions} positions, one after the other: "
                f"{len(s.slots)} times {turns.duration} time steps"
            )
            yield Note("schedule", s.name, text)
