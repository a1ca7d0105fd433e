# Every verb sets up what it needs first; a set-up that is there already costs nothing.
PYTHON_BIN = .venv/bin/python
JULIA = "$$(cat .venv/julia-path)"

.PHONY: help setup demo test test-julia test-python lint bench docs clean
help:
	@echo "make setup   a virtual environment in .venv, the Python dependencies, a Julia, the engine compiled"
	@echo "make demo    the demonstration: two networks trained to a minimum, pictures under out/"
	@echo "make test    set-up, lint, every Julia and every Python test"
	@echo "make lint    ruff and mypy"
	@echo "make docs    check the links and run the snippets of README.md and docs/"
	@echo "make bench   measurements against other software (benchmarks/), an hour or more"
	@echo "make clean   remove .venv, out and caches"

# Asked for by name it also renews a stale system image, which takes minutes.
setup:
	@bash scripts/setup.sh $(if $(filter setup,$(MAKECMDGOALS)),--image)

demo: setup
	@.venv/bin/mlpflow demo --out out

# Julia's and Python's tests side by side, one processor each; what they print comes when they end. The package is precompiled
# first: two processes that do it at once are in each other's way.
test: lint
	@$(JULIA) --startup-file=no --project=. -e 'using MLPFlow'
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-julia test-python

test-julia: setup
	$(JULIA) --startup-file=no --project=. tests/julia/runtests.jl

test-python: setup
	$(PYTHON_BIN) -m pytest

lint: setup
	$(PYTHON_BIN) -m ruff check .
	$(PYTHON_BIN) -m mypy

bench: setup
	@$(PYTHON_BIN) -c 'import jax' 2>/dev/null || \
		$(PYTHON_BIN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	$(PYTHON_BIN) -m benchmarks
	$(PYTHON_BIN) -m benchmarks.flow
	$(PYTHON_BIN) -m benchmarks.many
	$(PYTHON_BIN) -m benchmarks.optimizers
	$(PYTHON_BIN) -m benchmarks.certify
	$(JULIA) -O3 --startup-file=no --project=. benchmarks/infinite.jl
	$(PYTHON_BIN) -m benchmarks.lsq

docs: setup
	$(PYTHON_BIN) -m pytest tests/python/test_readme.py tests/python/test_examples.py

clean:
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache
