"""What a run costs: counted events times published coefficients, never without a band.

`estimate` gives four lines for one machine (neuron cores dynamic, neuron cores static, management
and input/output, total), inference apart from learning; `compare` the same network and images on
several machines; `measure_cpu` what the CPU at hand draws; `against_published` how the coefficients
stand beside measurements on silicon. A run's events become a `Ledger`, the machine's file
`Coefficients`; each figure is a `Band` that carries its draws.
"""

from compiler.energy.band import Band, Line, NotPublished, Within
from compiler.energy.coefficients import Coefficients
from compiler.energy.compare import Comparison, compare
from compiler.energy.estimate import Estimate, Item, Lines, estimate
from compiler.energy.ledger import Ledger, ledgers
from compiler.energy.rapl import Measured, NotMeasured, measure_cpu
from compiler.energy.validation import Check, against_published

__all__ = [
    "Band",
    "Check",
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
    "against_published",
    "compare",
    "estimate",
    "ledgers",
    "measure_cpu",
]
