# Comptoir: the commands of a checkout. `make` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
ARGS ?=
# One test process a core; `make test WORKERS=0` runs them in one, for a debugger.
WORKERS ?= $(shell nproc)

.PHONY: help demo test check bench setup clean

help: ## list these commands
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## set up, then open a trading post here and run its main job (ARGS="--once --report facts.json")
	@scripts/setup demo
	@$(BIN)/comptoir demo $(ARGS)

test: ## set up, PostgreSQL included, then run every test (ARGS="tests/store -k fence")
	@scripts/setup test
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: ## style, types, import directions: what CI checks before the tests
	@scripts/setup check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest tests/style

bench: ## measure, print a table, write JSON under bench/results
	@scripts/setup demo
	@mkdir -p bench/results
	@$(BIN)/comptoir bench --json bench/results/bench.json $(ARGS)

setup: ## only set up, for everything
	@scripts/setup test

clean: ## remove the environment and what tools left behind (never a data directory)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} +
