PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install run test test-postgresql check bench lock

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

run: install
	$(BIN)/paperboy run

# Four, since many tests wait for processes and servers of their own. Each compiles the tests anew unless they are kept.
test: install
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses 4 --dist worksteal

# What commands and the service keep is in a real PostgreSQL here; the tests below it run on both stores anyway.
test-postgresql: install
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest --numprocesses 4 --dist worksteal --store postgresql tests/acceptance

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/audit.py

bench: install
	$(BIN)/python -m tests.benchmarks

# Renews the lock; needs pip-tools beside the virtual environment.
lock:
	pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe --extra dev --no-header \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file requirements.lock pyproject.toml
