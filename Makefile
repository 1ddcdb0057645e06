# Two commands do all the set-up: `make demo` runs the whole loop offline, `make test` runs every test.
# Needs Python 3.11 to 3.13, git and make; everything else is installed into .venv and node_modules.

PYTHON ?= python3
PY     := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
# What tools keep for the next time is kept in this folder: a home folder may be read-only.
export CDK_HOME := $(CURDIR)/.cache/cdk
export JSII_RUNTIME_PACKAGE_CACHE_ROOT ?= $(CURDIR)/.cache/jsii
export MPLCONFIGDIR ?= $(CURDIR)/.cache/matplotlib
# `make` asks no host but the package indexes, and those only where something is missing.
export CDK_DISABLE_CLI_TELEMETRY := true
export CDK_DISABLE_VERSION_CHECK := 1
export CDK_NOTICES := false
# Where this is set, as in many containers, each of a demo's processes would compile the same packages again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit synth preflight local check capacity day parity faults bench lock clean

help:  ## list the commands
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install the tools (skips what is there)
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is not on PATH; install Python 3.11 to 3.13, or name yours: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c "import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else 'error: $(PYTHON) is %d.%d; allowed: 3.11 to 3.13, such as make PYTHON=python3.12 ...' % sys.version_info[:2])"
	@$(PYTHON) -m build_scripts.install --environment .venv --node

demo: setup  ## the whole loop offline: push, train, approve, deploy, scale; ends with out/demo/index.html
	@$(PY) -m demo $(ARGS)

test: setup  ## every test that needs no AWS account
	@$(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

unit: setup  ## the fast tests only
	@$(PY) -m pytest tests/unit

synth: setup  ## synthesize the CDK app offline into cdk.out
	@cdk synth --quiet

preflight: synth  ## would a deployment succeed in the account that the environment names? reads only (ARGS="--json" or "--policy")
	@$(PY) -m deploy_scripts.preflight $(ARGS)

local: setup  ## start the local account and stay; prints what to type next (ARGS="--port 4567")
	@$(PY) -m demo.local $(ARGS)

check: setup  ## ruff, mypy --strict, cfn-lint, cdk-nag and the policy checks
	@ruff check . && ruff format --check . && mypy && cd pipelines/tabular/steps && mypy --config-file ../../../pyproject.toml --explicit-package-bases --exclude '^$$' .
	@cd pipelines/fleet/steps && mypy --config-file ../../../pyproject.toml --explicit-package-bases --exclude '^$$' .
	@cd pipelines/monitoring/steps && MYPYPATH=../../tabular/steps mypy --config-file ../../../pyproject.toml --explicit-package-bases --exclude '^$$' .
	@MYPYPATH=.:pipelines/tabular/steps:pipelines/monitoring/steps mypy --explicit-package-bases -p benchmarks
	@$(PY) -m pytest tests/infra tests/unit/test_structure.py

capacity: synth  ## simulate the configured scaling policies; ends with out/capacity/index.html (ARGS="--traffic day.csv ...")
	@$(PY) -m deploy_scripts.capacity_plan $(ARGS)

day: synth  ## one accelerated day of scaling in the local account; ends with out/day/index.html (ARGS="--traffic day.csv ...")
	@$(PY) -m demo.day $(ARGS)

parity: setup  ## write docs/parity.md anew: what the local account enforces as AWS does, and what not
	@$(PY) tests/parity.py

faults: setup  ## write docs/faults.md anew: what breaks, what clients saw, how long until it is healthy
	@$(PY) tests/loop/faults.py

bench: setup  ## measure the numbers of benchmarks/README.md again
	@$(PY) -m benchmarks

lock:  ## compile requirements.lock anew from pyproject.toml, and the lean image's from it
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra local --extra onnx --extra excel --extra dev \
	  --no-emit-package sagemaker-capacity pyproject.toml packages/*/pyproject.toml -o requirements.lock
	@uv pip compile --quiet --python-platform x86_64-manylinux_2_28 --python-version 3.12 --generate-hashes --no-annotate --no-header \
	  --constraint requirements.lock images/lean/requirements.in -o images/lean/requirements.lock

clean:  ## remove everything that the commands above made
	@rm -rf .venv node_modules cdk.out out .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
