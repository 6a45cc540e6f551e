# The words a newcomer types. `make` alone lists them. Everything made lands in the cache, nothing in this folder.
# What a part is and how it is made stands in dockerfiles/setup; here are only the names.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ikigai
export CARGO_TARGET_DIR ?= $(CACHE)/target
BIN := $(CARGO_TARGET_DIR)/debug/ikigai

# 1 keeps one agent of the demo alive to look at; 0 cleans up everything the demo made.
KEEP ?= 1
# More than 1: a mesh, each node in a network namespace of its own; one is killed, another frozen past its lease.
NODES ?= 1

# What setup found or made: where the programs and images are.
with_env := set -a; . $(CACHE)/env; set +a; export IKIGAI_BIN=$(BIN);
# On a machine that setup has prepared, a test that finds no Docker, Radicle or browser has failed, not skipped.
required := IKIGAI_REQUIRE_DOCKER=1 IKIGAI_REQUIRE_RADICLE=1 IKIGAI_REQUIRE_SPECKIT=1 IKIGAI_REQUIRE_BROWSER=1 \
	IKIGAI_REQUIRE_SANDBOX=1 IKIGAI_REQUIRE_POSTGRES=1 $(if $(filter 0,$(shell id -u)),IKIGAI_REQUIRE_ROOT=1)
# B3 and B4 need nothing of the machine. What they compare to is compiled for them alone.
b = $(shell tr A-Z a-z <<<"$(B)")
simulated = $(filter b3 b4,$(b))

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests build dashboard image node-image demo test check fmt clippy doc deny shell bench soak screenshots clean-machine

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: setup build ## Set everything up and run the main job: a feature's tasks become checked patches (KEEP=0: clean up after; NODES=3: on a mesh)
	@$(with_env) KEEP=$(KEEP) NODES=$(NODES) $(BIN) demo

test: setup-tests build ## Set everything up and run all tests
	@$(with_env) $(required) tests/setup/test.sh

check: fmt clippy shell test doc deny ## What CI runs: format, lints, tests, docs, dependencies

setup: ## Docker engine, images, Radicle programs, Spec-Kit (about 11 min the first time, 1 s after)
	@dockerfiles/setup/all.sh

setup-tests: ## The same, a browser and PostgreSQL, for tests
	@dockerfiles/setup/all.sh --tests

build: ## The program `ikigai` (about 5 min the first time)
	@[[ -x $(BIN) ]] || echo "[build] compiling ikigai, about 5 min on two cores …" >&2
	@cargo build --locked -p ikigai-cli -p ikigai-agentd
	@echo "[build] $(BIN)" >&2

dashboard: ## The files of the dashboard in the program, from its sources (needs npm)
	@tests/setup/dashboard.sh --build

image: ## The image that agents run in
	@for part in engine base code-server agent-tools agent-image; do dockerfiles/setup/$$part.sh; done

node-image: setup ## The image ikigai-node: a node to be started with `docker run`
	@dockerfiles/setup/node-image.sh

fmt: ## Check the format
	@cargo fmt --all --check

clippy: ## Check the lints, warnings denied
	@cargo clippy --workspace --all-targets --locked -- -D warnings

doc: ## Check the documentation, warnings denied
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --no-deps --locked

deny: ## Check licences and sources of dependencies
	@tests/setup/lint.sh
	@"$$(tests/setup/lint.sh --print)/cargo-deny" --locked check --hide-inclusion-graph bans licenses sources

shell: ## Check the shell scripts
	@tests/setup/lint.sh
	@shellcheck -x dockerfiles/setup/*.sh tests/setup/*.sh .ci/run

bench: $(if $(simulated),,setup) ## Measure, each figure paired with what it is compared to (B=B6: that one alone)
	@$(if $(simulated),,cargo build --release --locked -p ikigai-cli)
	@$(if $(simulated),,$(with_env) cargo bench --locked -p ikigai-tests $(if $(B),--bench $(b),--benches))
	@$(foreach name,$(if $(B),$(simulated),b3 b4),cargo run --release --locked --manifest-path tests/bench-gossip/Cargo.toml --bin $(name);)

soak: setup-tests build ## All tests with their long settings: thousands of crash points
	@$(with_env) $(required) IKIGAI_SOAK=1 tests/setup/test.sh

screenshots: setup-tests build ## The pictures in the documentation, from a run of the demo
	@$(with_env) tests/setup/screenshots.sh

clean-machine: ## Remove containers, images and node state; the cache stays
	@dockerfiles/setup/clean.sh
