# Plain `make` lists the verbs; each does all the set-up it needs.
# `make test ARGS="-k wall"` hands words on to the command behind a verb.

# The first Python that is new enough; `make PYTHON=/opt/python/bin/python3` names one.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Warnings are about the machine, not about us.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
PACKAGES := $(VENV)/.packages
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo run test lint bench docs screenshots lock

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## make .venv with the locked packages; the other verbs do it, too

demo: $(READY) ## show the wall with a simulated GitHub: no token, no network
	@$(BIN)/python -m ci_observer demo $(ARGS)

run: $(READY) .env ## run it with the settings in .env
	@$(BIN)/python -m ci_observer up

test: $(READY) ## run the tests on all cores; lists what was skipped, and why
	@$(BIN)/python -m pytest -rs -n auto --dist worksteal $(ARGS)

lint: $(READY) ## check style, types, spelling and the generated parts of the docs
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m codespell_lib
	$(BIN)/python -m cogapp --check --check-fail-msg="Run: make docs" README.md docs/*.md

bench: $(READY) ## measure everything that must be fast, beside baselines
	@$(BIN)/python -m bench $(ARGS)

docs: $(READY) ## write the generated parts of the docs anew
	$(BIN)/python -m cogapp -r README.md docs/*.md

screenshots: $(READY) ## take the pictures in the docs anew (needs Chromium)
	$(BIN)/python docs/screenshots.py

lock: ## pin every dependency anew, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock

.env:
	@echo 'There is no .env yet, and it says what to watch. Make one, fill in the first lines:' >&2
	@echo '    cp .env.example .env' >&2
	@echo 'To look around without a token or settings: make demo' >&2
	@exit 1

# A venv without a working Python, as after an upgrade of the system, is made anew.
ifneq ($(shell test -x $(BIN)/python && echo works),works)
.PHONY: $(PACKAGES)
endif

$(PACKAGES): requirements-dev.lock
	@test -n '$(PYTHON)' || { echo 'CI Observer needs Python 3.11 or newer; none is on the PATH (python3 is' \
	  "$$(python3 --version 2>&1)). Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "CI Observer needs Python 3.11 or newer; $(PYTHON) is $$('$(PYTHON)' --version 2>&1)." >&2; exit 1; }
	@echo "Making $(VENV) with $$('$(PYTHON)' --version) ..."
	@'$(PYTHON)' -m venv --clear $(VENV) || { \
	  echo 'Python lacks its venv module. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@echo 'Installing the locked packages, which takes about a minute ...'
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(READY): $(PACKAGES) pyproject.toml
	@echo 'Installing CI Observer itself ...'
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
