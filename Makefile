# Scrubjay: the two commands are `make demo` and `make test`; both set up what they need.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench docs clean
.DELETE_ON_ERROR:

demo: .venv/.all  ## Measure memory against reading: real world, invented twin, one small model
	$(BIN)/scrubjay gap --world atlas --model smollm2-135m --questions 40 --twins 1 --out runs/demo

# Two test files at a time, each with a processor of its own.
test: .venv/.dev check  ## Lint, types, import contract, tests
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

check: .venv/.dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: .venv/.bench  ## Time Scrubjay beside what one would use instead; ONLY=engine runs one
	$(BIN)/python benchmarks/run.py $(ONLY)

docs: .venv/.docs  ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

clean:
	rm -rf .venv site build runs

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Scrubjay needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv

# One stamp per set of extras; a change of the requirements installs again.
.venv/.%: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Setting up .venv with the extra '$*' (about two minutes the first time) ..."
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@
