# The suite's commands. Each sets up what it needs: a virtual environment with pinned packages, and data.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench lint clean

help: ## Show what there is to make.
	@grep -hE '^[a-z.]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.installed ## Make .venv and install the pinned packages.

$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --no-deps --quiet -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -r requirements-dev.txt
	@touch $@

run: setup ## Run the embedded grid from nothing to tables; run again, it does nothing and says so.
	$(BIN)/snakemake --cores $(CORES)
	@$(BIN)/adkd summary

test: $(VENV)/.installed-dev ## Run the tests, the tiny grid from end to end among them. Needs no hub.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

bench: setup ## Measure what it costs: results/bench.json, bench.md. GLUE=DIR adds whole runs on real tasks.
	$(BIN)/adkd bench $(if $(GLUE),--glue $(GLUE))

lint: $(VENV)/.installed-dev ## Check style, formatting and the workflow's rules.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

check: lint test ## All that continuous integration runs.

environment.yml: requirements.txt ## Copy the pins of requirements.txt into conda's environment.
	sed -i '/^      - /d' $@
	sed -n 's/^[^#]/      - &/p' $< >> $@

clean: ## Remove the environment and Snakemake's notes; results stay.
	rm -rf $(VENV) .snakemake
