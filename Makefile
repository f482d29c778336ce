# Every target creates and reuses .venv; nothing else needs to be installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

##@ Use
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create or update .venv with everything the other targets need

demo: $(STAMP) ## Promote a good canary, roll back a bad one, and write the report of both
	$(BIN)/gatelab demo

##@ Check
test: $(STAMP) ## Run the whole default test suite (offline, loopback only)
	$(BIN)/pytest -n 2 --dist worksteal -m "not external and not slow" $(ARGS)

e2e: $(STAMP) ## Run the long rollouts, and what needs more than Python (a browser, other tools)
	$(BIN)/pytest -n 2 --dist worksteal -m "external or slow" $(ARGS)

search: $(STAMP) ## Run what is tested on generated examples with ten times as many of them
	GATELAB_EXAMPLES=500 $(BIN)/pytest -n 2 --dist worksteal -m "not external and not slow" $$(grep -rl --include='*.py' '^@given' tests) $(ARGS)

bench: $(STAMP) ## Measure against peers on this machine and print the ratios (bench/results)
	$(BIN)/python -m bench $(ARGS)

league: $(STAMP) ## Let the judge play against peers on simulated rollouts (league/results)
	$(BIN)/python -m league $(ARGS)

lint: $(STAMP) ## Check format, style, types, import contracts, manifests and the lock
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/yamllint --strict .
	$(BIN)/python scripts/check_lock.py
	$(BIN)/python scripts/image_requirements.py --check
	$(BIN)/hadolint deploy/images/Dockerfile
	$(BIN)/zizmor --offline --quiet --config .github/zizmor.yml .github
	$(BIN)/python scripts/generate_reference.py --check

##@ Maintain
fmt: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only --quiet .

docs: $(STAMP) ## Write the generated reference pages again
	$(BIN)/python scripts/generate_reference.py

render: $(STAMP) ## Render all overlays for machines without kubectl (needs kubectl)
	$(BIN)/python scripts/render_overlays.py

lock: $(STAMP) ## Pin the newest allowed dependencies again (needs the network)
	$(BIN)/uv lock --upgrade
	$(BIN)/uv export --quiet --frozen --extra dev --no-emit-project --no-header --output-file requirements.lock
	$(BIN)/python scripts/image_requirements.py

clean: ## Remove what the other targets made
	rm -rf $(VENV) .gatelab .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than Python 3.11; try: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

.PHONY: help setup demo test e2e search bench league lint fmt docs render lock clean
