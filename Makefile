# Two commands: `make demo` and `make test`. `make check` is the fast loop.
PYTHON ?= python3
BIN := .venv/bin
DEMO_HOME ?= $(CURDIR)/var/demo
# One pinned constraints file. torch comes first and alone, with plain pip, so that nothing else chooses a build of it.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo demo-stop test check format lint types contracts unit browser setup clean system

setup: .venv/.ready
	@:

.venv/.ready: constraints.txt pyproject.toml src/fucina/hub/portal/locale/it/LC_MESSAGES/django.po
	@echo "Setting up the Python environment in .venv (once)."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) torch==2.13.0
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable ".[hub,data,train,eval]"
	@$(BIN)/pybabel -q compile -D django -d src/fucina/hub/portal/locale
	@touch $@

.venv/.ready-dev: .venv/.ready
	@echo "Adding the tools for development."
	@$(PIP) --no-build-isolation --editable ".[hub,data,train,eval,dev]"
	@touch $@

demo: .venv/.ready
	@FUCINA_HOME="$(DEMO_HOME)" PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

demo-stop:
	@FUCINA_HOME="$(DEMO_HOME)" $(BIN)/fucina down

# System packages that tests need: a browser. Only where we may install them.
system:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
	  { echo "Chromium is needed for the browser tests: apt-get install chromium"; exit 1; }

lint: .venv/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/.ready-dev
	$(BIN)/mypy

contracts: .venv/.ready-dev
	$(BIN)/lint-imports

format: .venv/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: lint types contracts
	$(BIN)/python -m pytest -m "not slow and not browser and not line" -n 2

test: .venv/.ready-dev system lint types contracts
	$(BIN)/python -m pytest

clean:
	rm -rf .venv var build dist .mypy_cache .ruff_cache .pytest_cache
