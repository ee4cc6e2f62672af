"""What a run costs: counted events times published coefficients, never without a band.

A run's events become a `Ledger`, a machine's file its `Coefficients`; each figure is a `Band` that
carries its draws. `estimate` gives four lines for one machine (neuron cores dynamic, neuron cores
static, management and input/output, total), inference apart from learning; `compare` the same
network and images on several machines; `measure` what the CPU or GPU at hand draws;
`compiler.energy.silicon` how estimates stand beside measurements on silicon.
"""

from compiler.energy.band import Band, Line, NotPublished, Within
from compiler.energy.coefficients import Coefficients
from compiler.energy.compare import Comparison, compare, event_driven_first
from compiler.energy.conclusion import conclude
from compiler.energy.estimate import Estimate, Item, Lines, estimate
from compiler.energy.ledger import Ledger, ledgers
from compiler.energy.measured import Measured, measure
from compiler.energy.meters import NotMeasured, open_nvml, open_rapl

__all__ = [
    "Band",
    "Coefficients",
    "Comparison",
    "Estimate",
    "Item",
    "Ledger",
    "Line",
    "Lines",
    "Measured",
    "NotMeasured",
    "NotPublished",
    "Within",
    "compare",
    "conclude",
    "estimate",
    "event_driven_first",
    "ledgers",
    "measure",
    "open_nvml",
    "open_rapl",
]
