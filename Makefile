# Everything a person types here. Nothing but Python >= 3.11, git and make is needed before.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests at a time: half as many again as there are cores, because many wait; PYTEST_ARGS="-n0 …" runs them one by one.
CORES  ?= $(shell $(PYTHON) -c "import os; print(max(2, os.cpu_count() * 3 // 2))")
STAMP  := $(VENV)/.installed
OTHERS := build/bench-venv

# Where compiled code may not be kept, every start of eventd compiles all of it again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install run test lint bench conformance scenarios rules lock clean

help:
	@echo "make run      set everything up and run eventd on its built-in defaults (Ctrl-C stops it)"
	@echo "make test     set everything up and run the tests"
	@echo "make lint     ruff, mypy --strict, import floors"
	@echo "make bench    messages/s, CPU and memory, beside other programs and by stage (FULL=1: all, two hours)"
	@echo "make conformance  write docs/conformance.md from the tests"
	@echo "make scenarios  play the scenario book and write docs/scenarios.md"
	@echo "make rules    write docs/rules.md from the rules"
	@echo "make install  put the eventd command into $(BIN)"
	@echo "make lock     renew requirements.lock from pyproject.toml"

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "eventd needs Python 3.11 or newer: make PYTHON=python3.11 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

install: $(STAMP)

run: $(STAMP)
	$(BIN)/eventd run

test: $(STAMP)
	$(BIN)/pytest -n $(CORES) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What is compared with eventd and comes from PyPI lives apart from it, and is left out where it cannot be had.
$(OTHERS)/bin/aiosyslogd:
	@$(PYTHON) -m venv $(OTHERS) && $(OTHERS)/bin/python -m pip install -qqq --disable-pip-version-check 'aiosyslogd[speed]' \
	  || echo "aiosyslogd cannot be installed and takes no part"

$(OTHERS)/bin/py-spy: $(OTHERS)/bin/aiosyslogd
	@$(OTHERS)/bin/python -m pip install -qqq --disable-pip-version-check py-spy || echo "py-spy cannot be installed: no flame graphs"

bench: $(STAMP) $(OTHERS)/bin/aiosyslogd $(if $(FULL),$(OTHERS)/bin/py-spy)
	EVENTD_PEERS_DIR=$${EVENTD_PEERS_DIR:-/opt/eventd-peers} $(BIN)/python tests/bench/bench.py $(if $(FULL),--full) $(if $(ROUNDS),--rounds $(ROUNDS))

conformance: $(STAMP)
	$(BIN)/python tests/support/conformance.py

scenarios: $(STAMP)
	$(BIN)/python tests/support/scenario_book.py

rules: $(STAMP)
	$(BIN)/python tests/support/rules_page.py

# Hashes only: the file names no registry, so any mirror can serve it.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-annotate --no-header --extra dev --extra uvloop -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
