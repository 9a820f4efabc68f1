# Everything runs in .venv, which `make setup` fills from PyPI. Needs Python 3.11 and nothing else.
PYTHON ?= python3.11
BIN := .venv/bin
IMAGE ?= examples/photo.jpg
INSTRUCTION ?= make it night
SEED ?= 1

.PHONY: setup edit test check wheel nano clean
.DEFAULT_GOAL := edit

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed (set PYTHON=... to name it)"; exit 3; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# torch comes first and pinned: a bare range takes a CUDA build of several GB.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench,data,dev,train]"
	@touch $@

edit: setup
	@$(BIN)/step1x edit "$(IMAGE)" -i "$(INSTRUCTION)" --seed $(SEED) --out output --force

test: setup
	$(BIN)/python -m pytest

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

nano: setup
	$(MAKE) -C examples/nano

wheel: setup
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf .venv build dist output
