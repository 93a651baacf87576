# the first of these that is Python 3.11 or later
PYTHONS := python3.11 python3.12 python3.13 python3 python
PYTHON ?= $(shell for python in $(PYTHONS); do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)
BIN := .venv/bin
PROBLEM ?= wave-noisy-ic

.PHONY: run test lint docs clean

run: .venv/.installed  ## solve the first problem
	$(BIN)/pinngate run $(PROBLEM)
	@echo
	@echo "Go on with $(BIN)/pinngate, or 'source $(BIN)/activate' and pinngate: try 'pinngate --help'."

test: .venv/.tested-with  ## run the test suite
	$(BIN)/python -m pytest -n auto

lint: .venv/.tested-with
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_complexity.py

docs: .venv/.installed  ## regenerate the pages that are made from the code
	$(BIN)/python -m pinngate.config.documentation docs/problem-file.md

.venv/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "pinngate needs Python 3.11 or later, and none of these is:" \
		"$(PYTHONS); name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

# with every extra, so that no test is skipped for want of a package
.venv/.tested-with: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,geometry,bench,netcdf,studies,dpo]"
	touch $@

clean:
	rm -rf .venv build dist
