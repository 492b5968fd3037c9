# Each target installs what it needs: npm packages into node_modules/, Kafka and ZooKeeper into .cache/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

RUN := node --conditions=kafkaproxy-source
# Tests that need no server; then those with real servers, one file at a time: the machine may be small.
UNIT := $(RUN) --test --test-concurrency=2
REAL := $(RUN) --test --test-concurrency=1

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

node_modules/.package-lock.json: package-lock.json package.json $(wildcard */package.json)
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer, https://nodejs.org" >&2; exit 1; }
	@echo "installing npm packages ..."
	@npm ci --no-progress
	@touch $@

.PHONY: setup
setup: node_modules/.package-lock.json ## Install the npm packages

.PHONY: demo
demo: setup ## The whole thing at work on a real Kafka, with a summary at the end
	@$(RUN) test/demo/demo.ts

.PHONY: playground
playground: setup ## Kafka, ZooKeeper and two proxies, left running to play with
	@$(RUN) test/demo/playground.ts

.PHONY: test
test: lint build test-unit test-real ## Lint, build, and all tests, on a real Kafka and ZooKeeper

.PHONY: test-unit
test-unit: setup ## The tests that need no server (a minute)
	$(UNIT) $$(find */src test -name '*.test.ts' -not -name '*.real.test.ts' -not -path '*/node_modules/*' | sort)

.PHONY: test-real
test-real: setup build ## The tests on a real Kafka and ZooKeeper
	$(REAL) $$(find */src test -name '*.real.test.ts' -not -path '*/node_modules/*' | sort)

.PHONY: lint
lint: setup ## Formatter, type-aware linter, type check
	biome format .
	oxlint --type-aware
	tsc -p tsconfig.json --noEmit

.PHONY: format
format: setup ## Write the format that lint checks
	biome format --write .

.PHONY: build
build: setup ## Compile what is published into */dist
	tsc -b tsconfig.build.json

.PHONY: docs
docs: setup ## Generate the reference pages, the CRD and the chart's copies from their one source
	$(RUN) proxy/src/config/generate-docs.ts
	$(RUN) proxy/src/admin/generate-docs.ts
	$(RUN) operator/src/api/generate.ts
	$(RUN) charts/src/generate.ts

.PHONY: images
images: setup ## The container images as archives, without a registry or a builder
	@$(RUN) images/src/build.ts

.PHONY: cluster
cluster: setup ## A real Kubernetes on this machine with Kafka and ZooKeeper, until Ctrl-C
	@$(RUN) test/servers/kubernetes/leave-running.ts

.PHONY: bench
bench: setup ## Throughput and latency beside a bare kafkajs consumer
	@$(RUN) bench/bench.ts

.PHONY: clean
clean: ## Remove what was built and downloaded
	rm -rf node_modules */dist .cache
