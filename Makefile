# Everything a developer does. `make run` and `make test` need Python 3.11 or newer and make; they set
# up the rest in .venv, once. Variables: PYTHON (interpreter), VENV (where the environment lives),
# WORKERS (test processes), ARGS (passed on to the program or to pytest).

PYTHON  ?= python3
VENV    ?= .venv
WORKERS ?= auto
ARGS    ?=
CLIENT  ?=
ifndef SEED
SEED    := $(shell date +%s)
endif

BIN    := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
SPREAD := -n $(WORKERS) --dist worksteal
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help
help:
	@echo 'make run          start godel-broker on 127.0.0.1:9092, data in ./data (ARGS="--listen :9093")'
	@echo 'make test         make check, the slow tests, and that the generated docs are fresh'
	@echo 'make check        ruff, mypy --strict, import-linter, house rules, unit tests: under a minute'
	@echo 'make compat       every client and other people'"'"'s test suites (CLIENT=... SUITE=... for one)'
	@echo 'make compat-reference  the same against a real Apache Kafka'
	@echo 'make fuzz         property tests, many more examples (SEED=... repeats a run, FUZZ_FACTOR=20)'
	@echo 'make bench-quick  three minutes of measurements; make bench: all of them'
	@echo 'make package      wheel and sdist into dist, tried out, and what is in deploy/ and Dockerfile'
	@echo 'make docs         write the generated pages and the site; make format: ruff format and fix'
	@echo 'make setup        only the set-up; make clean: remove it (never ./data)'

# --- set-up: stamp files in the environment remember what is done --------------------------------

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "godel-broker needs Python 3.11 or newer and '$(PYTHON)' is not: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "$(PYTHON) cannot make a virtual environment (Debian and Ubuntu: install python3-venv)" >&2; \
	  exit 1; }
	$(PIP) install --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.package: $(VENV)/.python pyproject.toml
	$(PIP) --quiet install --editable .
	@$(BIN)/python -m compileall -qq godel
	@touch $@

$(VENV)/.test: $(VENV)/.package
	$(PIP) install --group test --group check
	@touch $@

$(VENV)/.compat: $(VENV)/.test
	$(PIP) install --group compat
	@touch $@

$(VENV)/.docs: $(VENV)/.package
	$(PIP) install --group docs
	@touch $@

$(VENV)/.packaging: $(VENV)/.test
	$(PIP) install --group package
	@touch $@

.PHONY: setup
setup: $(VENV)/.test

# --- the program ---------------------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.package
	@exec $(BIN)/godel-broker $(ARGS)

# --- checks and tests ----------------------------------------------------------------------------

.PHONY: lint
lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: unit
unit: $(VENV)/.test
	$(PYTEST) $(SPREAD) -m 'not slow' $(ARGS)

.PHONY: check
check: lint unit

.PHONY: test
test: lint docs-check
	$(PYTEST) $(SPREAD) $(ARGS)

.PHONY: fuzz
fuzz: $(VENV)/.test
	@echo 'to repeat this run: make fuzz SEED=$(SEED)'
	HYPOTHESIS_PROFILE=fuzz FUZZ_SEED=$(SEED) \
	  $(PYTEST) $(SPREAD) -m 'hypothesis or fuzz' --durations=10 --hypothesis-seed=$(SEED) $(ARGS)

.PHONY: format
format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# --- real clients and measurements ----------------------------------------------------------------

# Every client and every published suite; CLIENT="kcat java" or SUITE=kafka-go for some. So many as
# COMPAT_WORKERS run side by side: mostly they wait, for a session to end or a program to start.
COMPAT_WORKERS ?= 3
ifdef SUITE
COMPAT := compat_tests/suites/test_published.py -k $(subst -,,$(SUITE))
else
COMPAT := $(or $(addprefix compat_tests/,$(CLIENT)),compat_tests)
endif

COMPAT_PYTEST := $(PYTEST) -n $(COMPAT_WORKERS) --dist loadscope --no-loadscope-reorder \
	--continue-on-collection-errors

.PHONY: compat
compat: $(VENV)/.compat
	$(BIN)/python -m compat_tests.setup $(CLIENT) $(SUITE)
	$(COMPAT_PYTEST) --junitxml=.cache/compat.xml $(COMPAT) $(ARGS)

# Writes down what the last `make compat` ran.
.PHONY: compat-scenarios
compat-scenarios:
	$(BIN)/python -m compat_tests.scenarios .cache/compat.xml

# The same on a real Apache Kafka, part after part, which writes compat_tests/suites/reference/. It
# takes two hours; broken off, it goes on where it was. `rm -r .cache/reference` begins anew.
.PHONY: compat-reference
compat-reference: $(VENV)/.compat
	$(BIN)/python -m compat_tests.setup $(and $(CLIENT)$(SUITE),java $(CLIENT) $(SUITE))
	$(BIN)/python -m compat_tests.reference $(CLIENT) $(SUITE)

.PHONY: bench-quick
bench-quick: $(VENV)/.compat
	$(BIN)/python benchmarks/broker.py quick $(ARGS)

.PHONY: bench
bench: $(VENV)/.compat
	for part in codec records storage connection metrics; do $(BIN)/python benchmarks/$$part.py || exit 1; done
	$(BIN)/python benchmarks/broker.py quick --rounds 3 --only kafka,cached,durable,mesh $(ARGS)
	$(BIN)/python benchmarks/broker.py rest --rounds 2 $(ARGS)
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/compaction.py
	$(BIN)/python benchmarks/recovery.py

# --- packages and deployments ---------------------------------------------------------------------

# On Python 3.11, 3.12 and 3.13, where they are found; the image's steps where root may have namespaces.
.PHONY: package
package: $(VENV)/.packaging
	rm -rf dist && mkdir -p .cache
	$(BIN)/python -m build --no-isolation --outdir dist . >.cache/build.log 2>&1 || { cat .cache/build.log; exit 1; }
	GODEL_MAKE_PACKAGE=1 $(PYTEST) -n $(WORKERS) --dist loadfile tests/deploy $(ARGS)

# --- documentation -------------------------------------------------------------------------------

# The generated pages first: they need nothing but the package.
.PHONY: docs
docs: docs-pages $(VENV)/.docs
	@mkdir -p .cache
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict >.cache/site.log 2>&1 || { cat .cache/site.log; exit 1; }
	@echo 'site/index.html written'

.PHONY: docs-pages
docs-pages: $(VENV)/.package
	$(BIN)/python docs/generate.py

# The README's picture of a terminal, from a real run; not part of `make docs`, as no two are alike.
.PHONY: picture
picture: $(VENV)/.package
	$(BIN)/python docs/terminal_picture.py

.PHONY: docs-check
docs-check: $(VENV)/.package
	$(BIN)/python docs/generate.py --check

.PHONY: clean
clean:
	rm -rf $(VENV) .venv-3.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf build dist site *.egg-info .cache
	find godel tests compat_tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +
