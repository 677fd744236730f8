# Everything a person does often. `make` prints the list.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV := .tools/bin/uv
UV_VERSION := 0.13.9
BIN := .venv/bin
BROWNIE := .venv-contracts/bin/brownie
SOURCES := $(shell find contracts -name '*.sol') brownie-config.yaml
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
# Where it is set, each process that a test starts compiles anew all that it imports, for seconds.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
# Three for two cores: a test that waits for its node or its server leaves its core to another.
WORKERS ?= 3
SEEDS ?= 200
TIMES ?= 10

## ---- first things

help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^## ----/ {printf "\n%s\n", substr($$0, 9)} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .tools/setup.stamp ## Make both Python environments and fetch npm's packages, all from lock files

compile: build/.stamp ## Compile the contracts with Brownie

.tools/setup.stamp: pyproject.toml uv.lock package.json package-lock.json Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@test -x $(UV) || { echo "· uv $(UV_VERSION)"; $(PYTHON) -m venv .tools && .tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	@echo "· the service's environment"
	@UV_PROJECT_ENVIRONMENT=.venv $(UV) sync --quiet --locked --python $(PYTHON)
	@echo "· Brownie's environment"
	@UV_PROJECT_ENVIRONMENT=.venv-contracts $(UV) sync --quiet --locked --python $(PYTHON) --only-group contracts
	@# Brownie looks for its compiler before it reads any file of the project, so its environment has to know.
	@printf 'import os; os.environ.setdefault("SOLCX_BINARY_PATH", "%s"); os.environ["PATH"] = "%s" + os.pathsep + os.environ["PATH"]\n' \
		"$(CURDIR)/scripts/solc" "$(CURDIR)/node_modules/.bin" \
		> "$$(.venv-contracts/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/taesan.pth"
	@echo "· npm's packages"
	@npm ci --loglevel=error --no-audit --no-fund > /dev/null
	@touch $@

build/.stamp: .tools/setup.stamp $(SOURCES)
	@echo "· compiling the contracts (up to a minute, once)"
	@mkdir -p build
	@# Twice: what nothing depends on, Brownie removes when it loads the project again, and then two could not load it at once.
	@for n in 1 2; do $(BROWNIE) compile > build/compile.log 2>&1 || { cat build/compile.log; exit 1; }; done
	@touch $@

## ---- the hub, on this machine

.PHONY: run year audit devnet warp
run: build/.stamp ## Replay real purchases against a hub and a chain, then stay up (ARGS="--help" lists options)
	@$(BIN)/taesan demo $(ARGS)

year: build/.stamp ## Eighteen months of 200 customers with signed rules, in a few minutes: what their small change became
	@$(BIN)/taesan demo --scenario year --folder var/year $(ARGS)

audit: build/.stamp ## Recompute the last run's books, hashes, roots and proofs, and compare with its chain
	@$(BIN)/taesan audit --folder var/demo $(ARGS)

devnet: build/.stamp ## A local chain with the contracts on it, to develop against
	@$(BIN)/taesan devnet $(ARGS)

warp: .tools/setup.stamp ## Move a local chain's clock forward (ARGS="15m"; also 90s, 2h, 3d)
	@$(BIN)/taesan warp $(ARGS)

## ---- figures

.PHONY: bench bench-gas bench-insights bench-pages bench-reads bench-scaling bench-year soak
bench: build/.stamp ## Intake of ours and of all others, pair by pair in one run; writes docs/benchmarks/intake.md (35 minutes)
	@$(BIN)/python -m tests.bench.intake_report $(ARGS)

bench-gas: build/.stamp ## Gas of ours and of all others in one run; writes docs/benchmarks/gas.md
	@$(BIN)/python -m tests.bench.gas_report

bench-scaling: build/.stamp ## The intake with 1, 2, 4 processes and two shards, both databases; writes docs/benchmarks/scaling.md
	@$(BIN)/python -m tests.bench.scaling

bench-insights: build/.stamp ## Standing costs found and months' ends forecast, beside others; writes docs/benchmarks/insights.md; and a busy month's audit (some five minutes)
	@$(BIN)/python -m tests.bench.insights_report
	@$(BIN)/python -m tests.bench.month_audit

bench-pages: build/.stamp ## How soon each page is there in Chromium, and what it fetches; writes docs/benchmarks/pages.md (some five minutes)
	@$(BIN)/python -m tests.bench.pages $(ARGS)

bench-reads: build/.stamp ## Balances, statements and pages at 10⁴, 10⁵, 10⁶ payments; writes docs/benchmarks/reads.md (some ten minutes)
	@$(BIN)/python -m tests.bench.reads $(ARGS)

bench-year: build/.stamp ## What the small change of 200 customers became in 18 months; writes docs/benchmarks/year.md (a few minutes)
	@$(BIN)/taesan demo --scenario year --folder var/year --exit --write docs/benchmarks/year.md $(ARGS)

soak: build/.stamp ## Ten minutes of steady load: is memory flat? Writes docs/benchmarks/soak.md (ARGS="--minutes 2")
	@$(BIN)/python -m tests.bench.soak $(ARGS)

## ---- tests

CHECKS := test-contracts test-ganache-briefly test-invariants slither lint

test: build/.stamp ## All tests: contracts, unit, property, API, browser, end to end (some 14 minutes on two cores)
	@echo "· one after the other, beside the service's tests: $(CHECKS) (each is heard of at its end)"
	@$(MAKE) --no-print-directory --jobs=2 test-backend $(CHECKS:%=beside-%)
	@echo "all tests passed"

beside-%:
	@$(MAKE) --no-print-directory $* > build/$*.log 2>&1 || { cat build/$*.log; echo "✗ $*"; exit 1; }
	@printf '\n✓ %s: %s\n' $* "$$(grep -E 'passed|violations|answered|no issues' build/$*.log | tail -n 1)"

beside-test-ganache-briefly: beside-test-contracts

lint: .tools/setup.stamp ## Formatting, lint, types
	@$(BIN)/ruff check backend tests
	@$(BIN)/ruff check --ignore T201 docs/examples
	@$(BIN)/ruff format --check --quiet backend tests docs/examples
	@$(BIN)/mypy

slither: .tools/setup.stamp ## Static analysis: every finding is answered in docs/security.md
	@.venv-contracts/bin/python scripts/static_analysis.py

test-backend: build/.stamp ## Unit, property, API, browser (each journey in one size) and end-to-end tests on SQLite; then PostgreSQL executes each statement too
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS) --one-size --note=build/executed.json
	@echo "· on PostgreSQL, of what is marked for both databases, few tests that execute each statement which all of them execute"
	@# One worker more: half of their work is the server's. Of random examples a quarter: a database differs in what it makes of a
	@# statement, not in what the service asks when.
	@TAESAN_TEST_TIMES=1/4 $(MAKE) --no-print-directory test-postgresql WORKERS=$$(( $(WORKERS) + 1 )) ARGS="$(ARGS) --briefly=build/executed.json"

