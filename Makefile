# Every target sets up .venv itself; `make` alone lists the targets.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# If it is set, every run would recompile the SDKs, which doubles its time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup up preview down servers servers-down stack-diff stack-preview stack-up \
  stack-drift check test test-full nightly bench bench-quick e2e golden docs screenshots lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup:
	@scripts/setup

up: setup ## Provision all teams on the embedded sandbox: Pulumi's engine, no cluster or account
	@$(PYTHON) -m sandbox up

preview: setup ## Show what `make up` would change; REFRESH=1 reads the servers first
	@$(PYTHON) -m sandbox preview $(if $(REFRESH),--refresh)

down: setup ## Remove everything in the sandbox
	@$(PYTHON) -m sandbox down

servers: setup ## Start real servers here: an API server, OpenBao, the External Secrets Operator; PARTS=all for more
	@$(PYTHON) -m sandbox servers

servers-down: setup ## Stop these servers and keep their data
	@$(PYTHON) -m sandbox servers-down

# CI runs these for each stack; RESULT=FILE also stores the output.
stack-diff: setup ## Summarise what the change since BASE (default: origin/main) does to stack STACK
	@scripts/stack diff "$(STACK)"

# REFRESH=1 reads the servers first, so that manual changes are seen.
stack-preview: setup ## Show what `make stack-up` would change, with Pulumi's CLI and STACK's servers
	@scripts/stack preview "$(STACK)"

stack-up: setup ## Run `pulumi up` for stack STACK without asking; creates a new stack
	@scripts/stack up "$(STACK)"

stack-drift: setup ## Compare STACK with its servers without changes; fails if they differ
	@scripts/stack drift "$(STACK)"

check: setup ## Run the quick checks: lint, format, types, unit tests
	@$(PYTHON) -m tests.stages lint types unit

test: setup ## Run everything CI runs, or STAGES of: lint types unit commands bench engine servers
	@$(PYTHON) -m tests.stages $(STAGES)

test-full: test ## Run `make test`, then tests with more programs: Kyverno, Prometheus, Istio, Keycloak, Cosign, Chromium
	@$(PYTHON) -m tests.stages parts

nightly: setup ## Run the tests with generated values, with many more values than `make test`
	@$(PYTHON) -m tests.stages nightly

bench: setup ## Measure what the platform costs up to 1,000 teams; writes bench/results.md
	@$(PYTHON) -m bench

bench-quick: setup ## Measure the most important ratios in a minute; fails if one is far off
	@$(PYTHON) -m bench --quick

e2e: setup ## Run stack `dev` and a fleet on real servers with the official Pulumi plugins, if available
	@$(PYTHON) -m pytest -q -rs -m e2e tests/e2e

golden: setup ## Update the golden files of `./sre render`
	@UPDATE_GOLDEN=1 $(PYTHON) -m pytest -q tests/test_render.py

docs: setup ## Regenerate docs/reference.md from the models, and the picture of imports
	@$(PYTHON) -m cli.reference
	@$(PYTHON) -m cli.rooms

screenshots: setup ## Take the pictures of `./sre page` in docs/images; needs Chromium (scripts/install-browser)
	@$(PYTHON) -m tests.screenshots

lock: setup ## Regenerate requirements.lock from requirements.txt and the groups in pyproject.toml
	@$(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --upgrade --custom-compile-command "make lock" --output-file requirements.lock \
	  --group dev requirements.txt

clean: ## Stop the servers; remove .venv, the sandbox's state and caches
	@if [ -n "$$(ls .sandbox/servers/pids 2>/dev/null)" ]; then \
	  scripts/setup && $(PYTHON) -m sandbox servers-down; fi
	@rm -rf .venv .sandbox .pytest_cache .ruff_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +
