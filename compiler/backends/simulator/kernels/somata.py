"""One step of any neurons: `compiler.program.Soma` with parameters of each one's own."""

from __future__ import annotations

import numpy as np

from compiler.backends.simulator.compiled import compiled
from compiler.program import MEMBRANE_BITS, MEMBRANE_MAX


@compiled(inline="always")
def leak(x, decay):
    """sign(x) * (|x| * decay >> 12), in two halves so that it fits 32-bit lanes."""
    size = np.int32(abs(x))
    low = np.int32(np.int32(np.int32(size & np.int32(4095)) * decay) >> np.int32(12))
    leaked = np.int32(low + np.int32(np.int32(size >> np.int32(12)) * decay))
    sign = np.int32(x >> np.int32(31))
    return np.int32(np.int32(leaked ^ sign) - sign)


@compiled
def soma_step(v, u, owed, fired, count, arrived, held, bias, parameters, scale, synaptic, masks):
    """One step; v, u, owed, fired, count (int32) are changed in place.

    The current is (`arrived` + `held`) * `scale`. `parameters` (3, n) int32: decay, threshold,
    decay of the current, which `synaptic` (a mask, all bits or none) says there is. `owed` is a
    mask: set where an earlier spike has still to be paid for. `masks` (6,) int32 say what the reset
    does: what is owed takes the threshold, the potential, or all; a spike takes the threshold, or
    all, at once; what was owed is given back. Returns the numbers of active neurons (any current
    or potential), of clipped potentials and of wrapped currents.
    """
    idle, unclipped, unwrapped = np.int32(0), np.int32(0), np.int32(0)
    high, low = np.int32(MEMBRANE_MAX), np.int32(-MEMBRANE_MAX)
    half = np.int32(1 << MEMBRANE_BITS)
    whole = np.int32((1 << (MEMBRANE_BITS + 1)) - 1)
    takes, forgets, clears, pays, drops, returns = masks
    delayed = np.int32(np.int32(takes | np.int32(forgets | clears)) & ~returns)
    for j in range(v.shape[0]):
        old, current, before = v[j], u[j], owed[j]
        threshold = parameters[1, j]
        coming = np.int32(np.int32(arrived[j] + held[j]) * scale)
        drive = np.int32(coming + bias[j])
        idle = np.int32(idle + np.int32((old | np.int32(current | drive)) == np.int32(0)))
        summed = np.int32(leak(current, parameters[2, j]) + coming)
        wrapped = np.int32(np.int32(np.int32(summed + half) & whole) - half)
        wrapped = np.int32(np.int32(wrapped & synaptic) | np.int32(coming & ~synaptic))
        missed = np.int32(np.int32(wrapped ^ summed) & synaptic)
        unwrapped = np.int32(unwrapped + np.int32(missed == np.int32(0)))
        u[j] = np.int32(wrapped & synaptic)
        leaked = leak(old, parameters[0, j])
        leaked = np.int32(leaked & ~np.int32(before & forgets))
        new = np.int32(np.int32(leaked + wrapped) + bias[j])
        new = np.int32(new - np.int32(np.int32(before & takes) & threshold))
        new = np.int32(new & ~np.int32(before & clears))
        kept = np.int32(min(max(new, low), high))
        now = np.int32(-np.int32(kept > threshold))
        after = np.int32(kept - np.int32(np.int32(now & pays) & threshold))
        after = np.int32(after + np.int32(np.int32(before & returns) & threshold))
        after = np.int32(after & ~np.int32(now & drops))
        left = np.int32(min(max(after, low), high))
        same = np.int32(kept == new) & np.int32(left == after)
        unclipped = np.int32(unclipped + np.int32(same))
        v[j] = left
        again = np.int32(np.int32(-np.int32(left > threshold)) & returns)
        owed[j] = np.int32(np.int32(now & delayed) | again)
        fired[j] = now
        count[j] = np.int32(count[j] - now)
    n = v.shape[0]
    return n - idle, n - unclipped, n - unwrapped
