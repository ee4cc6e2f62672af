"""One step of integrate-and-fire neurons, and the list of those that spiked."""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.backends.simulator.kernels.vectors import GROUP, PLACES, list_group
from compiler.program import MEMBRANE_MAX


@compiled
def lif_step(v, current, held, fired, count, decay, threshold, scale, zero):
    """One step of `compiler.program.Soma`; v, fired and count (int32) are changed in place.

    The current is `current` * `scale` + `held`. `fired` is a mask: all bits set where the
    neuron spiked in the step before, and then where it spikes now. `zero` is such a mask too: set
    for reset to zero, clear for reset by subtraction. (|v| * decay) >> 12 is formed in two halves
    so that it fits 32-bit lanes; every cast keeps them. Returns the numbers of active neurons (any
    current or potential) and of clipped potentials.
    """
    idle = np.int32(0)
    unclipped = np.int32(0)
    high = np.int32(MEMBRANE_MAX)
    low = np.int32(-MEMBRANE_MAX)
    fall = np.int32(threshold & ~zero)
    for j in range(v.shape[0]):
        drive = np.int32(np.int32(current[j] * scale) + held[j])
        old = v[j]
        before = fired[j]
        idle = np.int32(idle + np.int32((old | drive) == np.int32(0)))
        size = np.int32(abs(old))
        leaked = np.int32(np.int32(np.int32(size & np.int32(4095)) * decay) >> np.int32(12))
        leaked = np.int32(leaked + np.int32(np.int32(size >> np.int32(12)) * decay))
        sign = np.int32(old >> np.int32(31))
        leaked = np.int32(np.int32(leaked ^ sign) - sign)
        # a neuron that spiked keeps its leaked potential only where reset is by subtraction
        leaked = np.int32(leaked & ~np.int32(before & zero))
        new = np.int32(np.int32(leaked + drive) - np.int32(before & fall))
        kept = np.int32(min(max(new, low), high))
        unclipped = np.int32(unclipped + np.int32(kept == new))
        v[j] = kept
        now = np.int32(-np.int32(kept > threshold))
        fired[j] = now
        count[j] = np.int32(count[j] - now)
    return v.shape[0] - idle, v.shape[0] - unclipped


@compiled
def relay_step(winner, arrived, fired, count):
    """One step of `compiler.program.Relay`, int32 arrays, changed in place; `fired` as above.

    Returns the number of active relays (something arrived, or there is a winner).
    """
    idle = np.int32(0)
    for j in range(winner.shape[0]):
        mask = arrived[j]
        old = winner[j]
        idle = np.int32(idle + np.int32((old | mask) == np.int32(0)))
        lowest = np.int32(mask & np.int32(-mask))
        kept = np.int32(old | np.int32(lowest & np.int32(-np.int32(old == np.int32(0)))))
        now = np.int32(-np.int32((mask & kept) != np.int32(0)))
        winner[j] = kept
        fired[j] = now
        count[j] = np.int32(count[j] - now)
    return winner.shape[0] - idle


@compiled
def list_spikes(fired, rows):
    """Writes the indices of the neurons that spiked into `rows`; returns their number.

    Without branches: at the usual rates a processor would guess every sixth one wrong. `rows` has
    space for GROUP more than there are neurons.
    """
    n = 0
    size = fired.shape[0]
    whole = size - size % GROUP
    for first in range(0, whole, GROUP):
        n = list_group(fired, first, PLACES, rows, n)
    for j in range(whole, size):
        rows[n] = j
        n -= fired[j]
    return n


@compiled
def count_equal(x, value):
    """How many elements of the int32 array equal `value`."""
    n = np.int32(0)
    for j in range(x.shape[0]):
        n = np.int32(n + np.int32(x[j] == value))
    return n