test-postgresql: build/.stamp ## What is marked for both databases, on PostgreSQL, whole
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --database postgresql $(ARGS) || test $$? = 5 # 5: ARGS names none of them

test-browser: build/.stamp ## What people see, in Chromium against a live hub and chain, on phone and desk, in Korean and English; pictures in reports/screenshots
	@$(BIN)/python -m pytest tests/browser -n $(WORKERS) --dist worksteal $(ARGS)

PICTURES := overview-en-1280-light:overview wallet-joy-en-1280:wallet merchant-home-en-1280:merchant

images: test-browser ## The README's pictures, as make test-browser leaves them
	@for pair in $(PICTURES); do cp "reports/screenshots/$${pair%%:*}.png" "docs/images/$${pair##*:}.png"; done

test-x402: build/.stamp ## The clients of PyPI and npm, each in its own process, pay a merchant through a hub, by each scheme; books audited
	@$(BIN)/python -m pytest tests/x402 $(ARGS)

fuzz: build/.stamp ## Schemathesis against a running hub, from a new seed (ARGS="--fuzz-examples 2000 --hypothesis-seed 7")
	@$(BIN)/python -m pytest tests/e2e/test_schema.py --fuzz-examples 300 $(ARGS)

properties: build/.stamp ## The tests by random examples, with ten times as many of them (TIMES=100)
	@TAESAN_TEST_TIMES=$(TIMES) $(BIN)/python -m pytest -n $(WORKERS) tests/property tests/api/test_restore.py $(ARGS)

