# Two commands for a fresh machine: `make run` serves etc/ocsgw.toml, `make test` runs all tests.
# Both set up what they need and are quick the second time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

# Where Python is told to keep nothing that it has compiled, each start of a server compiles all modules anew: half its time.
unexport PYTHONDONTWRITEBYTECODE

# Whether this Python has its header files.
HAS_HEADERS := $(BIN)/python -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null

.PHONY: run test soak lint format diagram html man messages schema reference bench bench-quick fuzz tls-audit deb deb-check clean

run: $(VENV)/.run
	@exec $(BIN)/python -m ocsgw run --config etc/ocsgw.toml --example

test: $(VENV)/.dev $(VENV)/.servers $(VENV)/.tools
	$(BIN)/python -m twisted.trial tests

# The long forms of the tests, part by part; `make soak ONLY="pair database"` runs some. Which there are: tests/soak.py.
ONLY ?=
soak: $(VENV)/.dev $(VENV)/.servers $(VENV)/.tools
	@$(BIN)/python -m tests.soak $(ONLY)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

diagram: $(VENV)/.dev
	$(BIN)/python docs/diagram.py

# The messages of the log in docs/operations.md and docs/man/ocsgw.md, from their table, and so in man/ocsgw.8.
messages: $(VENV)/.dev
	$(BIN)/python docs/messages.py
	@$(MAKE) --no-print-directory man

# The manual pages in man/, which packages have as they are, from docs/man.
man: $(VENV)/.dev
	$(BIN)/sphinx-build -q -W --keep-going -b man -d build/doctrees docs build/man
	cp build/man/ocsctl.8 build/man/ocsgw.8 build/man/ocsgw.toml.5 man/

# The tables of our own that a new store gets, from the migrations.
schema: $(VENV)/.dev
	$(BIN)/python docs/own_schema.py

# The tables of docs/http.md, from those of the program.
reference: $(VENV)/.dev
	$(BIN)/python docs/reference.py
	$(BIN)/python docs/protocol_reference.py

# The pages of docs/ as HTML, in build/html.
html: $(VENV)/.dev
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/html
	@echo "written: build/html/index.html"

# One table, build/bench/bench.json and bench.png; half an hour. `make bench-quick` gives the main rows in two minutes.
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

bench-quick: $(VENV)/.bench
	$(BIN)/python -m benchmarks front durable --rounds 1 --seconds 1 --pinned yes --keys constant

# Broken inputs for each reader of bytes; the number of one that fails is printed.
ROUNDS ?= 100000
fuzz: $(VENV)/.dev
	$(BIN)/python -m benchmarks.fuzz --rounds $(ROUNDS)

# What testssl.sh and nmap say about HTTPS with defaults; minutes.
tls-audit: $(VENV)/.dev
	@command -v testssl >/dev/null && command -v nmap >/dev/null || { \
	  echo "Installing testssl.sh and nmap ..."; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq testssl.sh nmap >/dev/null; }
	$(BIN)/python -m tests.integration.tls_audit

# build/ocsgw_VERSION_ARCHITECTURE.deb, for machines with the Debian of this one.
deb: $(VENV)/.run
	@$(BIN)/python packaging/deb/build.py build

# The package in a clean Debian: installed, started, upgraded, removed. Minutes; needs root and a Debian mirror.
deb-check: $(VENV)/.dev
	@command -v mmdebstrap >/dev/null || { \
	  echo "Installing mmdebstrap ..."; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends mmdebstrap >/dev/null; }
	@$(SUDO) $(BIN)/python -m tests.integration.deb_chroot build/chroot/base.tar

clean:
	rm -rf $(VENV) build dist *.egg-info _trial_temp*

# A Python without venv (Debian keeps it in a package of its own) gets it first.
$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	  echo "Installing python3-venv ..."; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq python3-venv >/dev/null && \
	  rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }

# From the checkout the package itself is found in the working directory; only what it needs is installed.
# Parts are compiled beside their sources, if there is a compiler.
PARTS := pyproject.toml $(wildcard ocsgw/speedups/*.p[yx][xd])

$(VENV)/.run: $(PARTS) $(VENV)/bin/python
	@echo "Setting up $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --editable . --config-settings editable_mode=strict
	@touch $@

# Contains what `make run` needs: parts are compiled once, and after the compiler has come.
$(VENV)/.dev: $(PARTS) $(VENV)/bin/python
	@echo "Setting up $(VENV) with the tools ..."
	@command -v gcc >/dev/null && $(HAS_HEADERS) || { \
	  echo "Installing gcc and the header files of Python ..."; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) apt-get install -y -qq --no-install-recommends gcc libc6-dev python3-dev >/dev/null; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[dev]' --config-settings editable_mode=strict
	@touch $(VENV)/.run $@

# The servers of the tests start from here; Debian's own cluster is not made, and nothing is started.
$(VENV)/.servers: $(VENV)/bin/python
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 && { command -v pgbouncer || ls /usr/sbin/pgbouncer; } >/dev/null 2>&1 || { \
	  echo "Installing PostgreSQL and PgBouncer ..."; \
	  $(SUDO) mkdir -p /etc/postgresql-common && \
	  { [ -e /etc/postgresql-common/createcluster.conf ] || \
	    echo "create_main_cluster = false" | $(SUDO) tee /etc/postgresql-common/createcluster.conf >/dev/null; } && \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    -o Dpkg::Options::=--force-confold postgresql pgbouncer >/dev/null; }
	@command -v haproxy >/dev/null 2>&1 || ls /usr/sbin/haproxy >/dev/null 2>&1 || { \
	  echo "Installing HAProxy ..."; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    haproxy >/dev/null; }
	@command -v patroni >/dev/null && command -v etcd >/dev/null && { command -v keepalived || ls /usr/sbin/keepalived; } >/dev/null 2>&1 || { \
	  echo "Installing Patroni, etcd and keepalived ..."; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    patroni python3-etcd etcd-server keepalived >/dev/null; }
	@touch $@

# promtool checks the rules of Prometheus, Chromium looks at the console, shells complete. Prometheus itself is not started.
$(VENV)/.tools: $(VENV)/bin/python
	@command -v promtool >/dev/null && command -v chromedriver >/dev/null && \
	  command -v zsh >/dev/null && command -v fish >/dev/null && command -v curl >/dev/null || { \
	  echo "Installing promtool, Chromium, shells and curl ..."; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    prometheus chromium chromium-driver zsh fish curl >/dev/null; }
	@touch $@

$(VENV)/.bench: $(PARTS) $(VENV)/.dev
	@command -v nginx >/dev/null && command -v wrk >/dev/null || { \
	  echo "Installing nginx and wrk ..."; \
	  $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq nginx-light wrk >/dev/null; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --editable '.[dev,bench]' --config-settings editable_mode=strict
	@touch $@
