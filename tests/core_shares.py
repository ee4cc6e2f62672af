"""What all cores did together is what the run did, kind by kind."""

from __future__ import annotations

import pytest

from compiler.events import CoreEvents, Events


def assert_shares_add_up(shares: tuple[CoreEvents, ...], events: Events) -> None:
    """Each kind of event, summed over the cores, is the total of inference or of learning."""
    for phase in ("inference", "learning"):
        totals = getattr(events, phase)
        summed = {
            kind: sum(getattr(core, phase)[kind] for core in shares) for kind in shares[0].inference
        }
        forms = [f"synaptic_operation_{form}" for form in ("dense", "sparse", "convolution")]
        operations = (*forms, "modulator_operation", "comparator_sum")
        changed = totals.plastic_updates + totals.carries
        for kinds, expected in (
            (operations, totals.synaptic_operations),
            (("spike",), totals.messages),
            (("neuron_update_active",), totals.active_updates),
            (("neuron_update_idle",), totals.idle_updates),
            (("plastic_update",), totals.plastic_updates),
            (("carry",), totals.carries),
            (("learning_visit",), totals.learning_visits + totals.carry_visits - changed),
            (("post_write",), totals.post_writes),
        ):
            assert sum(summed[kind] for kind in kinds) == pytest.approx(expected), kinds
