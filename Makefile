# Each target sets up what it needs into .venv, on a fresh machine too, and again only when the requirements change.
# Nothing has to be activated or installed by hand beforehand but Python 3.11 or newer.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python

# Many small matrices: a second BLAS thread only adds waiting, and takes a core away from another visitor.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

STREAMLIT = $(PY) -m streamlit run app.py $(if $(PORT),--server.port $(PORT)) $(ARGS)

# A visitor holds some four open files, and the usual limit of 1024 is full at about 250 visitors.
MORE_FILES = ulimit -S -n 65536 2>/dev/null || ulimit -S -n $$(ulimit -H -n) 2>/dev/null || true

.DEFAULT_GOAL := help
.PHONY: help run dev test lint format bench pictures setup chromium clean

help:  ## show this list
	@echo "Usage: make TARGET [PORT=8600] [PYTHON=python3.12] [ARGS='...']"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run  ## open the app as visitors see it (PORT=8600 picks the port)
	@$(MORE_FILES); exec $(STREAMLIT)

dev: $(VENV)/.run  ## the app for whoever changes it: reload on save, full error messages
	@exec $(STREAMLIT) --server.fileWatcherType auto --server.runOnSave true \
		--client.showErrorDetails full --client.toolbarMode developer

test: $(VENV)/.dev chromium lint  ## lint, then every test (ARGS='-k lstm' picks some)
	$(PY) -m pytest -n auto --dist loadfile $(ARGS)

lint: $(VENV)/.dev  ## check style and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

format: $(VENV)/.dev  ## repair style and formatting where that is safe
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(VENV)/.dev $(if $(filter page neighbours,$(ARGS)),chromium)  ## measure against torch (ARGS=page, ARGS=neighbours: the pages in a Chromium)
	$(PY) -m benchmarks $(ARGS)

pictures: $(VENV)/.dev chromium  ## take the pictures in README.md and docs/ anew
	$(PY) -m docs.pictures

setup: $(VENV)/.dev  ## only set up .venv for development
	@echo "Ready: $(PY)"

# The browser tests drive a real Chromium. The variable CHROMIUM may name one; else these are looked for on the PATH.
chromium:
	@for name in "$$CHROMIUM" chromium chromium-browser google-chrome; do \
		if command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	as_root=; if [ "$$(id -u)" = 0 ]; then as_root=env; elif sudo -n true 2>/dev/null; then as_root="sudo -n env"; fi; \
	if [ -n "$$as_root" ] && command -v apt-get >/dev/null \
		&& $$as_root apt-get update \
		&& $$as_root DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y \
			--no-install-recommends chromium fonts-liberation fonts-dejavu-core; \
	then exit 0; fi; \
	echo "No Chromium here, and apt-get could not install one (it needs Debian and root, or sudo without a password)."; \
	echo "The browser tests will be skipped. To run them, install Chromium or set CHROMIUM=/path/to/it."

clean:  ## remove caches and build products (.venv stays: delete it to start afresh)
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# `python -m venv` leaves an existing environment as it is, and mends one that an interrupted set-up left half made.
define INSTALL
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "rnnviz needs Python 3.11 or newer; name one, for example: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
@$(PYTHON) -m venv $(VENV) \
	|| { echo "Could not create $(VENV). On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
$(PY) -m pip install --disable-pip-version-check -r
endef

$(VENV)/.run: requirements.txt
	$(INSTALL) requirements.txt
	@touch $@

# What the tests need includes what the app needs.
$(VENV)/.dev: requirements-dev.txt requirements.txt
	$(INSTALL) requirements-dev.txt
	@touch $@ $(VENV)/.run
