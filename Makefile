# the first of these that is Python 3.11 or later
PYTHONS := python3.11 python3.12 python3.13 python3 python
PYTHON ?= $(shell for python in $(PYTHONS); do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; \
	done)
BIN := .venv/bin
PROBLEM ?= wave-noisy-ic

.PHONY: run test test-oldest nightly audit wheel lint docs clean

run: .venv/.installed  ## solve the first problem
	$(BIN)/pinngate run $(PROBLEM)
	@echo
	@echo "Go on with $(BIN)/pinngate, or 'source $(BIN)/activate' and pinngate: try 'pinngate --help'."

test: .venv/.tested-with  ## run the test suite
	$(BIN)/python -m pytest -n auto --dist worksteal

# CASES=1000 INTERRUPTIONS=5 DISKS=5 SOAK=1 is a short night
CASES ?= 50000
INTERRUPTIONS ?= 200
DISKS ?= 60
SOAK ?= 30

nightly: .venv/.tested-with  ## try to break it for hours; the result is results/reliability
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.reliability --cases $(CASES) \
		--interruptions $(INTERRUPTIONS) --disks $(DISKS) --soak $(SOAK)

test-oldest:  ## a fast part of the suite with the lowest versions that pyproject.toml allows
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet pytest hypothesis psutil
	.venv-oldest/bin/python -m tests.test_lower_bounds > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet --constraint .venv-oldest/constraints.txt --editable .
	.venv-oldest/bin/python -m pytest --quiet -W default tests/expression tests/data tests/statement \
		tests/runs/test_checkpoint.py tests/runs/test_crash_safety.py tests/test_cli.py

audit: .venv/.tested-with  ## known vulnerabilities of what is installed
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet pip-audit
	$(BIN)/python -m pip freeze --exclude-editable > .venv-audit/installed.txt
	.venv-audit/bin/pip-audit --no-deps --disable-pip -r .venv-audit/installed.txt

# the time of the last commit, so that the same sources give the same bytes
wheel: .venv/.tested-with
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(BIN)/python -m build --quiet --outdir dist .

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
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,geometry,bench,cluster,netcdf,studies,dpo]"
	touch $@

clean:
	rm -rf .venv .venv-oldest .venv-audit build dist
