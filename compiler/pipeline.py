"""The compiler in one visible order: fold, quantise, untie, schedule, lower, check, place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import prod

from clapp_neuro.errors import InputError
from compiler.design_rules.checks import check, refuse
from compiler.design_rules.suggest import suggestions
from compiler.ir import LearningRule, Network
from compiler.kept import cost
from compiler.passes.admit import admit
from compiler.passes.fold import fold
from compiler.passes.lowering.consolidation import (
    CARRY,
    EVERY,
    Consolidation,
    candidates,
    pair_bits,
    require_companions,
)
from compiler.passes.lowering.learning import lower_learning
from compiler.passes.lowering.schedule import Plan, schedule
from compiler.passes.lowering.schedule_traces import DECIMATION_MAX, traced
from compiler.passes.placing.place import place_what_fits
from compiler.passes.placing.placement import Placement
from compiler.passes.quantizing.quantize import MAXIMUM, Quantized, quantize
from compiler.passes.untie import untie
from compiler.products import managed
from compiler.program import TAG_UNITS, Program
from compiler.report import Note
from compiler.targets import Target
from compiler.targets.figures import Figure
from compiler.targets.limits import Limits
from compiler.turns import in_turn, turns_of

WEIGHT_BITS = 8  # the engine's weights: 7 bits and sign, what Loihi keeps of mixed-sign weights
TAG_BITS = 9
BEST = Consolidation(kind=None)


@dataclass(frozen=True)
class Compiled:
    """A program, where its parts lie, what each pass did and lost, and the source as rounded."""

    program: Program
    placement: Placement
    notes: tuple[Note, ...]
    quantized: Quantized


def compile_network(
    network: Network,
    target: Target,
    seed: int = 0,
    *,
    averaged: int = 0,
    sequential: bool = False,
    consolidation: Consolidation = BEST,
    percentile: float = MAXIMUM,
    exponents: Mapping[str, int] | None = None,
) -> Compiled:
    """Compiles a source network for a target.

    averaged: kernels that learn become copies, one a position; after so many fixations the
    management processor averages them (0: never). sequential: there is one set of synapses
    instead, shown one position after the other; after so many fixations (at least 1) the management
    processor carries what it learned into the shared kernels. consolidation: how updates reach
    weights; without a kind the best that the target allows. percentile, exponents: see
    `compiler.passes.quantizing.quantize`.

    Raises InputError for what cannot be computed there, with every violated limit at once.
    """
    admit(network)
    limits = target.machine.limits
    largest = _largest(limits.weight_bits, WEIGHT_BITS), _largest(limits.tag_bits, TAG_BITS)
    best, *others = candidates(consolidation, *largest, counted=_counted(network, limits))
    if sequential and any(in_turn(p) for p in network.projections):
        best, others = _in_turn(consolidation, largest[0]), []
    if not any(isinstance(p.rule, LearningRule) for p in network.projections):
        others = []  # nothing is consolidated, however it is done

    def compiled(chosen: Consolidation) -> Compiled:
        how = percentile, exponents
        return _compiled(network, target, seed, averaged, sequential, chosen, *how)

    try:
        return compiled(best)
    except InputError as error:
        for chosen in others:
            with suppress(InputError):
                found = compiled(chosen)
                note = Note(
                    "consolidation", "network", f"{best.kind} would be better, but: {error}"
                )
                return replace(found, notes=(*found.notes, note))
        raise


def _in_turn(asked: Consolidation, weight_max: int) -> Consolidation:
    """Of kernels that learn in turn: in the tag, and the management processor carries."""
    if asked != BEST:
        raise InputError(
            "kernels that learn sequentially are carried by the management processor, every "
            "--average-every fixations: leave --consolidation and --consolidate-every out"
        )
    return replace(CARRY, fine=pair_bits(weight_max))


def _compiled(
    network: Network,
    target: Target,
    seed: int,
    averaged: int,
    sequential: bool,
    consolidation: Consolidation,
    percentile: float,
    exponents: Mapping[str, int] | None,
) -> Compiled:
    """With updates that reach the weights in one way."""
    try:
        quantized, rounding = _rounded(network, target, percentile, exponents)
        program, lowering = _lowered(quantized, target, seed, averaged, sequential, consolidation)
    except InputError as error:
        refuse(check(network, target), target.name, also=str(error))
        raise
    placed = place_what_fits(program, target)
    violations = check(program, target, placed)
    if violations:
        suggested = suggestions(program, target.machine, violations)
        refuse(violations, target.name, suggested=suggested)
    return Compiled(program, placed[0], (*rounding, *lowering), quantized)


def _rounded(
    network: Network, target: Target, percentile: float, exponents: Mapping[str, int] | None
) -> tuple[Quantized, tuple[Note, ...]]:
    """The network folded and in the target's integers."""
    limits = target.machine.limits
    folded, folding = fold(network)
    weight_max = _largest(limits.weight_bits, WEIGHT_BITS)
    quantized, rounding = quantize(folded, weight_max, limits, percentile, exponents)
    return quantized, (*folding, *rounding)


