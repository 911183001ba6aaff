# Everything from a fresh checkout with git, make and Python 3.11 to 3.13; each target does its own set-up.
PYTHON ?= python3
UV := UV_PYTHON_DOWNLOADS=never .tools/bin/uv --system-certs
INSTALL := $(UV) pip install --quiet --compile-bytecode --python .venv/bin/python

.PHONY: help setup setup-dev run test check format lock bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

setup: .venv/.ready  ## .venv with the `phoenix` command in .venv/bin

setup-dev: .venv/.ready-dev  ## the same with the tools that test and check

run: setup  ## dashboard, exporter and Dagster; on the demo organisation unless one is configured
	.venv/bin/phoenix up

test: setup-dev  ## all tests, on every core
	.venv/bin/python -m pytest -n auto --dist loadfile

check: setup-dev  ## style, types, the asset graph, the alerting rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/dg check defs
	.venv/bin/dg list defs > /dev/null
	promtool check rules deploy/prometheus/rules.yml
	promtool test rules deploy/prometheus/rules_test.yml

format: setup-dev  ## put the code into the project's format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lock: .tools/.ready  ## resolve pyproject.toml anew into the two lock files
	$(UV) pip compile --quiet --universal --generate-hashes pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

bench: setup-dev  ## the programs in benchmarks/, one after the other
	for program in benchmarks/bench_*.py; do .venv/bin/python $$program || exit 1; done

clean:  ## remove environments and caches; data stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .hypothesis

.tools/.ready:
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.13,<1"
	touch $@

.venv/.ready: .tools/.ready pyproject.toml requirements.lock
	test -x .venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --editable .
	touch $@

.venv/.ready-dev: .venv/.ready requirements-dev.lock
	$(INSTALL) --require-hashes -r requirements-dev.lock
	touch $@
