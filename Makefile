# `make demo` and `make test` do all set-up themselves. For a CPU-only torch on Linux, once:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
BIN := .venv/bin

.PHONY: demo bench test check-long golden lint format install clean olmo-check

demo: install
	$(BIN)/zerosum demo

# Two arms, three seeds: every part of a bench in a few minutes. The same command continues; runs/ may be deleted.
bench: install
	$(BIN)/zerosum bench examples/quick_bench.yaml

# Three workers of one thread each, for two cores: tests that start, kill and await processes leave a quarter of the time
# of two workers idle. Compiled files are kept, because tests that call the command line start many processes.
test: install
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist worksteal

# Checks that are long by nature, and their tables in benchmarks/long: half an hour of processor time or more.
# A first look: make check-long SHARE=0.01
SHARE ?= 1
check-long: install
	OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -o addopts=--strict-markers -n 2 --dist loadfile \
		tests/long/check_*.py --share $(SHARE)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m long tests

golden: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/golden tests/long/check_golden_losses.py --renew-golden

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# OLMo's own package, in an environment of its own (it needs numpy < 2), makes tiny models and their logits; then ours
# loads the same files. What it makes is committed, so that every test run repeats the second half.
OLMO := .venv-olmo
olmo-check: install $(OLMO)/installed
	$(OLMO)/bin/python tests/checkpoints/olmo_native/make.py
	$(BIN)/python -m pytest tests/checkpoints/test_olmo.py

# datasets: which ai2-olmo imports without asking for it. pyarrow: the newest that runs with its numpy.
$(OLMO)/installed:
	test -x $(OLMO)/bin/python || $(PYTHON) -m venv $(OLMO)
	$(OLMO)/bin/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(OLMO)/bin/python -m pip install --quiet --disable-pip-version-check ai2-olmo==0.6.0 datasets "pyarrow<20" "$(TORCH)"
	touch $@

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("zerosum needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[lm,dev]"
	touch $@

clean:
	rm -rf .venv $(OLMO) runs
