# The only list of commands. `make` prints it; each target sets up what it needs.
PYTHON ?= python3
BIN    := .venv/bin
# More options for pytest, such as `make test OPTIONS="-k search -x"`.
OPTIONS ?=
# Benchmarks run on the kernels that OpenBLAS chooses for the processor, whatever a machine's settings say.
AS_IS  := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE
# What `make bench-identification` reads, and where it writes its figures.
DATA   ?= ../shared/data/learnwares
JSON   ?= build/identification.json

.DEFAULT_GOAL := help
.PHONY: help setup lock protos docs lint format test demo up images sandbox sandbox-image bench-identification bench-spec bench-search bench-search-choices bench-search-gpu bench-reuse bench-hetero bench-storage bench-validation bench-load typescript bench-console console-screenshots clean

help: ## print this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

setup: ## make the environment .venv as requirements.lock says; does nothing when it is up to date
	@$(PYTHON) -m tools.environment setup

lock: setup ## resolve pyproject.toml into requirements.lock, keeping the versions that still fit
	$(BIN)/python -m tools.environment lock

protos: setup ## generate learndock/v1 from protos/
	$(BIN)/python -m tools.stubs

typescript: build/typescript/ready ## get what generates and compiles TypeScript stubs, from npm

build/typescript/ready:
	@mkdir -p build/typescript
	cd build/typescript && npm install --no-audit --no-fund --silent @bufbuild/protoc-gen-es@2 @bufbuild/protobuf@2 typescript@5
	@touch $@

docs: setup ## generate the pages of docs/ on errors, settings, metrics and commands
	$(BIN)/python -m tools.pages

lint: setup ## style, types, import contracts, protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(BIN)/buf format --diff --exit-code protos

format: setup ## lay out code and protos
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format --write protos

test: setup sandbox build/checkov-venv/ready ## all tests; OPTIONS="..." goes to pytest
	$(BIN)/python -m pytest $(OPTIONS)

demo: setup sandbox ## the whole story on real data, in a few minutes; OPTIONS="--json FILE" writes the figures
	$(BIN)/python -m demo $(OPTIONS)

up: setup sandbox ## start a dock on this machine, its data in ./dock
	$(BIN)/learndock up $(OPTIONS)

# In an environment of its own: it pins old versions of half of what we use.
build/checkov-venv/ready:
	$(PYTHON) -m venv build/checkov-venv
	build/checkov-venv/bin/pip install -q 'checkov>=3.3,<4'
	touch $@

images: setup ## build the services' container images; BASE=IMAGE for another base, OPTIONS="search reuse --tag 1.0"
	$(BIN)/python -m tools.images $(if $(BASE),--base $(BASE)) $(OPTIONS)

sandbox: ## get the sandbox ready: Docker's image where an engine answers, else bubblewrap from .venv
	@docker info >/dev/null 2>&1 && deploy/docker/sandbox-image.sh || echo "No Docker sandbox: models run in bubblewrap."

sandbox-image: ## build the image that models run in
	deploy/docker/sandbox-image.sh

bench-identification: setup sandbox ## find and reuse the learnwares of DATA for its tasks; figures go to JSON
	@mkdir -p $(dir $(JSON))
	$(BIN)/python benchmarks/identification.py $(DATA) --json $(JSON)

bench-spec: setup ## specifications of ours beside the reference engine's, then limits; OPTIONS="--small" to try
	$(AS_IS) $(BIN)/python -m benchmarks.spec $(OPTIONS)
	$(AS_IS) $(BIN)/python -m benchmarks.spec_limits

bench-search: setup build/reference-venv/ready ## time certified search up to a million learnwares, beside the reference; SCRATCH=DIR holds 13 GB
	$(AS_IS) $(BIN)/python -m benchmarks.search --reference build/reference-venv/bin/python $(if $(SCRATCH),--scratch $(SCRATCH)) $(OPTIONS)

bench-search-choices: setup sandbox ## what the choices of search rest on: when it says that nothing fits, and whether labels would help
	env OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.search_advice
	env OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.search_labels

bench-search-gpu: setup ## time an exact scan of a million resident specifications on a GPU, beside its limit; fails where there is none
	$(BIN)/python -m benchmarks.search_gpu $(OPTIONS)

build/reference-venv/ready:
	$(PYTHON) -m venv build/reference-venv
	build/reference-venv/bin/pip install -q torch==2.13.0
	build/reference-venv/bin/pip install -q learnware==0.4.0.post1 fast-pytorch-kmeans qpsolvers clarabel lightgbm protobuf
	touch $@

bench-reuse: setup sandbox build/reference-venv/ready ## reuse with labels and without on four data sets; writes docs/evaluation.md; OPTIONS="--small" to try
	$(AS_IS) OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.reuse --reference build/reference-venv/bin/python $(or $(OPTIONS),--report docs/evaluation.md)

bench-hetero: setup build/reference-venv/ready ## learnwares of other columns, found by meaning and reused; OPTIONS="--small --json FILE" to try
	$(AS_IS) OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.hetero --reference build/reference-venv/bin/python $(OPTIONS)

bench-storage: setup ## transfers, small packages, lists and memory of storage; writes benchmarks/results/storage.json
	$(BIN)/python -m benchmarks.storage --json benchmarks/results/storage.json $(OPTIONS)

bench-validation: setup sandbox ## how quick validation is and what a sandbox costs; writes benchmarks/results/validation.json
	$(AS_IS) OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m benchmarks.validation --json benchmarks/results/validation.json $(OPTIONS)

bench-load: setup ## search under load: its peak, ten times that, 1,000 at once, a rolling restart; OPTIONS="--size 2000 --seconds 5" to try
	$(AS_IS) $(BIN)/python -m benchmarks.load --json benchmarks/results/load.json $(OPTIONS)

bench-console: setup ## how quickly the console paints, how heavy its pages are, and how it pages through 100,000 learnwares; needs chromium
	$(BIN)/python -m benchmarks.console --json benchmarks/results/console.json $(OPTIONS)

console-screenshots: setup sandbox ## draw every page of the console into docs/console; needs chromium
	$(BIN)/python -m benchmarks.console_screenshots

clean: ## remove the environment, caches and build results; ./dock stays
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info
