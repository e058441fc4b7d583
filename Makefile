# `make test` is everything that must hold; `make help` lists the rest.
# It needs Go, git, make and Node.js, and installs what else it uses, or says what is missing.

SHELL := /bin/bash
GO ?= go
# How long each fuzz target runs.
FUZZTIME ?= 5s
# The modules that go.work ties together, the root first.
MODULES := $(shell sed -n 's/^\t\(\.[^ ]*\)$$/\1/p' go.work)

.PHONY: help test lint race fuzz mutants js js-mutants page e2e load generated needs bench bench-quick quickstart orders clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

test: needs lint generated race fuzz mutants js page e2e ## everything: what CI runs
	@echo "make test: all passed"

needs: ## what the tests use beside Go: npm packages, PostgreSQL
	@scripts/npm.sh js
	@scripts/npm.sh schema/parsercheck
	@scripts/npm.sh examples/orders/web
	@scripts/need.sh 'ls /usr/lib/postgresql/*/bin/initdb' postgresql

lint: bin/staticcheck bin/govulncheck ## gofmt, vet, staticcheck, govulncheck
	@unformatted="$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l)"; \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	@for m in $(MODULES); do echo "== vet and staticcheck in $$m"; \
		(cd $$m && $(GO) vet ./... && $(CURDIR)/bin/staticcheck ./...) || exit 1; done
	@echo "== vet for systems without non-blocking writes"; GOOS=windows $(GO) vet . ./client
	@for m in $(MODULES); do echo "== govulncheck in $$m"; scripts/govulncheck.sh $$m || exit 1; done
	@echo "== usercast vet on the examples"; $(GO) run ./cmd/usercast vet ./examples/quickstart && cd examples/orders && $(GO) run github.com/usercast-go/usercast/cmd/usercast vet ./...

generated: needs ## what is generated and committed is what would be generated now
	@node js/typegen/build.mjs --check
	@scripts/quickstart-bundle.sh --check
	@cd examples/orders && $(GO) run github.com/usercast-go/usercast/cmd/usercast types ./events -o web/src/events.gen.ts --check

race: needs ## all tests of all modules, with the race detector
	@for m in $(MODULES); do echo "== tests in $$m"; (cd $$m && $(GO) test -race -timeout 10m ./...) || exit 1; done
	@echo "== in full size without it: allocations, a day of silence, 10,000 connects, 200,000 users"
	$(GO) test -count=1 -run 'Allocates|ManySilent|LeavesNothing|AbsentUsers|ManyUsers' .

fuzz: ## every fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

mutants: ## break hub and emission on purpose; the oracles must see each way
	$(GO) run ./internal/mutants

js: needs ## the browser client: types, tests, package, sizes
	@cd js && npm run --silent check

js-mutants: needs ## break the browser client on purpose; its tests must see each way (ten minutes, not in make test)
	@cd js && node scripts/mutants.js && node test/react-mutants.js

page: needs ## the page of examples/orders: types, tests, and that what is committed is its newest build
	@cd examples/orders/web && npm run --silent check

e2e: ## real Chromiums: the browser client against the real hub, the order book on both databases
	@scripts/e2e.sh
	@scripts/orders-e2e.sh

load: ## the order book under load: 20 users, 3 devices each, two minutes (not in make test)
	@scripts/orders-e2e.sh load

bench: ## all scenarios against all peers: writes docs/performance.md (about an hour)
	cd bench && $(GO) run ./cmd/bench -out ../docs

bench-quick: ## the same in two minutes, printed only
	cd bench && $(GO) run ./cmd/bench -quick

quickstart: ## the example, on http://127.0.0.1:8080
	$(GO) run ./examples/quickstart

orders: ## the large example, on http://127.0.0.1:8090
	$(GO) run ./examples/orders

bin/staticcheck: tools/go.mod tools/go.sum
	cd tools && GOWORK=off $(GO) build -o ../bin/ honnef.co/go/tools/cmd/staticcheck
	@touch $@

bin/govulncheck: tools/go.mod tools/go.sum
	cd tools && GOWORK=off $(GO) build -o ../bin/ golang.org/x/vuln/cmd/govulncheck
	@touch $@

clean: ## remove what was built
	rm -rf bin
