# Everything starts from git, make and a Python with venv:
#   make demo      set up and run the whole thing on the paper doll      make test   set up and run the test suite
#   make setup     only set up the environment in .venv                  make lint   ruff
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-upstream lint lock

help:
	@sed -n '1,3s/^# \{0,1\}//p' Makefile

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 12) or sys.exit(f"Python 3.10 to 3.12 is needed, $(PYTHON) is {v[0]}.{v[1]}: call make PYTHON=python3.11")'
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --no-deps --require-hashes -r requirements.lock
	$(PY) -m pip install --no-deps --no-build-isolation -e .
	@touch $@
