# A clean clone needs only `make demo` and `make test`; both leave a .venv beside the code and nothing elsewhere.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SPEAK := redress needs Python 3.11 or newer, $(PYTHON) is %d.%d; name another one: make PYTHON=python3.12

.PHONY: help demo test cover lint bench soak docs lock clean

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1	/p' Makefile

demo: $(READY) ## run the whole job on a simulated marketplace, report in redress-out/demo
	@$(BIN)/redress demo --out redress-out/demo

test: lint ## check style, types and behaviour
	@$(BIN)/python -m pytest -q -n auto --dist worksteal

cover: $(READY) ## check behaviour, and say which lines no test reaches; slower
	@$(BIN)/python -m pytest -q --cov -n auto --dist worksteal

lint: $(READY) ## check style and types alone
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet --diff
	@$(BIN)/mypy

bench: $(READY) ## measure
	@$(BIN)/python -m benchmarks

soak: $(READY) ## kill, compare and load the online service for a quarter of an hour
	@$(BIN)/python -m benchmarks.soak

docs: $(READY) ## write into docs what is declared in code
	@$(BIN)/python -m pipelines.documents
	@$(BIN)/python -m service.document

lock: $(READY) ## pin what pyproject.toml asks for; UPGRADE=--upgrade takes newer versions
	@$(PIP) install uv
	@cp requirements.lock .venv/lock.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate $(UPGRADE) \
		--extra dev --extra effects --extra notebooks --extra postgres --extra serve --output-file .venv/lock.txt pyproject.toml
	@{ head -n 1 requirements.lock; cat .venv/lock.txt; } > .venv/lock.new
	@mv .venv/lock.new requirements.lock

clean: ## remove what make made; models, reports and tracking stay
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov build *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and "$(SPEAK)" % v[:2])'
	@echo "Installing the pinned libraries into .venv: about 1.4 GB, a few minutes the first time."
	@$(PYTHON) -m venv .venv
	@$(PIP) install --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
