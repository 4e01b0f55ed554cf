# Two commands do all on a fresh machine with Python 3.11+, make, Java and Maven:
#   make demo    the whole system on this machine, with a live view
#   make test    format, lint, types and every tier of tests, on a real Kafka that it starts
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TESTS ?= tests
SEEDS ?= 1000
MINUTES ?= 20

.PHONY: help
help:
	@sed -n 's/^#   //p' Makefile

$(STAMP): requirements.lock pyproject.toml
	@echo "setting up .venv (once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.PHONY: setup
setup: $(STAMP)

.PHONY: demo
demo: $(STAMP)
	@$(BIN)/forwarder demo

.PHONY: check
check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_rings.py tests/unit/test_schemas.py

.PHONY: test
test: check
	$(BIN)/pytest $(TESTS)

#   make format  put the code into the shape that `make check` asks for
.PHONY: format
format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

#   make lock    resolve the dependencies again (needs uv)
.PHONY: lock
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras \
	  --upgrade --custom-compile-command "make lock" pyproject.toml -o requirements.lock
