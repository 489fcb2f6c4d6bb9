# habitue: one command each. `make help` lists them.
# Every target sets up what it needs in .venv, from the exact, hash-checked versions of the lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUN_READY := $(VENV)/.ready-run
DEV_READY := $(VENV)/.ready-dev
SPARK_READY := $(VENV)/.ready-spark
# Threads of the linear algebra library gain nothing on small matrices and cost much on a busy machine.
export OPENBLAS_NUM_THREADS ?= 1
export MLFLOW_DISABLE_TELEMETRY ?= true

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-slow test-spark check format notebooks docs bench bench-pymc bench-uplift wheel wheel-test clean-machine lock clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(RUN_READY) ## run the whole journey on CDNOW: demo/report.html, demo/scores.parquet, mlruns/
	@$(BIN)/habitue demo

test: $(DEV_READY) ## run every test but those on Spark
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not spark" --cov --cov-report=term:skip-covered --durations=15

test-fast: $(DEV_READY) ## run the tests that take no more than a few seconds each
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser and not spark"

test-slow: $(DEV_READY) ## run the long tests only
	@$(BIN)/python -m pytest -m "(slow or browser) and not spark"

test-spark: $(SPARK_READY) ## run the tests on Spark (Java 17 and 2 GB of memory)
	@$(BIN)/python -m pytest -m spark tests/spark

check: $(DEV_READY) ## format, lint, types, import contracts, docstrings
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/numpydoc lint $$(git ls-files --cached --others --exclude-standard 'src/*.py')

format: $(DEV_READY) ## write code the way `make check` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

notebooks: $(DEV_READY) ## execute the notebooks, keeping their outputs
	@$(BIN)/python -m pytest --nbmake --overwrite --nbmake-timeout=600 notebooks

docs: $(DEV_READY) ## build the site into site/
	@$(BIN)/python tools/make-reference
	@$(BIN)/zensical build --strict

bench: $(DEV_READY) ## measure against peers, in one run, into benchmarks/README.md (BENCH=--long: all of it)
	@$(BIN)/python -m benchmarks $(BENCH)

bench-pymc: $(DEV_READY) build/bench-pymc/.ready ## the same with the NUTS of pymc-marketing, which needs Python 3.12
	@BENCH_PYMC_PYTHON=build/bench-pymc/bin/python $(BIN)/python -m benchmarks $(BENCH)

bench-uplift: $(DEV_READY) build/bench-uplift/.ready ## learners of effects beside those of causalml and scikit-uplift (DATA=folder)
	@BENCH_UPLIFT_PYTHON=build/bench-uplift/bin/python $(BIN)/python -m benchmarks.uplift $(DATA)

# An environment of its own: peers are no dependency of ours.
build/bench-uplift/.ready:
	@python3.12 -m venv build/bench-uplift
	@build/bench-uplift/bin/python -m pip --disable-pip-version-check --quiet install \
	  'causalml>=0.18' 'scikit-uplift>=0.5.1' 'lightgbm>=4.7' 'pyarrow>=26'
	@touch $@

# An environment of its own: pymc-marketing needs an older numpy than we do.
build/bench-pymc/.ready:
	@python3.12 -m venv build/bench-pymc
	@build/bench-pymc/bin/python -m pip --disable-pip-version-check --quiet install 'pymc-marketing>=1.3' 'numpy<2.5'
	@touch $@

wheel: $(DEV_READY) ## build dist/habitue-*.whl
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . > /dev/null
	@ls dist/*.whl

clean-machine: wheel ## answer from a registered model where nothing but its requirements is installed
	@HABITUE_WHEEL="$$(ls -t dist/habitue-*.whl | head -n 1)" $(BIN)/python -m pytest tests/tracking/test_clean_machine.py

wheel-test: wheel ## test the built wheel in a fresh environment, with src/ out of the way
	@tools/test-wheel "$(PYTHON)" $(TESTS)

lock: $(DEV_READY) ## resolve the lock files anew
	@$(BIN)/uv pip compile pyproject.toml --extra postgres --group build --universal --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 --quiet --upgrade -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra postgres --group build --group dev -c requirements.lock --universal \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 --quiet --upgrade \
	  -o requirements-dev.lock
	@$(BIN)/uv pip compile pyproject.toml --extra spark -c requirements-dev.lock --universal --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 --quiet --upgrade -o requirements-spark.lock

clean: ## remove environments and everything that was made
	@rm -rf $(VENV) build dist site demo .cache .coverage .hypothesis .pytest_cache .ruff_cache

$(BIN)/python:
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing exact, hash-checked versions (once; a minute or two)"
	@$(PIP) install --no-build-isolation --require-hashes --requirement requirements.lock
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV_READY): requirements-dev.lock $(RUN_READY)
	@echo "Installing the tools for tests and checks (once)"
	@$(PIP) install --no-build-isolation --require-hashes --requirement requirements-dev.lock
	@touch $@

$(SPARK_READY): requirements-spark.lock $(DEV_READY)
	@echo "Installing PySpark (once; 450 MB)"
	@$(PIP) install --no-build-isolation --require-hashes --requirement requirements-spark.lock
	@touch $@
