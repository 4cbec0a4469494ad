# The one place where the commands of a day's work stand; .ci/run calls the same ones.
PYTHON ?= python3
BIN := .venv/bin
# Threads of each process.
export OMP_NUM_THREADS ?= 2

.PHONY: setup demo test check format schemas bench

setup: .venv/installed

# Installed anew only when the dependencies changed: the second start is a matter of seconds.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv: a minute or two"
	$(BIN)/python -m pip install -qq -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/multimodal demo $(ARGS)

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python -m pytest --doctest-modules multimodal
	$(BIN)/python -m pytest tests/records/test_schemas.py tests/test_surface.py -k "not as_it_stands"

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: setup
	$(BIN)/multimodal schema --out data_schemas --overwrite

# A model of the composite cohort is trained where there is none yet (MODEL=... and COHORT=... choose others).
MODEL ?= build/bench-model
COHORT ?= ../shared/data/composite
bench: setup
	test -d $(MODEL) || $(BIN)/multimodal train $(COHORT) --out $(MODEL)
	$(BIN)/python benchmarks/throughput.py $(MODEL) $(COHORT) $(ARGS)
