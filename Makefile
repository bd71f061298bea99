# The commands of the suite. Each one sets up what it needs: a virtual environment with pinned packages, and data.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
# Config files, later ones override earlier ones; the embedded grid if there are none.
CONFIG ?=
# Root of the results.
RESULTS := $(or $(ADKD_RESULTS),results)
# Snakemake reads config files before the workflow can say what is wrong with one.
CHECK_CONFIG = $(if $(CONFIG),$(BIN)/adkd plan --dry-run $(addprefix --config ,$(CONFIG)) > /dev/null && )
# The option --configfile comes first, because it takes all words up to the next option as config files.
SNAKEMAKE = $(CHECK_CONFIG)$(BIN)/snakemake $(if $(CONFIG),--configfile $(CONFIG)) --cores $(CORES)

.DEFAULT_GOAL := help
.PHONY: help setup run published fidelity cost ablations sweep tuning report test test-fast check bench lint docs schema clean

help: ## Show the targets.
	@grep -hE '^[a-z.%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

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

run: setup ## Run a grid from data to tables; a second run does nothing. CONFIG="a.yaml b.yaml".
	$(SNAKEMAKE)
	@$(BIN)/adkd summary

published: setup ## The paper's results next to ours: results/tables/published.md.
	$(SNAKEMAKE) $(RESULTS)/tables/published.md
	@cat $(RESULTS)/tables/published.txt

fidelity: setup ## How closely students reproduce their teacher's attributions: results/tables/fidelity.md and its figure.
	$(SNAKEMAKE) $(RESULTS)/tables/fidelity.md
	@cat $(RESULTS)/tables/fidelity.txt

cost: setup ## Costs of training and inference of every method: results/tables/cost.md and its figure.
	$(SNAKEMAKE) $(RESULTS)/tables/cost.md
	@cat $(RESULTS)/tables/cost.txt

ablations: setup ## All ablations of the config: results/ablations/.
	$(SNAKEMAKE) ablations
	@ls $(RESULTS)/ablations/*/tables/main.md $(RESULTS)/ablations/*/figures/curve.png

ablation-%: setup ## One ablation, such as ablation-top_k: results/ablations/top_k/.
	$(SNAKEMAKE) $(RESULTS)/ablations/$*/figures/curve.png
	@cat $(RESULTS)/ablations/$*/tables/main.txt

sweep: setup ## Search settings for every method on every task with the same budget: results/sweeps/.
	$(SNAKEMAKE) sweep
	@ls $(RESULTS)/sweeps/*/*/best.yaml

tuning: sweep ## The grid with tuned settings and without: results/tables/tuning.md.
	$(SNAKEMAKE) tuning --config settings_from=sweeps
	@cat $(RESULTS)/tables/tuning.txt

report: setup ## All results on one page, results/report.html, and Snakemake's own report, results/workflow.html.
	$(SNAKEMAKE) all $(RESULTS)/report.html
	$(SNAKEMAKE) --report $(RESULTS)/workflow.html all $(RESULTS)/report.html

test: $(VENV)/.installed-dev ## Run all tests, including the tiny grid from end to end. Needs no hub.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: $(VENV)/.installed-dev ## Run the quick tests: no Snakemake, no browser, few processes.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not workflow"

bench: setup ## Measure speed and memory: results/bench.json, bench.md. GLUE=DIR adds complete runs on real tasks.
	$(BIN)/adkd bench $(if $(GLUE),--glue $(GLUE))

lint: $(VENV)/.installed-dev ## Check style, formatting, types, the direction of imports and the rules of the workflow.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: $(VENV)/.installed-dev ## Build the pages of docs/ as a site: site/index.html, which opens from disk.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint docs test ## All checks of continuous integration.

schema: setup ## Rebuild the files generated from the config's models: workflow/schemas/config.schema.yaml, docs/configuration.md.
	$(BIN)/python -c 'from adkd.plan.config import schema_text; print(schema_text(), end="")' > config.schema.yaml
	mv config.schema.yaml workflow/schemas/
	$(BIN)/python docs/generate.py

environment.yml: requirements.txt ## Copy the pins of requirements.txt into conda's environment.
	sed -i '/^      - /d' $@
	sed -n 's/^[^#]/      - &/p' $< >> $@

clean: ## Remove the environment and Snakemake's metadata; results stay.
	rm -rf $(VENV) .snakemake
