PYTHON ?= python3.11
BIN := .venv/bin
PROBLEM ?= heat-noisy-ic

.PHONY: run test lint docs clean

run: .venv/.installed  ## solve the first problem
	$(BIN)/pinngate run $(PROBLEM)

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
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.tested-with: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist
