# The commands a person types; `make` lists them. Everything runs from .venv, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := $(BIN)/pytest
MANY := --numprocesses auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install check test test-all burst coverage bench demo messages screenshots wheel lock clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

install: $(READY) ## make .venv with everything that is locked, development tools included

demo: $(READY) ## play one story on local stand-ins of Slack and SecMaster, and stay up
	$(BIN)/secmaster-bot demo

check: $(READY) ## formatter, linter, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(READY) ## the tests to run before every push: about ten minutes on two cores
	$(PYTEST) $(MANY) -m "not slow and not deadline"
	$(PYTEST) -m "deadline and not slow"

test-all: $(READY) ## every test: both databases, the browser; the burst in full is `make burst`
	$(PYTEST) $(MANY) -m "not burst and not deadline"
	$(PYTEST) -m deadline

burst: $(READY) ## ten thousand tasks and a thousand failures at once: four minutes and more
	$(PYTEST) tests/acceptance/test_burst.py

coverage: $(READY) ## `make test`, with what it does not reach
	$(PYTEST) $(MANY) -m "not slow" --cov --cov-report=term --cov-report=html

bench: $(READY) ## measure acknowledgements and throughput
	$(BIN)/python -m tests.bench

messages: $(READY) ## collect the sentences for translators, after one was changed
	$(BIN)/python -m tests.support.template

screenshots: $(READY) ## take the pictures in the README anew
	$(BIN)/python -m tests.browser.screenshots

# From a clean copy: what an older build left beside the sources would be packed as well.
wheel: $(READY) ## build dist/secmaster_bot-….whl
	rm -rf build dist *.egg-info
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# Errors only: a mirror that lacks a package makes pip warn once for each, though another has it.
TERSE := --disable-pip-version-check --quiet --quiet

# Hashes are checked: what runs here is what was locked, byte for byte.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@echo 'Installing what requirements-dev.lock names: a minute or two.'
	@$(BIN)/pip install $(TERSE) --require-hashes --requirement requirements-dev.lock
	@$(BIN)/pip install $(TERSE) --no-deps --no-build-isolation --editable .
	@touch $(READY)

# Names, versions and hashes only: a package index's address in the lock would tie every user to it.
# With extras: pip takes what is asked for with one to be unpinned, as soon as there is a newer version.
# Versions that are pinned stay, unless UPGRADE says otherwise.
UPGRADE ?=
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header --no-annotate
# Production runs the very versions that are tested: the development lock binds the other two.
lock: $(READY) ## renew the locks; UPGRADE=--upgrade takes the newest of everything
	$(BIN)/pip install --quiet uv
	$(COMPILE) $(UPGRADE) --group dev --output-file requirements-dev.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --group build --output-file requirements-build.lock

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.* htmlcov build dist
