"""What a run costs: counted events times published coefficients, never without a band.

`estimate` gives four lines for one machine (neuron cores dynamic, neuron cores static, management
and input/output, total), inference apart from learning; `compare` the same network and images on
several machines; `measure_cpu` what the CPU at hand draws; `against_published` how the coefficients
stand beside measurements on silicon.
"""

from compiler.energy.band import Band, NotPublished
from compiler.energy.compare import Comparison, compare
from compiler.energy.estimate import Estimate, Lines, Ratio, estimate
from compiler.energy.rapl import Measured, NotMeasured, measure_cpu
from compiler.energy.validation import Check, against_published

__all__ = [
    "Band",
    "Check",
    "Comparison",
    "Estimate",
    "Lines",
    "Measured",
    "NotMeasured",
    "NotPublished",
    "Ratio",
    "against_published",
    "compare",
    "estimate",
    "measure_cpu",
]
