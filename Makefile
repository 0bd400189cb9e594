# Two commands: `make demo` and `make test`. `make check` is the fast loop.
PYTHON ?= python3
BIN := .venv/bin
DEMO_HOME ?= $(CURDIR)/var/demo
# One pinned constraints file. torch comes first and alone, with plain pip, so that nothing else chooses a build of it.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet --constraint constraints.txt

SLURM_PROGRAMS := slurmctld slurmd slurmdbd slurmrestd sbatch munged mariadbd sshd ssh ip patchelf
NEWER_SLURM := 24.11
SLURM_PACKAGES := slurmctld slurmd slurmdbd slurmrestd slurm-client slurm-wlm-jwt-plugin munge mariadb-server openssh-server openssh-client iproute2 patchelf

.PHONY: demo demo-stop test check format lint types contracts unit browser setup clean system slurm-up slurm-down

setup: .venv/.ready
	@:

.venv/.ready: constraints.txt pyproject.toml src/fucina/hub/portal/locale/it/LC_MESSAGES/django.po
	@echo "Setting up the Python environment in .venv (once)."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) torch==2.13.0
	@$(PIP) hatchling editables
	@$(PIP) --no-build-isolation --editable ".[hub,data,train,eval,plan,slurm]"
	@$(BIN)/pybabel -q compile -D django -d src/fucina/hub/portal/locale
	@touch $@

.venv/.ready-dev: .venv/.ready
	@echo "Adding the tools for development."
	@$(PIP) --no-build-isolation --editable ".[hub,data,train,eval,plan,dev]"
	@touch $@

# The S3 server of the tests, in a folder of its own.
var/s3-server/.ready: tests/s3-server.txt .venv/.ready-dev
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet --no-deps --upgrade --target var/s3-server -r tests/s3-server.txt
	@touch $@

demo: .venv/.ready
	@FUCINA_HOME="$(DEMO_HOME)" PATH="$(CURDIR)/$(BIN):$$PATH" sh examples/demo.sh

demo-stop:
	@FUCINA_HOME="$(DEMO_HOME)" $(BIN)/fucina down

# What tests need beside Python packages: a browser and a database server. Installed only where we may.
system:
	@{ command -v chromium && { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; }; } >/dev/null 2>&1 || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Chromium and PostgreSQL." && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium fonts-dejavu-core postgresql >/dev/null; } || \
	  { echo "The tests need Chromium and PostgreSQL: apt-get install chromium postgresql"; exit 1; }
	@for program in $(SLURM_PROGRAMS); do PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	  test -z "$$missing" || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing Slurm, munge, MariaDB and OpenSSH." && \
	    sh lab/install.sh $(SLURM_PACKAGES); } || \
	  echo "Not installed:$$missing. Tests on Slurm are skipped; as root on Debian: sh lab/install.sh $(SLURM_PACKAGES)"
	@test -e var/slurm-$(NEWER_SLURM)/ready || $(PYTHON) -m lab unpack $(NEWER_SLURM) || \
	  echo "Tests on Slurm $(NEWER_SLURM) are skipped."

# Two real Slurm clusters on this machine, below $FUCINA_LAB or var/slurm.
slurm-up:
	@$(PYTHON) -m lab up

slurm-down:
	@$(PYTHON) -m lab down

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
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow and not browser and not line and not slurm"

test: .venv/.ready-dev var/s3-server/.ready system lint types contracts
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not browser and not line and not slurm"
	$(BIN)/python tests/with_postgres.py $(BIN)/python -m pytest -n 2 -m "not browser and not line and not slurm" tests/hub
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "browser or line or slurm"
	FUCINA_LAB_SLURM=$(NEWER_SLURM) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slurm tests/lab/test_lab.py

clean:
	rm -rf .venv var build dist .mypy_cache .ruff_cache .pytest_cache
