# `make demo` and `make test` set up all they need on Debian 12 or 13. The command is then .venv/bin/tickless.
SHELL := /bin/bash
BIN := .venv/bin
PYTEST := $(BIN)/pytest -n auto --maxprocesses 4 --dist loadgroup

.PHONY: demo test test-all check bench storms suites fuzz mutants clean setup-demo setup-test setup-all

demo: build/demo/daemon
	$(BIN)/tickless run --start '2026-01-01 00:00:00' --at 12h:SIGHUP --at 1d:SIGTERM --stats -- build/demo/daemon

# The fast tier: below 20 minutes on two cores.
test: setup-test build/demo/daemon check
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered --cov-fail-under=95

# And what takes long or needs large packages. What comes of it goes to docs/slow-tests.md and docs/performance.md.
test-all: setup-all test
	status=0; $(PYTEST) -m slow --junitxml build/slow.xml || status=$$?; \
	$(BIN)/python scripts/report_slow_tests.py build/slow.xml && $(BIN)/python -m benchmarks.compare --docs && exit $$status

check: setup-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup-test
	$(BIN)/python -m benchmarks

# Each program of tests/stress N times.
N ?= 100
storms: setup-test
	STORMS=$(N) $(BIN)/pytest -q -m slow tests/stress -k many_runs --timeout 7200

# N random scripts by Linux and by tickless: what they print must agree.
fuzz: N = 2000
fuzz: setup-test
	$(BIN)/python -m fuzz --scripts $(N) $(if $(SEED),--seed $(SEED))

# Rules of the kernel, broken one at a time: the contracts have to notice each. Those that name WORD, or all.
mutants: setup-test
	$(BIN)/python -m mutants $(if $(WORD),$(WORD),--docs)

# Suites that nobody here wrote, natively and under tickless; one family with ONLY=NAME, one part of it with PIECE=NAME.
suites: setup-test
	$(BIN)/python -m suites $(if $(ONLY),--only $(ONLY)) $(if $(PIECE),--piece $(PIECE))

build/demo/daemon: examples/demo/daemon.c | setup-demo
	mkdir -p $(@D)
	gcc -O2 -Wall -Wextra -o $@ $< $$(pkg-config --cflags --libs libsystemd)

setup-demo setup-test setup-all: setup-%:
	@scripts/setup $*

clean:
	rm -rf build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