def _lowered(
    quantized: Quantized,
    target: Target,
    seed: int,
    averaged: int,
    sequential: bool,
    chosen: Consolidation,
) -> tuple[Program, tuple[Note, ...]]:
    """The program, with no regard to whether the target can hold it; that is checked after."""
    limits = target.machine.limits
    # A tag must hold the unit that it carries. Where it cannot, the check refuses this width.
    tag_max = max(TAG_UNITS, _largest(limits.tag_bits, TAG_BITS))
    known_by_traces = [p.name for p in quantized.network.projections if traced(p)]
    if known_by_traces and chosen != CARRY:
        raise InputError(
            f"projection {known_by_traces[0]}: rules of traces learn in the tag and carry it "
            "whenever the gate is open: leave consolidation out, and use a machine with tags of "
            f"{TAG_UNITS.bit_length() + 1} bits"
        )
    require_companions(quantized.network, chosen)
    untied, copying = (quantized, ()) if sequential else untie(quantized, averaged)
    plan = schedule(
        untied.network,
        chosen.every,
        by_rule=chosen.kind != "pair",
        reach=_reach(limits),
    )
    program, lowering = lower_learning(
        untied,
        plan,
        target=target.name,
        seed=seed,
        weight_max=_largest(limits.weight_bits, WEIGHT_BITS),
        tag_max=tag_max,
        averaged=averaged,
        consolidation=chosen,
    )
    notes = (*copying, *_timing(plan, chosen, program), *lowering)
    if _learns_from_counts(untied.network) and not sequential:
        costs = cost(chosen.kind or "", program.weight_max.bit_length() + 1)
        notes = (*notes, Note("consolidation", "network", costs))
    return program, notes


def _learns_from_counts(network: Network) -> bool:
    return any(isinstance(p.rule, LearningRule) and not traced(p) for p in network.projections)


def _reach(limits: Limits) -> int:
    """The largest k with which a rule may count 2^k time steps."""
    return min(DECIMATION_MAX, int(limits.decimation_exponent.value))


def _counted(network: Network, limits: Limits) -> bool:
    """Whether a rule can count out the time steps of a fixation, so that it may carry its tags."""
    if _reach(limits) == DECIMATION_MAX or not _learns_from_counts(network):
        return True
    with suppress(InputError):  # whatever else is wrong is said where the network is lowered
        return schedule(network).timetable.period <= 1 << _reach(limits)
    return True


def _largest(bits: Figure, most: int) -> int:
    """The largest magnitude of a signed field, at most `most` bits with the sign; 0 without it."""
    return (1 << max(0, min(int(bits.value), most) - 1)) - 1


def _timing(plan: Plan, consolidation: Consolidation, program: Program) -> tuple[Note, ...]:
    timetable = plan.timetable
    text = f"{timetable.period} time steps a fixation, {timetable.steps} of them presentation"
    carried = [s.averaged for s in program.synapses if managed(s)]
    if plan.together:
        sweeps = timetable.period >> plan.carry_exponent
        learns = " and ".join(str(step + 1) for step in plan.together)
        text += (
            f"; synapses learn in step {learns} from traces, and carry tags into weights"
            f" when the gate is open; the engine goes through all of them in {sweeps} steps"
        )
    elif carried:
        text += f"; the management processor carries tags into weights every {carried[0]} fixations"
    elif plan.slots:
        every = 2**plan.carry_exponent // timetable.period
        text += {
            "carry": f"; tags are carried into weights every {every} fixations",
            "transfer": f"; tags are rounded into weights every {every} fixations",
            "pair": "; the management processor carries low synapses into high ones every "
            f"{consolidation.every or EVERY} fixations",
            "direct": "; each update is rounded into the weight",
        }[consolidation.kind or ""]
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
