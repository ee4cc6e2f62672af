# Every target does its own set-up first: a virtual environment in .venv, made once, left alone
# while nothing changed. Needs nothing but make and Python 3.10 to 3.13.
#
#   make PYTHON=python3.12 test    uses another Python; without it, .venv keeps the one it has

SHELL := /bin/sh
VENV := .venv
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH" PYTHONUNBUFFERED=1
RUN := $(IN_VENV) python

ifeq ($(origin PYTHON),undefined)
PYTHON := $(if $(shell $(VENV)/bin/python -c '' 2>&1 || echo broken),python3,$(VENV)/bin/python)
endif

# .venv is made again, or completed, when one of these is no longer what it was: the Python, the
# folder (a virtual environment cannot be moved), what is to be installed.
NEUROBENCH := neurobench>=2.3
DESCRIBED_IN := pyproject.toml compiler/backends/lava/compat.py
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
PYTHON_KEY := $(VERSION)-$(shell pwd | cksum | tr ' ' -)
FILES_KEY := $(shell cat $(DESCRIBED_IN) | cksum | tr ' ' -)
ENVIRONMENT := $(VENV)/.made-$(PYTHON_KEY)
INSTALLED := $(VENV)/.installed-$(PYTHON_KEY)-$(FILES_KEY)
WARMED := $(VENV)/.kernels-compiled

.PHONY: help setup demo test slow fuzz lint format bench energy-check on-chip adapt readout clean distclean

help:
	@echo 'make demo       train, compile, learn on the simulated chip, verify, cost: a few minutes'
	@echo 'make test       the tests'
	@echo 'make slow       the tests that take minutes each'
	@echo 'make fuzz       random networks on all engines: FUZZ=3000 of them; a find is written to found/'
	@echo 'make lint       linter, formatter check, type checker'
	@echo 'make format     let the formatter rewrite the sources'
	@echo 'make bench      speed of the engines, of training, of convolutions and of compiling'
	@echo 'make on-chip    learning on the chip beside float: docs/results/on_chip.md; goes on when repeated'
	@echo 'make adapt      the world changes, the chip learns on: docs/results/adapt.md; goes on when repeated'
	@echo 'make readout    a readout that learns from rewards on the chip: docs/results/readout.md; goes on'
	@echo 'make energy-check  the estimates beside silicon, SANA-FE, NeuroBench and KerasSpiking'
	@echo 'make setup      only the set-up that all of these do first'
	@echo 'make clean      remove caches and build products; make distclean: .venv as well'
	@echo
	@echo 'PYTHON=python3.12 chooses another Python (3.10 to 3.13).'

setup: $(WARMED)
	@:

demo: setup
	@$(RUN) examples/demo.py

# Two tests at a time, one thread each; tests of one file share what they set up.
test: setup
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

slow: setup
	@$(RUN) -m pytest -m slow

# What failed is kept in .hypothesis and tried first the next time.
FUZZ := 3000
fuzz: setup
	@FUZZ=$(FUZZ) OMP_NUM_THREADS=1 $(RUN) -m pytest -q -m fuzz -s --durations=2 tests/test_fuzz.py

lint: $(INSTALLED)
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

format: $(INSTALLED)
	@$(RUN) -m ruff format .

# Processor time. short: 35 s a dense network, 41 of them; a convolution takes 85 on the chip and 130 in
# float, of which 100 are its readout, so that five seeds take 35 minutes; five of traces take 16. full:
# 95 s a dense network, and nine times as many fixations for the convolutions (it was not run).
SCALE := short
on-chip: setup
	@OMP_NUM_THREADS=1 $(RUN) benchmarks/on_chip --scale $(SCALE) --workers 2

adapt: setup
	@OMP_NUM_THREADS=1 $(RUN) benchmarks/adapt --workers 2
readout: setup
	@OMP_NUM_THREADS=1 $(RUN) benchmarks/on_chip/readout.py --scale $(SCALE) --workers 2

bench: setup
	@$(RUN) benchmarks/engines.py
	@$(RUN) benchmarks/training.py --quick
	@$(RUN) benchmarks/online.py
	@$(RUN) benchmarks/precision.py --batch 4
	@$(RUN) benchmarks/convolution.py
	@$(RUN) benchmarks/compile.py
	@$(RUN) benchmarks/scaling.py

energy-check: setup
	@$(RUN) -m clapp_neuro.cli energy-check
	@OMP_NUM_THREADS=1 $(RUN) -m pytest -q tests/test_energy_check.py tests/test_sana_fe.py \
	    tests/test_neurobench.py tests/test_keras_spiking.py

clean:
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(WARMED)
	@find . -path ./$(VENV) -prune -o -type d -name __pycache__ -exec rm -rf {} +
	@if [ -d $(VENV) ]; then echo 'kept $(VENV) (make distclean removes it, too)'; fi

distclean: clean
	@rm -rf $(VENV)

$(ENVIRONMENT):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no '$(PYTHON)' here: install Python 3.10 to 3.13, or name one: make PYTHON=..."; \
	  exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "clapp-neuro needs Python 3.10 to 3.13, and '$(PYTHON)' is" \
	    "$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'):" \
	    "name another one, for example: make PYTHON=python3.12"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments:" \
	    "install its venv module (on Debian and Ubuntu: apt install python3-venv)"; \
	  exit 1; }
	@# Only a .venv made here, or one without a working pip, is ever made again.
	@if ls $(VENV)/.made-* >/dev/null 2>&1 || ! $(VENV)/bin/python -m pip --version >/dev/null 2>&1; \
	then \
	  echo "Making a virtual environment in $(VENV) with Python $(VERSION) ..."; \
	  base=$$($(PYTHON) -c 'import sys; print(sys._base_executable)') \
	    && "$$base" -m venv --clear $(VENV); \
	elif [ "$$($(VENV)/bin/python -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')" = '$(VERSION)' ]; \
	then \
	  echo 'Using the virtual environment that is in $(VENV) already.'; \
	else \
	  echo "$(VENV) was not made here and has another Python than '$(PYTHON)':" \
	    "move it away, or leave PYTHON=... out to use it"; \
	  exit 1; \
	fi
	@touch $@

$(INSTALLED): $(ENVIRONMENT)
	@rm -f $(VENV)/.installed-* $(WARMED)
	@echo 'Installing clapp-neuro and what it needs, once. PyTorch is large (2 to 3 GB with its GPU'
	@echo 'libraries, on Linux): this takes a few minutes, more on a slow connection ...'
	@$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@echo 'Installing Lava, as compiler/backends/lava/compat.py says ...'
	@$(IN_VENV); export PATH; install=$$(python -c \
	    'from compiler.backends.lava.compat import INSTALL; print(INSTALL)') \
	  && export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
	  && echo "  $$install" && eval "$$install"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps '$(NEUROBENCH)'
	@touch $@

# numba compiles again when a file of the simulator changes.
$(WARMED): $(INSTALLED) $(shell find compiler/backends/simulator -name '*.py')
	@$(RUN) -m compiler.backends.simulator.warm
	@touch $@
