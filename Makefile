# Every target makes its own environment in .venv and installs what it needs; a stamp file per
# extra makes the second call quick. PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-slow lint format bench clean

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

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[$*]'
	$(BIN)/python -m compileall -q taowa
	touch $@
