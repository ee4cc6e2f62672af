"""What events cost on a machine: the sections `factors`, `energy`, `power`, `time`, `routing`.

No code holds a coefficient. `compiler.energy` multiplies these by counted events.
"""

from __future__ import annotations

from typing import Annotated

from compiler.targets.figures import SECTIONS, Amounts, Coefficient, Figure, Measure, Section, Whole

Factors = dict[str, Measure]
"""Named factors, without unit, that several coefficients share: drawn once for all of them."""


class EventEnergy(Amounts):
    """Joules an event: of the neuron cores, then of the mesh, then of the management processors."""

    UNIT = SECTIONS["energy"]

    synaptic_operation_dense: Coefficient  # all-to-all, stored without indices
    synaptic_operation_sparse: Coefficient  # stored with the index of its target
    synaptic_operation_convolution: Coefficient  # of a kernel
    neuron_update_idle: Coefficient  # a neuron looked at, nothing to do
    neuron_update_active: Coefficient
    spike: Coefficient  # a neuron that sends, beyond its update
    axon_in: Coefficient  # one message at one receiving core
    axon_out: Coefficient  # one message to one receiving core
    trace_write: Coefficient  # one row's x1 overwritten
    post_write: Coefficient
    learning_visit: Coefficient  # a synapse visited with post value zero
    plastic_update: Coefficient  # a synapse changed
    hop_east_west: Coefficient  # one message, one router
    hop_north_south: Coefficient
    chip_crossing: Coefficient  # one message, from one chip to the next
    barrier: Coefficient  # one core, one time step
    management_step: Coefficient  # the schedule of one time step
    host_message: Coefficient  # one intensity or label brought onto the chip
    averaged_synapse: Coefficient  # read, added up, and written


class Power(Amounts):
    """Static power in watts: of a core in use, and of a whole chip."""

    UNIT = SECTIONS["power"]

    static_core: Coefficient
    static_chip: Coefficient


class EventTime(Amounts):
    """Seconds an event takes on its core; hops, `barrier` and `step_overhead` are per time step."""

    UNIT = SECTIONS["time"]

    synaptic_operation_dense: Coefficient
    synaptic_operation_sparse: Coefficient
    synaptic_operation_convolution: Coefficient
    neuron_update_idle: Coefficient
    neuron_update_active: Coefficient
    spike: Coefficient
    axon_in: Coefficient
    axon_out: Coefficient
    plastic_update: Coefficient
    learning_visit: Coefficient
    hop_east_west: Coefficient
    hop_north_south: Coefficient
    barrier: Coefficient
    step_overhead: Coefficient


class Routing(Section):
    """The mesh: a chip's routers, the cores at each, and chips beside one another on a board.

    Cores are numbered router by router, along the columns first; chips likewise.
    """

    columns: Annotated[Figure, Whole("columns of routers", ("routers",), 1, 2**16)]
    rows: Annotated[Figure, Whole("rows of routers", ("routers",), 1, 2**16)]
    cores_per_router: Annotated[Figure, Whole("cores of a router", ("cores",), 1, 2**16)]
    chips_across: Annotated[Figure, Whole("chips beside one another", ("chips",), 1, 2**16)]


class OperationEnergy(Amounts):
    """Joules an operation of a processor: of dense layers, and of a loop over events."""

    UNIT = SECTIONS["energy"]

    synaptic_operation: Measure  # one multiply-accumulate of a dense layer
    neuron_update: Measure
    event_operation: Coefficient  # one accumulation that a spike asks for
    event_update: Coefficient
