# Every target makes its own environment in .venv and installs what it needs; a stamp file per
# extra makes the second call quick. PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-slow lint format bench sanitize clean

# The CPU kernels are compiled by the package's build, so a changed source installs it again.
KERNELS := hatch_build.py $(wildcard taowa/kernels/build.py taowa/kernels/csrc/*)

demo: $(VENV)/.stamp-demo
	$(BIN)/taowa train $(ARGS)

test: $(VENV)/.stamp-test
	$(BIN)/python -m pytest -n 2 -q -m "not slow" $(ARGS)

test-slow: $(VENV)/.stamp-test
	$(BIN)/python -m pytest -n 2 -q -m slow $(ARGS)

lint: $(VENV)/.stamp-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m pytest -q --noconftest tests/test_house.py

format: $(VENV)/.stamp-lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.stamp-test
	$(BIN)/python -m bench $(ARGS)

sanitize: $(VENV)/.stamp-test
	$(BIN)/python tests/kernels/sanitize.py $(ARGS)

clean:
	rm -rf build taowa/kernels/_kernels.so $(VENV) .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-%: pyproject.toml $(KERNELS) | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[$*]'
	$(BIN)/python -m compileall -q taowa
	touch $@
