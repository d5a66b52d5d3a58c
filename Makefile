# The whole project from a fresh clone: `make run`, `make test`. GNU make and a Python >= 3.12 are all it needs.
SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
HOST ?= 127.0.0.1
PORT ?= 8000
WORKERS ?= 1
# Protocol and values, without I/O: every branch is tested.
PURE := fileservice/addresses.py,fileservice/conditions.py,fileservice/digests.py,fileservice/disposition.py,fileservice/downloads.py,fileservice/errors.py,fileservice/mediatypes.py,fileservice/names.py,fileservice/options.py,fileservice/paths.py,fileservice/ranges.py,fileservice/remoteurls.py,fileservice/tusfields.py,fileservice/ziplayout.py,fileservice/fetch/errands.py,fileservice/fetch/copies.py,fileservice/http/framing.py,fileservice/http/transfer.py,fileservice/pdf/*
# What runs in processes apart, which tell no coverage; their tests look at what comes out.
LIMITED := fileservice/pdf/answers.py,fileservice/pdf/authoring.py,fileservice/pdf/child.py,fileservice/pdf/rendering.py,fileservice/pdf/sandbox.py
# One more test at once than there are cores, since many wait; who is idle takes from the others.
PARALLEL := --numprocesses $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --maxprocesses 5 --dist worksteal
PIP_FLAGS := --quiet --disable-pip-version-check --require-hashes

# The newest Python >= 3.12 with a working venv module: on PATH, or only lying in pyenv (whose shims hide it).
define FIND_PYTHON
for python in python3.14 python3.13 python3.12 python3 $$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[2-9]*/bin/python 2>/dev/null | sort -rV); do \
  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then echo "$$python"; break; fi; \
done
endef

.PHONY: run setup test cover test-all lint bench lock clean help

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: setup  ## set everything up and serve on http://127.0.0.1:8000
	@$(PY) manage.py migrate --verbosity 0
	@exec $(PY) manage.py serve --host $(HOST) --port $(PORT) --workers $(WORKERS)

setup: $(VENV)/.installed  ## make the environment in .venv

$(VENV)/.installed: requirements/test.txt
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	  echo "Python 3.12 or newer with venv is needed (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)
	@$(PY) -m pip install $(PIP_FLAGS) -r requirements/test.txt
	@touch $@

# Some hundred processes are started: what one compiled the next shall find.
test: export PYTHONDONTWRITEBYTECODE =
test: setup  ## every test but the long proofs, under 5 minutes
	$(PY) -m pytest $(PARALLEL)

cover: export PYTHONDONTWRITEBYTECODE =
cover: setup  ## the same, and how much of the program they reach
	@$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest $(PARALLEL)
	$(PY) -m coverage run -m pytest -m long tests/test_bidi.py tests/test_pdf_compiling.py
	@$(PY) -m coverage combine --quiet
	$(PY) -m coverage report
	@$(PY) -m coverage report --include='$(PURE)' --omit='$(LIMITED)' --fail-under=100

test-all: cover  ## the long proofs too: power cut, kill at every system call, fuzz
	$(PY) -m pytest -m long

$(VENV)/.linted: requirements/lint.txt $(VENV)/.installed
	@$(PY) -m pip install $(PIP_FLAGS) -r requirements/lint.txt
	@touch $@

lint: $(VENV)/.linted  ## ruff, types, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: setup  ## figures against named peers, into bench/results.md
	$(PY) -m bench

LOCK = uv pip compile pyproject.toml --universal --python-version 3.12 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate --quiet --exclude-newer "3 days"

lock:  ## renew the hashed requirement files (needs uv)
	$(LOCK) --upgrade -o requirements/run.txt
	for group in test lint browser api; do \
	  $(LOCK) --group $$group -c requirements/run.txt -o requirements/$$group.txt; \
	done

clean:  ## remove what setup and the tests made; never data
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
