# Every command that a person types. `make` alone prints them, one line each.

PYTHON ?= python3
PIP_ARGS ?=
IMPL ?= src
NPROC ?= 2

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready
COURSE := $(VENV)/ready-course
BENCH := $(VENV)/ready-bench

# A .venv whose Python has gone is made anew.
GONE := $(shell test -d $(VENV) && ! $(PY) -c '' >/dev/null 2>&1 && echo yes)

LABS := $(patsubst labs/%/lab.toml,%,$(wildcard labs/*/lab.toml))
stem = $(patsubst lab$(1)_%,%,$(filter lab$(1)_%,$(LABS)))
NAMES := $(foreach lab,$(LABS),$(firstword $(subst _, ,$(lab))))
# Said before anything is installed: `make test-lab99` names no lab.
asked = $(lastword $(subst -lab, ,$(1)))
check = $(if $(findstring -lab,$(1)),$(if $(call stem,$(call asked,$(1))),,$(error there is no lab$(call asked,$(1)); there is $(NAMES))))
$(foreach goal,$(MAKECMDGOALS),$(call check,$(goal)))
OPTIONS = --impl '$(IMPL)' $(if $(STEP),--step $(STEP)) $(if $(SEED),--seed $(SEED)) $(if $(DEVICE),--device $(DEVICE)) $(if $(JSON),--json '$(JSON)') $(if $(filter src,$(IMPL)),--one-timeout)

.DEFAULT_GOAL := help
.PHONY: help demo status doctor test solutions skeletons figures bench compare audit ddp fsdp lint format clean

help: ## print this list
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':[^#]*## ' '/^[a-z][a-z%-]*:[^#]*## / { sub("lab%", "lab04", $$1); printf "  %-16s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "PYTHON=python3.12 chooses the Python that .venv is made with, PIP_ARGS= what pip is told besides."

# Set-up: every target below makes .venv first if it is missing or older than what it was made from.

FORCE:

$(READY): pyproject.toml constraints.txt $(if $(GONE),FORCE)
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); this course needs 3.11, 3.12 or 3.13: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv (once; a few minutes, most of it PyTorch)"
	@$(PYTHON) -m venv $(if $(GONE),--clear) $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e .
	@touch $@

$(COURSE): $(READY)
	@$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[course]'
	@touch $@

$(BENCH): $(COURSE)
	@$(PY) -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[bench]'
	@touch $@

# The student

demo: $(READY) ## train a real network in fp32, fp16 and bf16, and draw what happens
	@$(PY) -m labkit demo lab04

test-lab%: $(READY) ## test your Lab 04 (STEP=2 one step, IMPL=solutions or a folder, SEED=, DEVICE=cuda)
	@$(PY) -m pytest -q --no-header tests/test_$(call stem,$*).py $(OPTIONS)

status: $(READY) ## where you are in every lab, and the one next thing to do
	@$(PY) -m labkit status

watch-lab%: $(READY) ## test your Lab 04 on every save; h gives a hint (STEP=2 begins there)
	@$(PY) -m labkit watch lab$* $(if $(STEP),--step $(STEP))

hint-lab%: $(READY) ## one hint more each time, never the solution (STEP=2)
	@$(PY) -m labkit hint lab$* $(if $(STEP),--step $(STEP))

explain-lab%: $(READY) ## what a test asks for, why, and where to read (TEST=its name, or a part of it)
	@$(PY) -m labkit explain lab$* $(if $(TEST),--test $(TEST))

reset-lab%: $(READY) ## the skeleton again; your file is kept in backups/
	@$(PY) -m labkit reset lab$*

report-lab%: $(READY) ## one page of your Lab 04: points, comparison, figures (IMPL=solutions, ONLY=banner)
	@$(PY) -m labkit report lab$* --impl '$(IMPL)' $(if $(ONLY),--only $(ONLY))

doctor: $(READY) ## what this machine can do for the course, and what to do about what is missing
	@$(PY) -m labkit doctor

compare: $(READY) ## memory, speed and stability of each format, measured on your code (IMPL=solutions)
	@$(PY) '$(IMPL)/mixed_precision.py' --compare

audit: $(READY) ## which operation of a training step ran in which dtype (IMPL=solutions)
	@$(PY) '$(IMPL)/mixed_precision.py' --audit

ddp: $(READY) ## train your Lab 04 on many processes, each with all weights (NPROC=2, IMPL=solutions)
	@$(PY) -m labkit run lab04 --nproc $(NPROC) --impl '$(IMPL)' --strategy ddp

fsdp: $(READY) ## the same with the weights spread over the processes (NPROC=2, IMPL=solutions)
	@$(PY) -m labkit run lab04 --nproc $(NPROC) --impl '$(IMPL)' --strategy fsdp

# The course

test: $(COURSE) ## the tests of the course itself, the proof of the graded suites included
	@OMP_NUM_THREADS=1 $(PY) -m pytest --quiet -r fEs --numprocesses auto --maxprocesses 4 --dist loadfile

figures: $(READY) ## every figure of the pages, measured and drawn anew on this machine, some minutes
	@$(PY) -m labkit figures

bench: $(if $(filter cuda,$(DEVICE)),$(READY),$(BENCH)) ## speed and memory against the limits that this course sets itself (DEVICE=cuda)
	@PYTHONPATH=src:tests $(PY) -m bench.bench $(if $(DEVICE),--device $(DEVICE))

solutions: $(READY) ## every graded suite on the reference solutions
	@$(PY) -m pytest -q --no-header tests/test_*.py --impl solutions

proof-lab%: $(READY) ## which test catches which wrong answer: matrix and picture (SEEDS=20)
	@$(PY) -m labkit proof lab$* $(if $(SEEDS),--seeds $(SEEDS))

skeletons: $(COURSE) ## make the stubs from the solutions; an edited file in src/ is left alone
	@$(PY) -m labkit skeletons

lint: $(COURSE) ## ruff: formatting and lint
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .

format: $(COURSE) ## let ruff format and mend what it can
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

clean: ## remove .venv and everything that was made
	@rm -rf $(VENV) .labkit runs reports .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
