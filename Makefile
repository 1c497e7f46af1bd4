# One thin line each. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: help build test test-quick lint format docs report export marts rollback soak sample clean lock

# The first of these that is there and is 3.11 to 3.13; or say which: make PYTHON=/path/to/python
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VARS ?= {}
export DBT_PROJECT_DIR := $(CURDIR)
export DBT_PROFILES_DIR := $(CURDIR)
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
BIN := .venv/bin
STAMP := .venv/.installed-$(shell cksum < requirements.lock | cut -d' ' -f1)

help:     ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/'

build: $(STAMP)  ## install what is missing, then raw tables to tested marts; VARS='{…}' sets dbt vars
	$(BIN)/dbt build --exclude-resource-type unit_test --vars '$(VARS)'

test: $(STAMP)   ## all tests of the code, the unit tests of dbt too (the tests of the data run within the build)
	$(BIN)/pytest -n 2 --dist loadfile

test-quick: $(STAMP) ## those that build no warehouse
	$(BIN)/pytest -n 2 --dist loadfile -m "not warehouse"

soak: $(STAMP)   ## kill publish, backup, restore and builds over and over, fill their disk; prints what was survived (a quarter of an hour)
	CRM_SOAK=1 $(BIN)/pytest -s tests/python/project/test_crash.py

lint: $(STAMP)   ## SQL by sqlfluff, Python by ruff and mypy, the floors of crm_mining by import-linter
	$(BIN)/sqlfluff lint --processes 2 models tests/singular
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP) ## what the linters can mend by themselves
	$(BIN)/sqlfluff fix --processes 2 models tests/singular
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP)   ## the documentation as a searchable site, dbt's pages in it; a dead link fails: target/site/index.html
	$(BIN)/dbt docs generate --static --quiet
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

report: $(STAMP) ## the state of the data as one page: target/report.html
	$(BIN)/crm report

export: $(STAMP) ## every mart as a CSV file that a spreadsheet takes for no formula: target/export
	$(BIN)/crm export

rollback: $(STAMP) ## show readers the published generation before the current one
	$(BIN)/crm publish rollback

marts: $(STAMP)  ## ten rows of every mart as one page: docs/marts_of_the_sample.md
	$(BIN)/crm samples

sample: $(STAMP) ## make the bundled sample again (the same bytes)
	$(BIN)/crm synth --customers 4000 --seed 7 --out seeds/sample

lock:            ## resolve requirements.lock anew; needs uv
	uv pip compile --quiet --universal --generate-hashes --no-strip-extras --extra dev pyproject.toml -o requirements.lock

clean:           ## remove what builds leave behind; the warehouse and .venv stay
	rm -rf target logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): requirements.lock
	@test -n "$(PYTHON)" || { echo "No Python 3.11 to 3.13 found; name one: make PYTHON=/path/to/python"; exit 1; }
	@echo "Installing into .venv with $(PYTHON): about a minute, once per lock"
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
