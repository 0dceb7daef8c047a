# Two commands do all the set-up: `make demo` runs the main job on the embedded lab, `make test` passes the tests.
# PYTHON=… picks an interpreter (CPython 3.11 to 3.13); everything lives in .venv.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made
PARAMS ?= params/fnat-two-arm.yaml
NOTEBOOK ?= notebooks/fnat-two-arm.ipynb

.PHONY: help venv demo test test-all check bench lock clean

help:
	@echo 'make demo    environment, embedded lab, the two-arm FULLNAT notebook in apply mode'
	@echo 'make test    environment, tests'
	@echo 'make venv    just the environment, in $(VENV)'
	@echo 'make check   lint, formatting, types'
	@echo 'make bench   what it costs, as ratios against what you would use instead'
	@echo 'make lock    resolve the dependencies of pyproject.toml anew'
	@echo 'make clean   take away what the others made (records under outputs/ stay)'

venv: $(STAMP)

# uv installs in seconds what pip takes a minute for; both check the hashes of the lock, so pip is the way where uv finds none.
$(STAMP): requirements.lock pyproject.toml
	@python=''; for try in $(if $(PYTHON),'$(PYTHON)',python3 python3.13 python3.12 python3.11); do \
	  if "$$try" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then python=$$try; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'make: $(if $(PYTHON),PYTHON=$(PYTHON) is no CPython 3.11 to 3.13 with venv and ensurepip,no CPython 3.11 to 3.13 with venv and ensurepip found (Debian: apt install python3-venv); name one: make venv PYTHON=/path/to/python3)' >&2; \
	  exit 1; \
	fi; \
	echo "environment: $(VENV), from $$python ($$($$python -V))"; \
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV)
	@awk '/^uv==/ {ours=1; print; next} ours && /^ / {print; next} {ours=0}' requirements.lock >$(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  || { echo 'uv could not install it; trying pip'; \
	       $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

demo: venv
	@$(BIN)/dpvsbook lab down >/dev/null; $(BIN)/dpvsbook lab up $(PARAMS) >/dev/null && \
	{ $(BIN)/dpvsbook run $(NOTEBOOK) $(PARAMS) --apply --ssh-config .lab/ssh_config; code=$$?; $(BIN)/dpvsbook lab down; exit $$code; }

test: venv
	@$(BIN)/python -m pytest -n 2 -m 'not slow'

test-all: venv
	@$(BIN)/python -m pytest -n 2

check: venv
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# What we compare with needs other versions of some libraries than we do, so it has an environment of its own.
bench: venv
	@[ -x $(VENV)-bench/bin/python ] || $(BIN)/python -m venv $(VENV)-bench
	@$(BIN)/uv pip install --quiet --python $(VENV)-bench/bin/python --require-hashes -r benchmarks/requirements.lock \
	  || $(VENV)-bench/bin/python -m pip install --quiet --require-hashes -r benchmarks/requirements.lock
	@$(BIN)/python -m benchmarks

lock: venv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  pyproject.toml --group dev -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --group bench -o benchmarks/requirements.lock

clean:
	@[ ! -x $(BIN)/dpvsbook ] || $(BIN)/dpvsbook lab down
	@rm -rf $(VENV) $(VENV)-bench .lab .pytest_cache .mypy_cache .ruff_cache .hypothesis
