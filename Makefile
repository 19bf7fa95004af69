# Everything a developer runs. The environment builds itself on first use and again when a lock file changes.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SHARED ?= $(or $(CAUSELINE_SHARED),../shared)
SETS ?= $(SHARED)/datasets/nezha-trainticket-a $(SHARED)/datasets/gpu-dev-a
KIT := tests/kit
TIMES ?= 3
NODE := tests/clients/node
GRAFANA := tests/clients/grafana
PIP_FLAGS := --quiet --python $(BIN)/python --require-hashes
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header
PYTEST := $(BIN)/python -m pytest
export UV_NO_PROGRESS := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo up up-server test test-full faults nightly lint fmt docs bench evaluate evaluation-docs lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

setup: $(VENV)/.dev ## build the development environment in .venv

demo: $(VENV)/.runtime ## play a GPU incident through a real system and print what it finds
	$(BIN)/causeline demo $(ARGS)

up: $(VENV)/.runtime ## start receiver, correlator and API in one process (ARGS="--data DIR")
	$(BIN)/causeline up $(ARGS)

up-server: $(VENV)/.dev $(KIT)/node_modules/.package-lock.json ## several processes on a real ClickHouse and Redis (ARGS="--replay DIR" plays a data set)
	$(BIN)/python -m scripts.up_server $(ARGS)

test: lint ## lint, types, import contracts, then the tests but the slow ones
	$(PYTEST) -m "not slow" $(ARGS)

test-full: lint $(KIT)/node_modules/.package-lock.json $(NODE)/node_modules/.package-lock.json $(GRAFANA)/node_modules/.package-lock.json ## every test, on a real server too, with coverage
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report

faults: $(VENV)/.dev $(KIT)/node_modules/.package-lock.json ## every fault, three times in a row (TIMES=3); prints figures
	for time in $$(seq $(TIMES)); do $(PYTEST) -s tests/faults || exit 1; done

# An hour or two. Power cuts need root, and say so when they cannot be.
nightly: $(VENV)/.dev $(KIT)/node_modules/.package-lock.json ## a million fuzzed inputs and every fault at length; prints figures
	$(BIN)/python -m tests.fuzz.compression --runs 350000
	$(BIN)/python -m tests.fuzz.otlp_json --runs 350000
	$(BIN)/python -m tests.fuzz.http_bytes --runs 240000
	$(BIN)/python -m tests.fuzz.protobuf --runs 40000
	$(BIN)/python -m tests.fuzz.remote_write --runs 20000
	for home in embedded server; do $(BIN)/python -m tests.faults.kill --rounds 50 --home $$home || exit 1; done
	for home in embedded server; do $(BIN)/python -m tests.faults.power --cuts 25 --home $$home || exit 1; done
	$(BIN)/python -m tests.faults.power --cuts 4 --control
	$(BIN)/python -m tests.faults.overload --seconds 120
	$(BIN)/python -m tests.faults.links
	$(BIN)/python -m tests.faults.outages
	for home in embedded server; do $(BIN)/python -m tests.faults.clock --home $$home || exit 1; done

lint: $(VENV)/.dev ## ruff, mypy, import contracts, generated docs; changes nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m scripts.gen_docs --check
	$(UV) pip check --quiet --python $(BIN)/python

fmt: $(VENV)/.dev ## format and apply safe fixes
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

docs: $(VENV)/.dev ## regenerate the pages of docs/ that come from the code
	$(BIN)/python -m scripts.gen_docs

bench: $(VENV)/.dev ## every benchmark in benchmarks/, figures to the terminal (ARGS=--quick for a minute)
	@for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python $$file $(ARGS) || exit 1; done

evaluate: $(VENV)/.runtime ## score incidents on the labelled sets (SETS="DIR ..." ARGS="--ablate --json FILE")
	$(BIN)/causeline evaluate $(SETS) $(ARGS)

evaluation-docs: $(VENV)/.dev ## tables of docs/evaluation.md and the shown confidence, from RESULTS=FILE of evaluate --json
	$(BIN)/python -m scripts.gen_evaluation $(RESULTS)

lock: $(UV) ## resolve pyproject.toml again (ARGS=--upgrade for newer versions)
	$(COMPILE) $(ARGS) pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock
	echo uv | $(COMPILE) $(ARGS) - -o requirements-uv.lock

clean: ## remove everything that can be made again
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage $(KIT)/node_modules $(NODE)/node_modules $(GRAFANA)/node_modules __cache__
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV): requirements-uv.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

# Installs without removing, so that a demo after `make test` keeps the development tools.
$(VENV)/.runtime: $(UV) requirements.lock pyproject.toml
	$(UV) pip install $(PIP_FLAGS) -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements-dev.lock -e .
	@touch $@

$(VENV)/.dev: $(UV) requirements-dev.lock requirements.lock pyproject.toml
	$(UV) pip sync $(PIP_FLAGS) requirements-dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraints requirements-dev.lock -e .
	@touch $@ $(VENV)/.runtime

%/node_modules/.package-lock.json: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund
	@touch $@
