# Every target makes .venv when there is none, and installs again only when pyproject.toml changed.
#   RECIPE=paper|released|modern   SCALE=quick|cpu|full   FLAGS="--seed=1 ..."
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SCALE ?= quick
RUN := $(BIN)/python -m
OPTIONS = $(if $(RECIPE),--recipe=$(RECIPE)) $(FLAGS)

.DEFAULT_GOAL := help
.PHONY: exp1 trials exp2 exp3 sweep test fuzz lint bench faults stability mutants released examples browser data tables tensorboard clean help

$(INSTALLED): pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV)" && $(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

exp1: $(INSTALLED)  ## experiment 1: synthesis; writes runs/exp1/SCALE/report.html
	$(RUN) experiments.exp1_synthesis --scale=$(SCALE) $(OPTIONS)

trials: $(INSTALLED)  ## as many settings of every method before experiment 1, the best on held-out images; writes results/trials/
	$(RUN) experiments.exp1_synthesis.trials $(FLAGS)

data: $(INSTALLED)  ## prepare a data set: make data DATASET=cifar10 [DATA_DIR=...] [MANUAL=...]
	$(BIN)/mgconv prepare $(if $(DATASET),--dataset=$(DATASET)) \
		$(if $(DATA_DIR),--data_dir=$(DATA_DIR)) $(if $(MANUAL),--manual_dir=$(MANUAL)) $(FLAGS)

tables: $(INSTALLED)  ## render the tables of README.md and docs/, and the pages of results/
	$(RUN) tools.render_tables $(FLAGS)

exp2: $(INSTALLED)  ## experiment 2: features for classification; writes runs/exp2/SCALE/report.html
	$(RUN) experiments.exp2_classification --scale=$(SCALE) $(OPTIONS)

exp3: $(INSTALLED)  ## experiment 3: inpainting; writes runs/exp3/SCALE/report.html
	$(RUN) experiments.exp3_inpainting --scale=$(SCALE) $(OPTIONS)

sweep: $(INSTALLED)  ## train every combination of settings: make sweep FLAGS="--vary=drift=0.01,0.02 ..."
	$(BIN)/mgconv sweep --scale=$(SCALE) $(OPTIONS)

test: $(INSTALLED)  ## all tests
	$(RUN) pytest -q -n 2 --dist worksteal $(FLAGS)

fuzz: $(INSTALLED)  ## damaged and strange inputs, 1,000 of each kind: files, archives, folders, flags, TF_CONFIG
	MGCONV_FUZZ=1000 $(RUN) pytest -q -n 2 --dist worksteal tests/test_fuzz.py tests/test_fuzz_commands.py $(FLAGS)

lint: $(INSTALLED)  ## style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(INSTALLED)  ## speed: chains, their layers, PyTorch beside them, updates, scaling; writes runs/bench/. And data
	$(RUN) benchmarks.langevin
	$(RUN) benchmarks.layers
	if $(BIN)/python -c 'import torch' 2>/dev/null; then $(RUN) benchmarks.peers && $(RUN) benchmarks.peer_training; else echo "no torch, no peers"; fi
	$(RUN) benchmarks.update
	$(RUN) benchmarks.scaling
	$(RUN) benchmarks.data

faults: $(INSTALLED)  ## what a run survives: kill -9, damage, a full disk; writes runs/faults/faults.json
	$(RUN) benchmarks.faults $(FLAGS)

stability: $(INSTALLED)  ## runs of the default recipe, seeds and lengths: about 3 hours of two cores, resumable; writes runs/stability/
	$(RUN) benchmarks.stability $(FLAGS)

released: $(INSTALLED)  ## train, score and write the models of mgconv.from_pretrained: hours; MODELS=digits: 6 minutes
	$(RUN) tools.make_released $(if $(MODELS),--models=$(MODELS)) $(if $(DATA_DIR),--data_dir=$(DATA_DIR)) $(FLAGS)

mutants: $(INSTALLED)  ## do the tests notice? 200 single changes of the code: hours of one core, resumable; writes runs/mutants/
	$(RUN) tools.mutants $(FLAGS)

examples: $(INSTALLED)  ## run every example and the notebook as a person would: about ten minutes
	$(BIN)/pip install --quiet --editable '.[dev,examples]'
	MGCONV_EXAMPLES=1 $(RUN) pytest -q tests/examples $(FLAGS)

browser: $(INSTALLED)  ## drive the page of mgconv demo in a headless Chromium, which is there: about ten minutes
	$(BIN)/pip install --quiet --editable '.[dev,demo]' playwright
	MGCONV_BROWSER=$(or $(BROWSER),$(shell command -v chromium)) $(RUN) pytest -q tests/cli/test_demo_in_browser.py $(FLAGS)

cluster: $(INSTALLED)  ## sweeps on a Dask and a Ray cluster of two workers, one of them killed: about ten minutes
	$(BIN)/pip install --quiet --editable '.[dev,cluster]'
	MGCONV_CLUSTER=1 $(RUN) pytest -q tests/cluster $(FLAGS)

tensorboard: $(INSTALLED)  ## curves of all runs at http://localhost:6006
	$(BIN)/tensorboard --logdir runs $(FLAGS)

clean:  ## removes the virtual environment and caches, never a run
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
