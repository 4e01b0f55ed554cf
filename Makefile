# Two commands do all on a fresh machine with Python 3.11+, make, Java and Maven:
#   make demo    the whole system on this machine, with a live view
#   make test    format, lint, types and every tier of tests, on a real Kafka that it starts
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TESTS ?= tests
JOBS ?= 3
SEEDS ?= 1000
MINUTES ?= 20
RUN_TESTS := $(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
CORE_TESTS := tests/property tests/simulation tests/contract/test_sandbox_agreement.py tests/unit \
	  --ignore tests/unit/cli --ignore tests/unit/docs
COMPILED := $(CURDIR)/build/compiled
ON_COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(COMPILED):$(CURDIR)
CAN_COMPILE := $(shell command -v cc >/dev/null && $(PYTHON) -c \
	  "import sysconfig; open(sysconfig.get_path('include') + '/Python.h')" 2>/dev/null && echo yes)

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
	$(RUN_TESTS) $(TESTS)
	@$(if $(filter tests,$(TESTS)),$(MAKE) --no-print-directory test-compiled)

# What the image runs: the tests of the core once more, on the compiled one.
.PHONY: test-compiled
ifneq ($(CAN_COMPILE),)
test-compiled: compiled
	$(ON_COMPILED) $(RUN_TESTS) -o pythonpath= -p no:cacheprovider $(CORE_TESTS)
else
test-compiled:
	@echo "no C compiler or no Python.h: the compiled core was NOT tested"
endif

#   make simulate SEEDS=1000   many runs of a whole deployment under faults; SEED=17 shows one of them
.PHONY: simulate
simulate: $(STAMP)
	@$(BIN)/python -m tests.support.simulated $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

#   make format  put the code into the shape that `make check` asks for
.PHONY: format
format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

#   make lock    resolve the dependencies again (needs uv): all, what the image runs, what builds it
UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --custom-compile-command "make lock"
.PHONY: lock
lock:
	$(UV_COMPILE) --upgrade --all-extras pyproject.toml -o requirements.lock
	$(UV_COMPILE) --upgrade -c requirements.lock pyproject.toml -o requirements-runtime.lock
	printf 'setuptools>=77\nmypy>=2.0\n' | $(UV_COMPILE) --upgrade -c requirements.lock - -o requirements-build.lock

#   make image   build the container image (needs docker)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
.PHONY: image
image:
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) \
	  --tag conversion-forwarder:$(VERSION) .

# The renderer of k8s/: the tests install it by this target where Go is there (about 30 s, once).
KUSTOMIZE_VERSION := v5.8.1
.PHONY: kustomize
kustomize: .cache/bin/kustomize-$(KUSTOMIZE_VERSION)
.cache/bin/kustomize-$(KUSTOMIZE_VERSION):
	GOBIN=$(CURDIR)/.cache/bin go install sigs.k8s.io/kustomize/kustomize/v5@$(KUSTOMIZE_VERSION)
	@mv .cache/bin/kustomize $@

#   make test-tools  the tests that need Chromium, promtool and kustomize; fails without them
.PHONY: test-tools
test-tools: $(STAMP)
	REQUIRE_TOOLS=1 $(BIN)/pytest tests/browser tests/manifests

#   make soak MINUTES=20  a real Kafka and replicas that are killed, frozen, replaced, and counted
.PHONY: soak
soak: $(STAMP)
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

# The core compiled by mypyc, as the image has it; in a copy, so that no edit is hidden by it.
.PHONY: compiled
compiled: $(COMPILED)/.done
$(COMPILED)/.done: $(STAMP) setup.py $(shell find forwarder -name '*.py')
	@echo "compiling the core (about a minute)"
	@rm -rf $(COMPILED)
	@mkdir -p $(COMPILED)
	@cp -R forwarder pyproject.toml setup.py README.md $(COMPILED)
	@cd $(COMPILED) && FORWARDER_COMPILE=1 $(CURDIR)/$(BIN)/python setup.py -q build_ext --inplace
	@touch $@

#   make bench   CPU, rates, memory and latency on a real Kafka beside a bare loop (BENCH=quick: short)
.PHONY: bench
bench: compiled
	$(ON_COMPILED) $(BIN)/python -m benchmarks
