"""The neuron: one equation with its parts named, of which every framework's models are cases.

    i[t] = current.decay * i[t-1] + current.gain * x[t]      (without a current: i[t] = x[t])
    u[t] = decay * v[t-1] + gain * i[t] + leak
    s[t] = u[t] > threshold                                  (without a threshold: y = v)
    v[t] = u[t], with what `compiler.terms.Reset` changes, and y[t] = s[t]

| model | current | decay | gain | leak |
| --- | --- | --- | --- | --- |
| snnTorch Leaky, RLeaky | none | beta | 1 | 0 |
| snnTorch Synaptic, RSynaptic | alpha, 1 | beta | 1 | 0 |
| snnTorch Lapicque | none | 1 - dt/RC | dt/C | 0 |
| Norse LIFBox, LIBox | none | 1 - dt/tau | dt/tau | v_leak dt/tau |
| Norse LIF, LI | 1 - dt/tau_syn, 1 | 1 - dt/tau_mem | dt/tau_mem | v_leak dt/tau_mem |
| Norse IAF | none | 1 | 1 | 0 |
| NIR LIF, LI | none | 1 - dt/tau | r dt/tau | v_leak dt/tau |
| NIR CubaLIF, CubaLI | 1 - k, w_in k; k = dt/tau_syn | 1 - dt/tau | r dt/tau | v_leak dt/tau |
| NIR IF, I | none | 1 | r dt | 0 |

A reset to zero at once may go to another `reset_value`. The time constants of Norse and NIR are
those of differential equations, taken by forward Euler.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from compiler.source.nodes import Node, Shape, fits, keep_arrays
from compiler.terms import Reset


@dataclass(frozen=True, eq=False)
class SynapticCurrent:
    """i[t] = decay * i[t-1] + gain * x[t]; both one value or one a neuron."""

    decay: np.ndarray
    gain: np.ndarray

    def __post_init__(self) -> None:
        keep_arrays(self)


@dataclass(frozen=True, eq=False)
class Neuron(Node):
    """A layer of neurons of one kind; each array has one value or broadcasts to the layer.

    threshold None: a readout, whose y is its membrane potential. With `rectified` the membrane
    potential does not fall below 0 (v = max(u, 0), snnTorch's LeakyParallel). i starts at 0, v at
    `initial`, in every sample.
    """

    decay: np.ndarray
    gain: np.ndarray
    leak: np.ndarray
    threshold: np.ndarray | None
    reset: Reset = Reset.NONE
    reset_value: np.ndarray = field(default_factory=lambda: np.zeros(()))
    initial: np.ndarray = field(default_factory=lambda: np.zeros(()))
    current: SynapticCurrent | None = None
    rectified: bool = False

    @property
    def spiking(self) -> bool:
        """Whether y is spikes."""
        return self.threshold is not None

    def arrays(self) -> dict[str, np.ndarray]:  # noqa: D102
        found = super().arrays()
        if self.current is not None:
            found |= {
                "current.decay": self.current.decay,
                "current.gain": self.current.gain,
            }
        return found

    def output_shape(self, arriving: Shape) -> Shape:  # noqa: D102
        for name, array in self.arrays().items():
            fits(name, array, arriving)
        return arriving
