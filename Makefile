# Everything a contributor or CI runs is a target here; bare make lists them.

# How long make fuzz spends on each fuzz target.
FUZZTIME ?= 1m
# How long make bench runs each benchmark; 1x runs each once, to see that it still does.
BENCHTIME ?= 1s
# The baton.yaml to put into the packages for Lambda; none: it comes by another way, as infra/terraform's layer is one.
CONFIG ?=
# The longest that a function's cold start may take in make lambda-check, the median of nine.
COLDSTART ?= 100ms
# How long make chaos lasts, and how many seeds make simulate runs.
CHAOS ?= 5m
SEEDS ?= 100000
# How long make first-token sends at half load.
FIRST ?= 20s
# What make soak repeats, and how often.
SOAK ?= ./internal/bus/...
COUNT ?= 20

# The linter is pinned here and built once into .bin; its version is in the file's name, so that a new one is built anew.
GOLANGCI_VERSION := v2.15.0
GOLANGCI := .bin/golangci-lint-$(GOLANGCI_VERSION)

# What makes the stubs of internal/oip, pinned and built once likewise. A build needs none of it: what is made is in the tree.
BUF_VERSION := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
BUF := .bin/buf-$(BUF_VERSION)
PLUGINS := .bin/plugins-$(PROTOC_GEN_GO_VERSION)-$(PROTOC_GEN_GO_GRPC_VERSION)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build every command into ./bin
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

.PHONY: demo
demo: ## send three requests through the whole chain in one process, and show each hop
	@go run ./cmd/baton demo

.PHONY: test
test: ## run every test
	go test ./...

.PHONY: test-race
test-race: ## run every test under the race detector, in random order (needs a C compiler)
	go test -race -shuffle=on -timeout=30m ./...

.PHONY: crash
crash: ## kill real processes under load, and count what was accepted, delivered, repeated and lost
	go test -count=1 -v -run 'LosesNothing|LoseNothing' ./local

.PHONY: chaos
chaos: ## kill and restart any process, JetStream servers and Redis too, under load for CHAOS, and count
	go test -count=1 -v -timeout 60m -run 'TestChaosLosesNothing' ./local -chaos=$(CHAOS)

.PHONY: first-token
first-token: ## time first tokens through the chain and from the model itself, at half the highest rate, for FIRST
	go test -count=1 -v -timeout 30m -run '^TestTheFirstTokenComesSoonAfterTheModelMadeIt$$' ./local -first-token=$(FIRST)

.PHONY: simulate
simulate: ## run the chain in simulation with SEEDS seeds
	go test -count=1 -v -timeout 120m -run 'TestSeeds' ./internal/simulation -seeds=$(SEEDS)

.PHONY: soak
soak: ## run the transports' conformance suites COUNT times under the race detector (needs a C compiler)
	go test -race -shuffle=on -count=$(COUNT) -timeout=60m $(SOAK)

.PHONY: fuzz
fuzz: ## fuzz every decoder for FUZZTIME each
	@list=$$(go test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
	echo "$$list" | awk '/^Fuzz/ { f[n++] = $$1 } /^ok/ { while (n) print $$2, f[--n] }' | \
	while read -r pkg name; do \
		echo "==> $$pkg $$name"; \
		go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg" || exit 1; \
	done

.PHONY: bench
bench: ## run every benchmark for BENCHTIME each
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...

.PHONY: cover
cover: ## run every test and show how much of each function they reach
	go test -coverpkg=./... -coverprofile=cover.out ./...
	go tool cover -func=cover.out

.PHONY: lambda
lambda: ## build the functions for AWS Lambda into dist/lambda, with CONFIG=baton.yaml in them if it is given
	go run ./internal/lambdazip -out dist/lambda $(if $(CONFIG),-config $(CONFIG))

.PHONY: lambda-check
lambda-check: ## build the functions for AWS Lambda and measure their size, cold start and memory
	go test -count=1 -run '^TestAColdStartIsQuickAndSmall$$' ./internal/lambdatest -v -cold-start=$(COLDSTART)

.PHONY: check
check: tidy-check generate-check vet fmt-check lint infra-check ## all that can be said without running the code; CI runs this and test

.PHONY: generate
generate: $(BUF) $(PLUGINS) ## make the generated Go files anew
	PATH="$(CURDIR)/$(PLUGINS):$$PATH" $(BUF) generate

.PHONY: infra
infra: ## check, test and plan the Terraform code (needs terraform and its providers)
	@infra/terraform/check

.PHONY: lint
lint: $(GOLANGCI) ## run the linters of .golangci.yml
	$(GOLANGCI) run ./...

.PHONY: fmt
fmt: $(GOLANGCI) ## format the Go files
	$(GOLANGCI) fmt

.PHONY: clean
clean: ## remove what make built, its tools included
	rm -rf bin .bin dist cover.out

# The parts of check.

.PHONY: tidy-check generate-check vet fmt-check infra-check
tidy-check:
	go mod tidy -diff

generate-check: $(BUF) $(PLUGINS)
	@out=$$(mktemp -d); trap 'rm -rf "$$out"' EXIT; \
	PATH="$(CURDIR)/$(PLUGINS):$$PATH" $(BUF) generate --output "$$out" && \
	for made in "$$out"/internal/oip/*; do \
		diff -u "internal/oip/$${made##*/}" "$$made" || { echo "make generate makes another file"; exit 1; }; \
	done

vet:
	go vet ./...

fmt-check: $(GOLANGCI)
	$(GOLANGCI) fmt --diff

infra-check:
	@infra/terraform/check --without-providers

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION) once; this takes a few minutes"
	GOBIN=$(CURDIR)/.bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .bin/golangci-lint $@

$(BUF):
	@echo "building buf $(BUF_VERSION) once; this takes a minute"
	GOBIN=$(CURDIR)/.bin go install github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION)
	mv .bin/buf $@

$(PLUGINS):
	GOBIN=$(CURDIR)/$@.part go install google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION)
	GOBIN=$(CURDIR)/$@.part go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION)
	mv $@.part $@
