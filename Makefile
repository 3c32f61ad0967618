# Waybill. Needs only make, sh and Python 3.11 or later.
.POSIX:
.DEFAULT_GOAL := help

python = .venv/bin/python
manage = $(python) manage.py
SEED = 1
STYLE = orchestration
FRESH =
WAYBILL_PORT = 8000
TESTS =
ORDERS =
FLOW_ORDERS = 5000
WORKERS = 2
EVENTS = 1000000
SAGAS = 200000
PARTS =
MINUTES = 10
RATE =
REPEATS = 3
ROUNDS = 5
SCALE = 1
ONLY =

.PHONY: help setup dev demo up down reset test verify format lint types contracts migrations openapi events chaos chaos-provider properties conformance-peers e2e lock services-check compare-styles bench bench-flow bench-growth bench-rebuild bench-read bench-scale load

help: ## Show this list
	@echo "Waybill: every order through payment, inventory and shipping, or everything given back."
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv from the hashed locks (PYTHON=... chooses the interpreter)
	@sh scripts/setup.sh base

dev: ## The same with what tests and checks need
	@sh scripts/setup.sh dev

demo: setup ## Run real orders through the whole system and show what came of them (FRESH=1, SEED=n, STYLE=...)
	@$(manage) demo --seed $(SEED) --style $(STYLE) $(if $(FRESH),--fresh)

up: setup ## The same system in the foreground, with the web server; Ctrl-C stops it
	@$(manage) up --port $(WAYBILL_PORT)

down: setup ## Stop what runs on this state folder
	@$(manage) down

reset: setup ## Stop it and delete its data
	@$(manage) reset

test: dev ## Run the tests on a PostgreSQL and Valkey of their own (TESTS=path, WORKERS=n)
	@$(python) -m pytest -n $(WORKERS) -q $(TESTS)

verify: format lint types contracts migrations openapi events test ## The whole gate

format: dev
	@$(python) -m ruff format --check .

lint: dev
	@$(python) -m ruff check .

types: dev
	@$(python) -m mypy .

contracts: dev
	@.venv/bin/lint-imports

migrations: dev
	@$(manage) check
	@$(manage) makemigrations --check --dry-run

openapi: dev
	@sh scripts/openapi.sh --check

events: dev ## Is docs/events what the contracts say, and can every version ever written be read?
	@$(manage) event_catalogue --check

chaos-provider: dev ## Orders on a bad day of their providers: slow, wrong, down and late (SEED=n, ORDERS=n)
	@SEED=$(SEED) ORDERS=$(or $(ORDERS),5000) $(python) -m pytest -q -m provider tests/chaos/test_provider.py

properties: dev ## Random histories against the rules, others in every run (ROUNDS=n)
	@for round in $$(seq $(ROUNDS)); do echo "Round $$round of $(ROUNDS)"; \
		$(python) -m pytest -n $(WORKERS) -q -m hypothesis --hypothesis-profile=explore $(TESTS) || exit 1; done

chaos: dev ## The longer runs that kill workers, broker and database
	@$(python) -m pytest -q -m chaos $(TESTS)

conformance-peers: dev ## The Stripe gateway against localstripe, if it is on PATH or in $LOCALSTRIPE
	@$(python) -m pytest -q -rs -m peers $(or $(TESTS),tests/payments/test_gateway_peers.py)

bench: ## Measure Waybill beside its peers and bare SQL in one run (REPEATS=n, SCALE=x, ONLY=names)
	@sh scripts/setup.sh bench
	@$(python) -m benchmarks.side_by_side --repeats $(REPEATS) --scale $(SCALE) --only $(ONLY)

bench-read: dev ## Measure reads at ten thousand and at a million orders; fails if they grow
	@$(python) -m benchmarks.read_side

e2e: ## Drive the pages in a browser (needs Chromium)
	@sh scripts/setup.sh e2e
	@$(python) -m pytest -q -m e2e $(TESTS)

load: setup ## Orders over HTTP at the highest rate that is held, for MINUTES (RATE=n holds that one)
	@$(python) -m benchmarks.load --minutes $(MINUTES) $(if $(RATE),--rate $(RATE))

compare-styles: setup ## Measure orchestration and choreography in one run, on services of its own (ORDERS=n)
	@$(python) -m benchmarks.compare_styles --orders $(or $(ORDERS),2000)

bench-flow: dev ## The full order flow beside the same rows and the same calls by hand: ratios (FLOW_ORDERS=n)
	@$(python) -m benchmarks.full_flow --orders $(FLOW_ORDERS)

bench-growth: dev ## Does anything slow down or swell with what is in the tables? (REPEATS, SCALE, SAGAS=n, PARTS=names)
	@$(python) -m benchmarks.growth --repeats $(REPEATS) --scale $(SCALE) --sagas $(SAGAS) --parts $(PARTS)

bench-scale: dev ## More worker processes, a worker for each app, and a model of more machines (REPEATS, SCALE, PARTS=names)
	@$(python) -m benchmarks.scale_out --repeats $(REPEATS) --scale $(SCALE) --parts $(PARTS)

lock: ## Write the locks anew from requirements/*.in (needs uv)
	@sh scripts/lock.sh

services-check: dev ## Run each compose service's command against the system's PostgreSQL and Redis
	@$(python) -m scripts.services_check

bench-rebuild: dev ## Measure how fast a projection is built anew (EVENTS=n)
	@$(python) -m benchmarks.rebuild --events $(EVENTS)
