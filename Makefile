# The workshop of Liaison. Needs Go and, for the race detector, a C compiler;
# on Debian .ci/run installs what is missing. `make` lists what there is.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

FUZZTIME ?= 60s
PACKAGES ?= ./...
BENCH    ?= .
# LIAISON_TEST_REQUIRE=all (or a list: redis,postgres,chromium) makes a part
# that a test wants and does not find a failure.

# Two build configurations and no third, so that everything is compiled twice
# at most: what ships, tools included, and the race detector.
static := CGO_ENABLED=0 GOFLAGS="$(shell go env GOFLAGS) -trimpath"
race   := CGO_ENABLED=1
tool   := $(static) go tool -modfile=.tools/go.mod

torture = $(static) go -C .tools run ./torture -fuzztime=$(FUZZTIME) $(if $(RACE),-race)

.PHONY: help demo build test lint fix bench fuzz torture vuln clean cc

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

demo: build ## a whole exchange with sample jurisdictions; then it keeps serving
	bin/liaison demo

build: ## the static binary, as bin/liaison
	$(static) go build -o bin/liaison ./cmd/liaison

test: lint build cc ## what a change must pass: lint, build, all tests under the race detector
	$(race) go test -race -vet=off -timeout 30m ./...

lint: ## gofmt, vet and the linters of .tools/golangci.yml
	$(tool) golangci-lint run --config=.tools/golangci.yml ./...

fix: ## mend what the linters can mend by themselves
	$(tool) golangci-lint run --config=.tools/golangci.yml --fix ./...

bench: ## Go benchmarks; BENCH=regexp chooses
	$(static) go test -run='^$$' -bench='$(BENCH)' -benchmem ./...

fuzz: ## every fuzz target for FUZZTIME; PACKAGES chooses
	$(torture) -tests=false $(PACKAGES)

torture: $(if $(RACE),cc) ## the long forms of the tests, every fuzz target, and one table; PACKAGES chooses, RACE=1 is slower
	$(torture) $(PACKAGES)

vuln: ## known vulnerabilities; asks vuln.go.dev, or the copy that GOVULNDB names
	$(tool) govulncheck $(if $(GOVULNDB),-db '$(GOVULNDB)') ./...

clean: ## remove what was built
	rm -rf bin

cc:
	@read -r cc _ <<<"$$(go env CC)"; command -v "$$cc" >/dev/null || { echo 'The race detector needs a C compiler: apt-get install gcc libc6-dev, or run .ci/run' >&2; exit 1; }