audit-deps: .tools/setup.stamp ## Known vulnerabilities of what we depend on, asked of OSV and npm (exit 1: there are; 2: could not ask)
	@$(BIN)/python scripts/audit_dependencies.py

test-contracts: build/.stamp ## The contracts' tests on anvil
	@$(BROWNIE) test $(ARGS) --note=build/asked.json

test-ganache: build/.stamp ## The same suite on Ganache, whole
	@$(BROWNIE) test $(ARGS) --network ganache-cli

build/asked.json: ; @$(MAKE) --no-print-directory test-contracts

test-ganache-briefly: build/.stamp build/asked.json ## On Ganache few of them, which call all that `make test-contracts` has called, with every outcome
	@$(BROWNIE) test $(ARGS) --network ganache-cli --briefly=build/asked.json

test-invariants: build/.stamp ## Half a minute of random calls against the contracts' promises
	@$(BIN)/python tests/invariants/run.py --runs 100000 --seconds 30 $(ARGS)

invariants: build/.stamp ## 120,000 such calls from a new seed (ARGS="--seed …" repeats one)
	@$(BIN)/python tests/invariants/run.py $(ARGS)

mutants: build/.stamp ## Break the contracts in seventy ways, one at a time: do the invariants notice?
	@$(BIN)/python tests/invariants/mutants.py $(ARGS)

# Brownie's source maps do not survive the optimiser: coverage is measured on a copy of the project that is compiled plainly.
PLAIN := build/coverage

simulate: build/.stamp ## Payments, faults and restarts by seeds, in one process: is any promise broken? (SEEDS=5000; ARGS="--help")
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

load: build/.stamp ## 200,000 payments while processes are killed: each in the books once, or refused (ARGS="--help")
	@$(BIN)/python -m tests.chaos.load $(ARGS)

chaos: build/.stamp ## Some forty kinds of fault against real hubs; writes docs/benchmarks/chaos.md (a quarter of an hour; ARGS="postgres" chooses by name)
	@$(BIN)/python -m tests.chaos.run $(ARGS)

coverage: build/.stamp ## Coverage of the contracts' branches by their tests; fails below 95 %
	@mkdir -p $(PLAIN)/tests/support && cp tests/support/fewest.py $(PLAIN)/tests/support/ && rm -rf $(PLAIN)/contracts $(PLAIN)/scripts $(PLAIN)/tests/contracts $(PLAIN)/reports
	@cp -r contracts scripts $(PLAIN)/ && cp -r tests/contracts $(PLAIN)/tests/ && ln -sfn ../../node_modules $(PLAIN)/node_modules
	@sed 's/viaIR: true/viaIR: false/; s/enabled: true/enabled: false/' brownie-config.yaml > $(PLAIN)/brownie-config.yaml
	@cd $(PLAIN) && $(CURDIR)/$(BROWNIE) test $(ARGS) --coverage > coverage.log 2>&1; \
		code=$$?; sed -n '/ Statements and branches of /,$$p' coverage.log; test $$code = 0 || { tail -30 coverage.log; exit 1; }
