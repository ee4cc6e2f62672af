"""The source network as data, in real numbers: what is computed and what is learned."""

from compiler.ir.learning import Comparator, LearningRule, Modulator, PreTraces, Term
from compiler.ir.network import Network, Projection, Schedule
from compiler.ir.population import (
    Averages,
    Neuron,
    Population,
    SpatialMean,
    Values,
    WinnerTakeAll,
)
from compiler.terms import (
    CENTRED,
    PRE_QUANTITIES,
    Compartment,
    Connection,
    Geometry,
    Map,
    Quantity,
    Reset,
    per_neuron,
)

__all__ = [
    "CENTRED",
    "PRE_QUANTITIES",
    "Averages",
    "Comparator",
    "Compartment",
    "Connection",
    "Geometry",
    "LearningRule",
    "Map",
    "Modulator",
    "Network",
    "Neuron",
    "Population",
    "PreTraces",
    "Projection",
    "Quantity",
    "Reset",
    "Schedule",
    "SpatialMean",
    "Term",
    "Values",
    "WinnerTakeAll",
    "per_neuron",
]
