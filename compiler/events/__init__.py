"""What happened in a run: events of populations, projections and gates, as plain numbers.

Two kinds of sources. The simulator counts what depends on activity (spikes, active neurons, rows
learned, messages that are no counts). What follows from the program is derived: a population has
one axon list, so each of its messages, binary or graded, reaches every outgoing projection and its
comparator; a synaptic operation whose target does not listen at that step is counted as *ignored*.
With a learning epoch of one step every message makes the engine visit its row of each plastic
projection.

Events are split in two. *Inference* is what the forward pass needs: somata integrating during the
presentation, and the messages that drive them. *Learning* is all the rest, also the means of maps,
and what spikes cost on the axons that exist only because the network learns. A run without learning
is costed without those axons.
"""

from compiler.events.cores import (
    CORE_KINDS,
    CoreEvents,
    Shares,
    forward_shares,
    learning_shares,
    per_core,
)
from compiler.events.count import count_events
from compiler.events.mesh import Traffic, traffic
from compiler.events.neurobench import messages_sent, neurobench
from compiler.events.records import (
    Events,
    GateEvents,
    PopulationEvents,
    ProjectionEvents,
    Totals,
)

__all__ = [
    "CORE_KINDS",
    "CoreEvents",
    "Events",
    "GateEvents",
    "PopulationEvents",
    "ProjectionEvents",
    "Shares",
    "Totals",
    "Traffic",
    "count_events",
    "forward_shares",
    "learning_shares",
    "messages_sent",
    "neurobench",
    "per_core",
    "traffic",
]
