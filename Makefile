# Every command that a person types. `make` alone prints them, one line each.

PYTHON ?= python3
PIP_ARGS ?=
IMPL ?= src

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready
COURSE := $(VENV)/ready-course
BENCH := $(VENV)/ready-bench

# A .venv whose Python has gone is no .venv.
GONE := $(shell test -d $(VENV) && ! $(PY) -c '' 2>/dev/null && rm -rf $(VENV) && echo yes)

LABS := $(patsubst labs/%/lab.toml,%,$(wildcard labs/*/lab.toml))
stem = $(patsubst lab$(1)_%,%,$(filter lab$(1)_%,$(LABS)))
need-lab = $(if $(call stem,$(1)),,$(error there is no lab$(1); there is $(foreach lab,$(LABS),$(firstword $(subst _, ,$(lab))))))
OPTIONS = --impl $(IMPL) $(if $(STEP),--step $(STEP)) $(if $(SEED),--seed $(SEED)) $(if $(DEVICE),--device $(DEVICE)) $(if $(JSON),--json $(JSON))

.DEFAULT_GOAL := help
.PHONY: help demo test solutions skeletons compare audit lint format clean

help: ## print this list
	@echo "make TARGET, where TARGET is one of"
	@sed -n 's/^\([a-z][a-z%-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | sed 's/lab%/lab04/' | expand -t 18
	@echo "PYTHON=python3.12 chooses the Python that .venv is made with, PIP_ARGS= what pip is told besides."

# Set-up: every target below makes .venv first if it is missing or older than what it was made from.

$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); this course needs 3.11, 3.12 or 3.13: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv (once; a few minutes, most of it PyTorch)"
	@$(PYTHON) -m venv $(VENV)
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
	@$(PY) -m labkit demo

test-lab%: $(READY) ## test your Lab 04 (STEP=2 one step, IMPL=solutions or a folder, SEED=, DEVICE=cuda)
	$(call need-lab,$*)
	@$(PY) -m pytest -q --no-header tests/test_$(call stem,$*).py $(OPTIONS)

compare: $(READY) ## memory, speed and stability of each format, measured on your code (IMPL=solutions)
	@$(PY) $(IMPL)/mixed_precision.py --compare

audit: $(READY) ## which operation of a training step ran in which dtype (IMPL=solutions)
	@$(PY) $(IMPL)/mixed_precision.py --audit

# The course

test: $(COURSE) ## the tests of the course itself, the proof of the graded suites included
	@$(PY) -m pytest --quiet

solutions: $(READY) ## every graded suite on the reference solutions
	@$(PY) -m pytest -q --no-header tests/test_*.py --impl solutions

proof-lab%: $(READY) ## which test catches which wrong answer: matrix and picture (SEEDS=20)
	$(call need-lab,$*)
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
	@rm -rf $(VENV) runs reports .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
