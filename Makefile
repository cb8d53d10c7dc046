# Plain `make` lists the targets; each does all the set-up it needs.
# `make test ARGS="-k wall"` passes arguments to the command of a target.

# The first Python that is new enough; `make PYTHON=/opt/python/bin/python3` sets another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
  $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin
# pip's warnings are about the machine.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
# Each file marks a step of the set-up as done.
RUNTIME := $(VENV)/.runtime
INSTALLED := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.development
# The folder of Spark, which is half a gigabyte.
SPARK := $(VENV)/spark
# The folder of packages that only single tests use.
AUTH_PLUGINS := import datasette, pathlib; print(pathlib.Path(datasette.__file__).parents[2] / "auth-plugins")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo run test test-datasette-1 lint bench soak scale docs screenshots pictures wheel lock release port

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: $(DEVELOPMENT) ## create .venv with all locked packages; other targets install only their own

demo: port $(INSTALLED) ## show the wall with a simulated GitHub: no token, no network
	@$(BIN)/python -m ci_observer demo $(ARGS)

run: $(INSTALLED) .env ## run CI Observer with the settings in .env
	@$(BIN)/python -m ci_observer up

# The tests start many processes, which would compile every module again.
test: $(DEVELOPMENT) ## run the tests in parallel; lists what was skipped, and why
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -rs -n auto --dist worksteal $(ARGS)

# In a venv of its own: the version differs from the locked one.
DATASETTE_1 := .venv-datasette-1
test-datasette-1: $(DEVELOPMENT) ## run the web side's tests on the newest alpha of Datasette 1.0
	@$(BIN)/python -m venv --clear $(DATASETTE_1)
	@$(DATASETTE_1)/bin/python -m pip --quiet install --require-hashes -r requirements-dev.lock
	@$(DATASETTE_1)/bin/python -m pip --quiet install --upgrade --pre 'datasette>=1.0a41'
	@$(DATASETTE_1)/bin/python -m pip --quiet install --no-deps --no-build-isolation -e .
	@$(DATASETTE_1)/bin/python -m datasette --version
	@$(DATASETTE_1)/bin/python -m pytest -q --tb=line -n auto tests/web tests/wall tests/integrations tests/agents $(ARGS)

lint: $(DEVELOPMENT) ## check style, types, spelling and the generated parts of the docs
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m codespell_lib
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/zizmor --quiet --offline .github/workflows
	$(BIN)/python -m cogapp --check --check-fail-msg="Run: make docs" README.md docs/*.md

bench: $(DEVELOPMENT) ## measure speed, memory and size next to baselines
	@$(BIN)/python -m bench $(ARGS)

MINUTES ?= 10
soak: $(DEVELOPMENT) ## run an instance under load and faults for MINUTES, and judge it
	@$(BIN)/python -m bench.soak --minutes $(MINUTES) $(ARGS)

scale: $(SPARK) ## measure replicas, shards and the lake on this machine, in 15 minutes
	@$(BIN)/python -m bench.scale $(ARGS)

docs: $(DEVELOPMENT) ## update the generated parts of the docs
	$(BIN)/python -m cogapp -r README.md docs/*.md
	$(BIN)/python -m ci_observer.ingest.config.file_schema > contrib/ci-observer.schema.json

screenshots: $(DEVELOPMENT) ## take pictures of every page into build/gallery (needs Chromium)
	$(BIN)/python docs/gallery.py $(ARGS)

pictures: $(DEVELOPMENT) ## take the pictures in the docs again (needs Chromium)
	$(BIN)/python docs/screenshots.py $(ARGS)

wheel: $(DEVELOPMENT) ## build the wheel and the source archive into dist/
	@rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

# The arguments are checked before the tests, which take minutes, and again after them.
release: $(DEVELOPMENT) ## check, write the changelog heading and tag: make release VERSION=1.2.3
	@$(BIN)/python scripts/release.py --check '$(VERSION)'
	@$(MAKE) --no-print-directory lint test
	@$(BIN)/python scripts/release.py '$(VERSION)'

lock: ## pin every dependency, with hashes (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra alerts --extra mcp pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra replica pyproject.toml -c requirements.lock -o requirements-replica.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra lake pyproject.toml -c requirements.lock -o requirements-lake.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -c requirements.lock -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header requirements-spark.in -o requirements-spark.lock
	uv pip compile --quiet --universal --python-version 3.11 --no-deps --generate-hashes --no-header requirements-plugins.in -o requirements-plugins.lock

.env:
	@echo 'There is no .env file with the settings. Copy the example and fill in its first lines:' >&2
	@echo '    cp .env.example .env' >&2
	@echo 'To try CI Observer without a token or settings: make demo' >&2
	@exit 1

port:
	@test -z '$(PYTHON)' || '$(PYTHON)' scripts/check_port.py

# Recreate a venv whose Python no longer works, as after an upgrade of the system.
ifneq ($(shell test -x $(BIN)/python && echo works),works)
.PHONY: $(RUNTIME)
endif

$(RUNTIME): requirements.lock
	@test -n '$(PYTHON)' || { echo 'CI Observer needs Python 3.11 or newer; none is on the PATH (python3 is' \
	  "$$(python3 --version 2>&1)). Install it, or set its path: make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "CI Observer needs Python 3.11 or newer; $(PYTHON) is $$('$(PYTHON)' --version 2>&1)." >&2; exit 1; }
	@echo "Creating $(VENV) with $$('$(PYTHON)' --version) ..."
	@'$(PYTHON)' -m venv --clear $(VENV) || { \
	  echo 'Python has no venv module. On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@echo 'Installing the locked packages ...'
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(INSTALLED): $(RUNTIME) pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEVELOPMENT): $(INSTALLED) requirements-dev.lock requirements-plugins.lock
	@echo 'Installing the development packages, which takes about a minute ...'
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --require-hashes --no-deps --upgrade --target "$$($(BIN)/python -c '$(AUTH_PLUGINS)')" -r requirements-plugins.lock
	@touch $@

$(SPARK): $(DEVELOPMENT) requirements-spark.lock
	@echo 'Installing Apache Spark, which takes some minutes ...'
	@rm -rf $@
	@$(PIP) install --require-hashes --no-build-isolation --target $@ -r requirements-spark.lock
	@touch $@
