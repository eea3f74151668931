# Every check is one command: `make help` lists them.

# Where this is set, Python would compile everything again at each start.
unexport PYTHONDONTWRITEBYTECODE
export UV_COMPILE_BYTECODE := 1

VENV := .venv
PYTHON := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
BENCH_VENV := .venv-bench

.DEFAULT_GOAL := help
.PHONY: help run test check fuzz bench docs lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' $(MAKEFILE_LIST) | while read -r target text; do printf '  make %-7s %s\n' "$$target" "$$text"; done

run: $(STAMP) ## start the platform with sample data on http://127.0.0.1:8080
	$(PYTHON) -m cost_ops.cli.main demo

test: $(STAMP) ## run every test, on SQLite and on a real PostgreSQL
	$(PYTHON) -m pytest -n 2 --dist loadgroup --cov --cov-config=server/pyproject.toml --cov-report=$(COVERAGE) server/tests
	$(PYTHON) -m pytest -n 2 --dist loadgroup -c sdks/python/pyproject.toml --rootdir . sdks/python/tests
	$(PYTHON) sdks/python/on_every_python.py

check: $(STAMP) ## formatting, lint, types, architecture
	$(VENV)/bin/ruff format --check server benchmarks sdks/python
	$(VENV)/bin/ruff check server benchmarks sdks/python
	$(VENV)/bin/mypy --config-file server/pyproject.toml server/src server/tests
	$(VENV)/bin/mypy --config-file sdks/python/pyproject.toml
	$(VENV)/bin/lint-imports

docs: $(STAMP) ## test the documentation
	$(PYTHON) -m pytest server/tests/docs

fuzz: $(STAMP) ## hostile input for everything that reads some; N=1000000 of it
	cd server && ../$(PYTHON) -m tests.fuzz --inputs $(or $(N),1000000) $(FUZZ)

bench: $(BENCH_VENV)/.stamp ## run the benchmarks, all or those that BENCH names
	LITELLM_LOCAL_MODEL_COST_MAP=True $(BENCH_VENV)/bin/python benchmarks/run.py $(BENCH)

lock: ## resolve the locked dependencies again; UPGRADE=--upgrade takes the newest
	cd server && uv pip compile $(LOCK_OPTIONS) pyproject.toml --group dev --output-file requirements.lock
	cd server && uv pip compile $(LOCK_OPTIONS) pyproject.toml --group bench --output-file ../benchmarks/requirements.lock
	cd sdks/python && uv pip compile $(LOCK_OPTIONS) --python-version 3.9 requirements.in --output-file requirements.lock
	cd sdks/python/tests/seeds && uv pip compile $(LOCK_OPTIONS) --python-version 3.11 legacy.in --output-file legacy.lock

# No addresses in the lock: it is the same whichever registry a machine uses.
LOCK_OPTIONS = --quiet --universal --generate-hashes --no-header --no-annotate $(UPGRADE)

clean: ## remove environments, caches and reports; the ledger in .run stays
	rm -rf $(VENV) $(BENCH_VENV) .venv-matrix .venv-legacy .venv-legacy.lock .coverage htmlcov .hypothesis .import_linter_cache
	find . -type d \( -name __pycache__ -o -name .mypy_cache -o -name .pytest_cache -o -name .ruff_cache \) -prune -exec rm -rf {} +

$(STAMP): server/requirements.lock server/pyproject.toml sdks/python/pyproject.toml
	$(call install,$(VENV),$<)

$(BENCH_VENV)/.stamp: benchmarks/requirements.lock server/pyproject.toml sdks/python/pyproject.toml
	$(call install,$(BENCH_VENV),$<)

# $(call install,<environment>,<lock>): what the lock says, by its hashes, then the server in place, built with
# what is locked and nothing else. With uv if it is there, otherwise with pip.
define install
	@test -x $(1)/bin/python || { $(find_python); echo "Creating $(1) with $$($$python --version)"; \
	  if $(have_uv); then uv venv --quiet --allow-existing --python "$$(command -v $$python)" $(1); else $$python -m venv $(1); fi; }
	@if $(have_uv); then \
	  uv pip sync --quiet --python $(1)/bin/python --require-hashes $(2) && \
	  uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation --editable server --editable sdks/python; \
	else \
	  $(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(2) && \
	  $(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable server --editable sdks/python; \
	fi
	@$(1)/bin/python -m compileall -q server/src sdks/python/src
	@touch $@
endef

have_uv = command -v uv >/dev/null

# Leaves the name of a Python that is new enough in $$python.
define find_python
for python in python3.11 python3 python3.12 python3.13 python3.14 none; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; done; \
  test $$python != none || { echo "This needs Python 3.11 or newer, and $$(python3 --version 2>&1) is what is here." >&2; exit 1; }
endef
