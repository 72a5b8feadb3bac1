# `make test` and `make demo` work on a bare machine: each makes .venv and installs what it needs first.
# Locked with hashes; llama.cpp is compiled once per machine into a wheelhouse outside the tree.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
# The CPU build is all that tests and the demo need; override to train on a GPU.
TORCH ?= torch==2.13.0
# More than a machine of two cores has: a third of what the tests take is waiting for servers, browsers and refusals.
WORKERS ?= 3
# A file's tests share what they set up, so a worker gets whole files, in the order of tests/conftest.py.
SHARED := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# Compiled once per machine, outside the tree, so that a second clone does not compile again.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/clika-client
SERVERS ?= $(CACHE)/test-servers
WHEELS ?= $(CACHE)/wheels

# pip compiles no module beforehand (--no-compile): most of torch, ray and pandas is never imported, and compiling all of it
# takes longer than downloading it. What is imported is compiled and kept, also where the environment says no: every worker
# and every process that a test starts would compile the tests and the program anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install packages test harnesses check coverage demo demo-model docs lock bench fuzz audit clean

help:
	@echo "make test     install everything and run the whole test suite"
	@echo "make demo     install what running models needs and show the tool at work"
	@echo "make check    ruff and mypy"
	@echo "make coverage the test suite, and the lines it does not run"
	@echo "make docs     regenerate docs made from the program"
	@echo "make bench    run the benchmarks that have a quick size (the others take hours or need models of your own)"
	@echo "make fuzz     damaged files of every kind for a minute (FUZZ_SECONDS=600 FUZZ_INPUTS=100000 FUZZ_SEED=1 for more)"
	@echo "make audit    a bill of materials, and known vulnerabilities of what the locks install"
	@echo "make lock     resolve the requirement files again (needs uv)"

$(VENV)/.core: requirements/core.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-compile --require-hashes -r requirements/core.txt
	$(PIP) install --no-compile --require-hashes -r requirements/build.txt
	$(PIP) install --no-compile --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.wheel: $(VENV)/.core tools/build_llama.sh
	PYTHON=$(abspath $(BIN)/python) sh tools/build_llama.sh $(WHEELS)
	@touch $@

$(VENV)/.local: $(VENV)/.wheel requirements/local.txt
	awk '/^[^ #]/ { wanted = !/^llama-cpp-python==/ } wanted' requirements/local.txt > $(VENV)/local-deps.txt
	$(PIP) install --no-compile --require-hashes -r $(VENV)/local-deps.txt
	$(PIP) install --no-compile --no-deps --no-index --find-links $(WHEELS) llama-cpp-python==0.3.36
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements/dev.txt
	$(PIP) install --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

# The sources of atlas, so that tests build it from them again; holidays works with the newer python-dateutil of the core,
# which it does not allow yet, so that its own requirements are left out.
$(VENV)/.atlas: $(VENV)/.dev requirements/atlas.txt
	awk '/^[^ #]/ { wanted = !/^(babel|python-dateutil|six)==/ } wanted' requirements/atlas.txt > $(VENV)/atlas-sources.txt
	$(PIP) install --no-compile --require-hashes --no-deps -r $(VENV)/atlas-sources.txt
	@touch $@

# Servers written by others that the tests talk to; without npm those tests skip and say so.
$(VENV)/.servers: $(VENV)/.core tests/servers/package.json
	mkdir -p $(SERVERS)
	cp tests/servers/package.json $(SERVERS)/
	-npm install --no-package-lock --no-audit --no-fund --silent --prefix $(SERVERS)
	@touch $@

# torch is left out of the lock: its CPU and GPU builds share a version but not a hash.
$(VENV)/.teach: $(VENV)/.core requirements/teach.txt
	$(PIP) install --no-compile "$(TORCH)"
	$(PIP) install --no-compile --require-hashes --no-deps -r requirements/teach.txt
	@touch $@

# llama.cpp is compiled while packages are downloaded; of pip only one may write into the environment at a time.
install: $(VENV)/.core
	@$(MAKE) --no-print-directory -j3 $(VENV)/.wheel $(VENV)/.servers packages
	@$(MAKE) --no-print-directory $(VENV)/.local

packages: $(VENV)/.core
	@$(MAKE) --no-print-directory $(VENV)/.dev
	@$(MAKE) --no-print-directory $(VENV)/.atlas
	@$(MAKE) --no-print-directory $(VENV)/.teach

test: install
	$(BIN)/python -m pytest $(SHARED)

# The harnesses whose logs are imported, and TRL, which reads what `teach build` writes; each in an environment of its
# own. Their tests skip without them.
harnesses: $(CACHE)/harnesses/lm_eval/.done $(CACHE)/harnesses/inspect_ai/.done $(CACHE)/harnesses/trl/.done

$(CACHE)/harnesses/trl/.done:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -q "$(TORCH)" trl==1.16.0 datasets==5.2.0
	@touch $@

$(CACHE)/harnesses/%/.done:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install -q $(if $(filter lm_eval,$*),"lm_eval[api]==0.4.13",inspect-ai==0.3.285)
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typed_api.py

# Lines that no test runs are named; look at them, not at the percentage. Slipcover takes its probes out of a line once it
# has run: a tenth of the time on top, where a tracer doubles it. It is loaded before pytest could rewrite it, which pytest
# would warn of.
coverage: install
	$(BIN)/python -m slipcover -m pytest -W "ignore:Module already imported" $(SHARED)

demo: $(VENV)/.local
	$(BIN)/clika demo

demo-model: $(VENV)/.local $(VENV)/.teach
	PYTHONPATH=tools $(BIN)/python -m demo_model.train

docs: $(VENV)/.dev
	$(BIN)/python tools/make_docs.py

bench: $(VENV)/.local $(VENV)/.dev
	for file in $$(grep -l -e '"--quick"' benchmarks/*.py); do $(BIN)/python $$file --quick || exit 1; done

FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 20
# The first inputs of a seed are the same everywhere: a quick machine is not the first to meet one.
FUZZ_INPUTS ?= 5000
fuzz: $(VENV)/.local $(VENV)/.dev
	$(BIN)/python benchmarks/fuzz_files.py --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) --inputs $(FUZZ_INPUTS)

# Its own environment, so that the auditor's dependencies are not among what it audits.
$(CACHE)/audit/.done: requirements/audit.txt
	rm -rf $(@D) && $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip --disable-pip-version-check -q install --require-hashes -r requirements/audit.txt
	@touch $@

audit: $(CACHE)/audit/.done
	$(PYTHON) tools/audit.py --auditor $(CACHE)/audit/bin/python --out $(CACHE)/sbom.cdx.json

lock:
	sh tools/lock.sh

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
