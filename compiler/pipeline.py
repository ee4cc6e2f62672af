"""The compiler in one visible order: fold, quantise, untie, schedule, lower, check, place."""

from __future__ import annotations

from dataclasses import dataclass

from clapp_neuro.errors import InputError
from compiler.checks import check, refuse
from compiler.figures import Figure
from compiler.ir import Network
from compiler.passes.admit import admit
from compiler.passes.consolidation import Consolidation, best
from compiler.passes.fold import fold
from compiler.passes.lower_learning import lower_learning
from compiler.passes.place import place_what_fits
from compiler.passes.placement import Placement
from compiler.passes.quantize import MAXIMUM, quantize
from compiler.passes.schedule import Plan, schedule
from compiler.passes.untie import untie
from compiler.program import TAG_UNITS, Program
from compiler.report import Note
from compiler.suggest import suggestions
from compiler.targets import Target

WEIGHT_BITS = 8  # the engine's weights: 7 bits and sign, what Loihi keeps of mixed-sign weights
TAG_BITS = 9


@dataclass(frozen=True)
class Compiled:
    """A program, where its parts lie, and what each pass did and lost."""

    program: Program
    placement: Placement
    notes: tuple[Note, ...]


def compile_network(
    network: Network,
    target: Target,
    seed: int = 0,
    *,
    averaged: int = 0,
    consolidation: Consolidation | None = None,
    percentile: float = MAXIMUM,
) -> Compiled:
    """Compiles a source network for a target.

    averaged: kernels that learn become copies, one a position; after so many fixations the
    management processor averages them (0: never). consolidation: how updates reach weights;
    None for the best that the target's tags allow. percentile: see `compiler.passes.quantize`.

    Raises InputError for what cannot be computed there, with every violated limit at once.
    """
    admit(network)
    try:
        program, notes = _lowered(network, target, seed, averaged, consolidation, percentile)
    except InputError as error:
        refuse(check(network, target), target.name, also=str(error))
        raise
    placed = place_what_fits(program, target)
    violations = check(program, target, placed)
    if violations:
        suggested = suggestions(program, target.machine, violations)
        refuse(violations, target.name, suggested=suggested)
    return Compiled(program, placed[0], notes)


def _lowered(
    network: Network,
    target: Target,
    seed: int,
    averaged: int,
    consolidation: Consolidation | None,
    percentile: float,
) -> tuple[Program, tuple[Note, ...]]:
    """The program, with no regard to whether the target can hold it; that is checked after."""
    limits = target.machine.limits
    weight_max = _largest(limits.weight_bits, WEIGHT_BITS)
    # A tag must hold the unit that it carries. Where it cannot, the check refuses this width.
    tag_max = max(TAG_UNITS, _largest(limits.tag_bits, TAG_BITS))
    chosen = consolidation or best(_largest(limits.tag_bits, TAG_BITS))
    folded, folding = fold(network)
    quantized, rounding = quantize(folded, weight_max, limits, percentile)
    untied, copying = untie(quantized, averaged)
    plan = schedule(untied.network, chosen.every)
    program, lowering = lower_learning(
        untied,
        plan,
        target=target.name,
        seed=seed,
        weight_max=weight_max,
        tag_max=tag_max,
        averaged=averaged,
        consolidation=chosen,
    )
    timing = _timing(plan, chosen)
    return program, (*folding, *rounding, *copying, *timing, *lowering)


def _largest(bits: Figure, most: int) -> int:
    """The largest magnitude of a signed field, at most `most` bits with the sign; 0 without it."""
    return (1 << max(0, min(int(bits.value), most) - 1)) - 1


def _timing(plan: Plan, consolidation: Consolidation) -> tuple[Note, ...]:
    timetable = plan.timetable
    text = f"{timetable.period} time steps a fixation, {timetable.steps} of them presentation"
    if plan.slots:
        every = 2**plan.carry_exponent // timetable.period
        text += {
            "carry": f"; tags are carried into weights every {every} fixations",
            "transfer": f"; tags are rounded into weights every {every} fixations",
            "direct": "; each update is rounded into the weight, without a tag, which keeps less "
            "of what is learned (docs/results/on_chip.md)",
        }[consolidation.kind]
    return (Note("schedule", "fixation", text),)
