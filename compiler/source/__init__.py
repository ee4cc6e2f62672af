"""The source graph: what a user's network computes in a time step, whatever its framework."""

from compiler.source.edges import Edge
from compiler.source.graph import Graph
from compiler.source.neuron import Neuron, SynapticCurrent
from compiler.source.nodes import (
    AveragePool,
    Convolution,
    Delay,
    Input,
    Linear,
    MaxPool,
    Node,
    Output,
    Rectifier,
    Reshape,
    Scale,
    SumPool,
    Threshold,
)
from compiler.terms import Reset

__all__ = [
    "AveragePool",
    "Convolution",
    "Delay",
    "Edge",
    "Graph",
    "Input",
    "Linear",
    "MaxPool",
    "Neuron",
    "Node",
    "Output",
    "Rectifier",
    "Reset",
    "Reshape",
    "Scale",
    "SumPool",
    "SynapticCurrent",
    "Threshold",
]
