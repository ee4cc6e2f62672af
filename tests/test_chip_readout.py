"""A readout that learns on the chip from one bit of reward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compiled_program import network
from conftest import no_difference
from readout_program import CLASSES, images, readout_network, readout_program

