# Everything a change to wiretell needs. `make` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
BIN ?= bin/wiretell

# What the binary says it is, and whether git may be asked to stamp it.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BUILDVCS := $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(BUILDVCS) -ldflags '-s -w -buildid= -X main.version=$(VERSION)'

# The first architecture is the one that docker load names wiretell/wiretell:VERSION.
IMAGE_ARCH ?= $(shell $(GO) env GOARCH),$(if $(filter arm64,$(shell $(GO) env GOARCH)),amd64,arm64)

# Suites against real peers and containers run one package at a time, after
# the rest: they measure, and they need the cores.
INTEGRATION := ./integration/... $(if $(wildcard examples),./examples/...)
UNITS = $$($(GO) list ./... | grep -vE '^[^/]+/[^/]+/[^/]+/(integration|examples)(/|$$)')

# CI never takes a result from the cache.
TESTFLAGS ?= -timeout 20m $(if $(CI),-count=1)
# make lint runs all of go vet; what go test runs of it would walk through two
# thousand packages of others once more for each way of building.
TEST := test -vet=off
FUZZTIME ?= 1m
BENCH ?= .
BENCHTIME ?= 1s

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/wiretell: one static binary (GOARCH=arm64 BIN=... for another)
	$(BUILD) -o $(BIN) ./cmd/wiretell

.PHONY: image
image: ## make bin/wiretell-image.tar for amd64 and arm64 (IMAGE_ARCH), and load it where a Docker engine answers
	VERSION='$(VERSION)' REVISION="$$(git rev-parse HEAD 2>/dev/null || true)" SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 0)}" \
		$(GO) run ./integration/image/mkimage -arch '$(IMAGE_ARCH)' -o bin/wiretell-image.tar
	@if docker version >/dev/null 2>&1; then docker load -i bin/wiretell-image.tar; else echo "made bin/wiretell-image.tar; no Docker engine answers to load it"; fi

.PHONY: demo
demo: build ## build it and see it, without root
	$(BIN) demo

.PHONY: test
test: test-units test-integration ## run all tests (container suites where a Docker engine answers)
	@docker version >/dev/null 2>&1 || echo "The container suites did not run: no Docker engine answers."

.PHONY: test-units
test-units:
	$(GO) $(TEST) -pgo=off $(TESTFLAGS) $(UNITS)

.PHONY: test-integration
test-integration: peers
	$(GO) $(TEST) -p 1 $(TESTFLAGS) $(INTEGRATION)

.PHONY: race
race: ## run the unit tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) $(TEST) -race -pgo=off $(TESTFLAGS) $(UNITS)

.PHONY: peers
peers: ## build the real Collector, Jaeger and Prometheus of the tests (once, then cached)
	@$(GO) $(TEST) -count=1 -timeout 40m -run '^Test(Collector|Other)Binar' -v ./integration/peers | { grep -vE '^(=== |--- PASS|PASS)' || true; }

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard --deduplicate '*.go' | while read -r f; do [ ! -f "$$f" ] || echo "$$f"; done)); \
	[ -z "$$unformatted" ] || { echo "not in gofmt's form:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck $$($(GO) list ./... | grep -v /integration/kubernetes) # one test, with as many packages as all the rest

.PHONY: bench
bench: ## run the benchmarks of all rooms, and beside tcpdump (BENCH=regexp BENCHTIME=1s)
	@$(GO) $(TEST) -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) ./... | \
	awk '/^pkg:/ {room = $$2; sub("^[^/]*/[^/]*/[^/]*/", "", room)} \
		/^Benchmark/ {if (room != last) print "\n" room; last = room; printf "  %-38s", substr($$1, 10); \
			for (i = 3; i < NF; i += 2) printf " %12s %s", $$i, $$(i + 1); print ""} \
		/^(---|FAIL|panic|    )/'

# What `go build` optimises cmd/wiretell by (ADR 0009). Tests are built without.
.PHONY: profile
profile: ## record cmd/wiretell/default.pgo anew, after a change of the packet path
	$(GO) $(TEST) -trimpath -pgo=off -run '^$$' -bench '^BenchmarkSpine$$' -benchtime 60x -o /dev/null \
		-cpuprofile $(CURDIR)/cmd/wiretell/default.pgo ./integration/bench

.PHONY: fuzz
fuzz: ## fuzz every target for FUZZTIME (default 1m)
	@$(MAKE) --no-print-directory fuzz-list | while read -r package target; do \
		echo "== $$target ($$package)"; \
		$(GO) $(TEST) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null; \
	done

# One line per fuzz target: its package and its name.
.PHONY: fuzz-list
fuzz-list:
	@grep -roE '^func Fuzz\w+' --include='*_test.go' . | sed -E 's,^(.*)/[^/]*:func ,\1 ,' | sort

.PHONY: ci
ci: ## what CI runs: lint, builds, demo, a short fuzz, race, all tests
	CI=true bash .ci/run

.PHONY: clean
clean: ## remove what make built here (the peers' cache stays)
	rm -rf bin
