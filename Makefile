# Every command that a person types. `make` alone prints them, one line each.

PYTHON ?= python3
PIP_ARGS ?=
IMPL ?= src
# How long `make test` takes in a fresh clone, set-up not included: on the two cores of a fast machine, and of a slow one.
TEST_MINUTES := 6 to 16

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/ready
COURSE := $(VENV)/ready-course
BENCH := $(VENV)/ready-bench
SITE := $(VENV)/ready-site

# A .venv is rebuilt if its Python has gone, or if it was made when this folder had another path: it is bound to that.
STALE := $(shell test -d $(VENV) || exit; $(PY) -c '' >/dev/null 2>&1 && \
	{ ! test -f $(READY) || test "$$(cat $(READY))" = "$$(pwd -P)"; } || echo yes)

LABS := $(sort $(patsubst labs/%/lab.toml,%,$(wildcard labs/*/lab.toml)))
stem = $(patsubst lab$(1)_%,%,$(filter lab$(1)_%,$(LABS)))
NAMES := $(foreach lab,$(LABS),$(firstword $(subst _, ,$(lab))))
# Checked before anything is installed: `make test-lab99` names no lab.
asked = $(lastword $(subst -lab, ,$(1)))
check = $(if $(findstring -lab,$(1)),$(if $(call stem,$(call asked,$(1))),,$(error there is no lab$(call asked,$(1)); the labs are: $(or $(NAMES),none))))
$(foreach goal,$(filter-out new-lab,$(MAKECMDGOALS)),$(call check,$(goal)))
OPTIONS = --impl '$(IMPL)' $(if $(STEP),--step $(STEP)) $(if $(SEED),--seed $(SEED)) $(if $(DEVICE),--device $(DEVICE)) $(if $(JSON),--json '$(JSON)') $(if $(filter src,$(IMPL)),--one-timeout)

.DEFAULT_GOAL := help
.PHONY: help status doctor site site-open compare audit ddp fsdp clean

help: ## print this list
	@echo "make TARGET, where TARGET is one of these; $(or $(firstword $(NAMES)),labNN) can be any lab"
	@awk -F ':[^#]*## ' '/^[a-z][a-z%-]*:[^#]*## / { sub("lab%", "$(or $(firstword $(NAMES)),labNN)", $$1); printf "  %-16s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "The labs here:"
	@$(foreach lab,$(LABS),echo "  $(lab)";)
	@echo "PYTHON=python3.12 chooses the Python for .venv, PIP_ARGS= adds options of pip."

# Set-up: every target below makes .venv first if it is missing or older than what it was made from.

FORCE:

comma := ,

# $(1): what to install. pip's own page of text is kept in a file; the line says what to do.
# pip would write the bytecode of all that PyTorch brings, for a minute. Python writes that of what it imports.
install = $(PY) -m pip install --quiet --disable-pip-version-check --no-compile $(PIP_ARGS) -c constraints.txt -e '$(1)' >$(VENV)/pip.log 2>&1 || { echo "make: pip could not install the packages: $$(grep -m 1 -o 'ERROR.*' $(VENV)/pip.log | cut -c 1-200); all that it wrote is in $(VENV)/pip.log; without a network or an index see 'Without a network' in README.md"; exit 1; }

$(READY): pyproject.toml constraints.txt $(if $(STALE),FORCE)
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.11, 3.12 or 3.13, or name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "make: $(PYTHON) is $$($(PYTHON) --version 2>&1); this course needs 3.11, 3.12 or 3.13: make PYTHON=python3.12"; exit 1; }
	@test ! -L $(VENV) || { echo "make: $(VENV) is a link to $$(readlink $(VENV)), which belongs to another folder; remove the link, and make sets up one for this folder: rm $(VENV)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv $(if $(STALE),again$(comma) because this folder or its Python has moved,once): a few minutes, most of it PyTorch"
	@$(PYTHON) -m venv $(if $(STALE),--clear) $(VENV)
	@$(call install,.$(EXTRA))
	@PYTHONDONTWRITEBYTECODE= $(PY) -c 'import matplotlib.pyplot, pytest, torch._dynamo, torch.distributed.fsdp'
	@pwd -P >$@
	@$(if $(EXTRA),touch $(COURSE))

# Made as a part of this, .venv gets all in one go.
$(COURSE): EXTRA := [course]
$(COURSE): $(READY)
	@test $@ -nt $(READY) || { $(call install,.$(EXTRA)); }
	@PYTHONDONTWRITEBYTECODE= $(PY) -c 'import hypothesis, libcst.matchers'
	@touch $@

$(BENCH): $(COURSE)
	@$(call install,.[bench])
	@touch $@

$(SITE): $(READY)
	@$(call install,.[site])
	@touch $@

# The student

test-lab%: $(READY) ## test your lab (STEP=2, SEED=, DEVICE=cuda)
	@$(PY) -m pytest -q --no-header tests/test_$(call stem,$*).py $(OPTIONS)

status: $(READY) ## where you are in every lab, and the one next thing to do
	@$(PY) -m labkit status

watch-lab%: $(READY) ## test your lab on every save; h gives a hint (STEP=2)
	@$(PY) -m labkit watch lab$* $(if $(STEP),--step $(STEP))

hint-lab%: $(READY) ## one hint more each time, never the solution (STEP=2)
	@$(PY) -m labkit hint lab$* $(if $(STEP),--step $(STEP))

explain-lab%: $(READY) ## what a test asks for, and why (TEST=a part of its name)
	@$(PY) -m labkit explain lab$* $(if $(TEST),--test $(TEST))

reset-lab%: $(READY) ## the skeleton again; your file is kept in backups/
	@$(PY) -m labkit reset lab$*

report-lab%: $(READY) ## one page of points and figures (ONLY=banner)
	@$(PY) -m labkit report lab$* --impl '$(IMPL)' $(if $(ONLY),--only $(ONLY))

run-lab%: $(READY) ## run your lab's own command line (NAME=, ARGS=, NPROC=)
	@$(PY) -m labkit run lab$* --nproc $(or $(NPROC),1) --impl '$(IMPL)' $(NAME) $(ARGS)

parity-lab%: $(READY) ## does half precision match fp32, over three seeds
	@$(PY) -m labkit run lab$* --impl '$(IMPL)' parity $(ARGS)

doctor: $(READY) ## what this machine can do, and what to do about the rest
	@$(PY) -m labkit doctor

site: $(SITE) ## all pages as a site with search, in build/site
	@$(PY) -m sphinx --quiet --fail-on-warning --keep-going --jobs auto --conf-dir src/labkit/site --doctree-dir build/doctrees . build/site || { echo "make: the site is not right; each line above names a page and what is wrong there"; exit 1; }
	@echo "Written: build/site/index.html; make site-open shows it in the browser"

site-open: site ## the site in the browser, from this machine alone (PORT=8000)
	@$(PY) -m labkit site-open $(if $(PORT),--port $(PORT))

compare: $(READY) ## memory, speed, stability of each format
	@$(PY) -m labkit run lab04 --impl '$(IMPL)' --compare

audit: $(READY) ## which operation of a step ran in which dtype
	@$(PY) -m labkit run lab04 --impl '$(IMPL)' --audit

ddp: $(READY) ## train on many processes, each with all weights (NPROC=2)
	@$(PY) -m labkit run lab04 --nproc $(or $(NPROC),2) --impl '$(IMPL)' --strategy ddp

fsdp: $(READY) ## the same with the weights spread over the processes (NPROC=2)
	@$(PY) -m labkit run lab04 --nproc $(or $(NPROC),2) --impl '$(IMPL)' --strategy fsdp

clean: ## remove .venv and everything that was made
	@rm -rf $(VENV) .labkit runs reports build .pytest_cache .ruff_cache .mypy_cache .hypothesis src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The course
# The students' copy ends above this heading (labkit/author/release.py). Targets that need solutions are below it.

.PHONY: demo test figures bench solutions grade sample-class release new-lab skeletons lint format

demo: $(READY) ## train in three formats, and draw what happens (2 minutes)
	@$(PY) -m labkit demo lab04

demo-lab%: $(READY) ## what the lab's solution can do
	@$(PY) -m labkit demo lab$*

test: $(COURSE) ## lint, and all tests of the course itself
	@echo "make test: lint, then the course's own tests; $(TEST_MINUTES) minutes on two cores, by their speed"
	@$(MAKE) --no-print-directory lint
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(PY) -m pytest --quiet -r fEs --durations=10 --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

figures: $(READY) ## measure and draw every figure of the pages here, some minutes
	@$(PY) -m labkit figures

bench: $(if $(filter cuda,$(DEVICE)),$(READY),$(BENCH)) ## speed and memory against the course's limits (DEVICE=cuda)
	@PYTHONPATH=src:tests $(PY) -m bench.bench $(if $(DEVICE),--device $(DEVICE))

solutions: $(READY) ## test the reference (so does IMPL=solutions above)
	@$(PY) -m pytest -q --no-header tests/test_*.py --impl solutions

proof-lab%: $(READY) ## which test catches which wrong answer (SEEDS=20, MUTANTS=1)
	@$(PY) -m labkit proof lab$* $(if $(SEEDS),--seeds $(SEEDS)) $(if $(MUTANTS),--mutants)

unseen-lab%: $(READY) ## grade answers that the suite's author has not seen (FOLDER=)
	@test -n '$(FOLDER)' || { echo "make: name the folder with the answers: make unseen-lab$* FOLDER=path"; exit 1; }
	@$(PY) -m labkit unseen lab$* '$(FOLDER)'

grade: $(READY) ## grade submissions (LAB=04 SUBMISSIONS= OUT= HIDDEN= ARGS=)
	@test -n '$(LAB)' -a -n '$(SUBMISSIONS)' -a -n '$(OUT)' || { echo "make: name the lab and two folders: make grade LAB=04 SUBMISSIONS=../downloads OUT=../graded"; exit 1; }
	@$(PY) -m labkit grade '$(LAB)' '$(SUBMISSIONS)' --out '$(OUT)' $(if $(HIDDEN),--hidden '$(HIDDEN)') $(ARGS)

sample-class: $(READY) ## a small class of submissions to try it on (LAB=04 FOLDER=)
	@test -n '$(LAB)' -a -n '$(FOLDER)' || { echo "make: name the lab and a new folder: make sample-class LAB=04 FOLDER=../class"; exit 1; }
	@$(PY) -m labkit sample-class '$(LAB)' '$(FOLDER)'

release: $(COURSE) ## the students' copy, without any answer (OUT=students.zip)
	@$(PY) -m labkit release --out '$(or $(OUT),students.zip)'

new-lab: $(COURSE) ## write the files of a new lab (NUMBER=9 STEM=tiny STEPS=3)
	@test -n '$(NUMBER)' -a -n '$(STEM)' || { echo "make: a new lab needs a number and a stem: make new-lab NUMBER=9 STEM=tiny STEPS=3"; exit 1; }
	@$(PY) -m labkit new-lab --number '$(NUMBER)' --stem '$(STEM)' --steps '$(or $(STEPS),1)'

check-lab%: $(COURSE) ## everything of one lab, in about a minute
	@$(PY) -m labkit check-lab lab$*

skeletons: $(COURSE) ## make stubs from solutions; an edited file is left alone
	@$(PY) -m labkit skeletons

lint: $(COURSE) ## formatting (ruff), types (mypy), spelling (codespell)
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@git ls-files -z 2>/dev/null | xargs -0r $(PY) -m codespell_lib -D - -D docs/words.txt

format: $(COURSE) ## let ruff format and correct what it can
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .
