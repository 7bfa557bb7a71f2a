# Two commands are enough: `make demo` and `make test`.  `make` alone lists the others.
PYTHON ?= python3
DATA ?=
ARGS ?=
SECONDS ?= 60
CODECS ?=
ARCHIVES ?=
PYTHONS ?= python3.10 python3.11 python3.12 python3.13
CLANG_FORMAT ?= clang-format
# Decodes and transforms of torchvision are an oracle of the tests, OpenCV brings other copies of the
# codecs into the process, pyts (on numba) is what users of Gramian angular fields come from,
# torchdata's loader saves and loads samplers' states.
# Installed without their dependencies, so that they cannot exchange the torch and the NumPy that are
# there; what pyts needs besides comes with scikit-learn.
ORACLES := torchvision==0.28.0 opencv-python-headless==5.0.0.93 \
    pyts==0.14.1 numba==0.68.1 llvmlite==0.50.0 platformdirs==4.14.8 torchdata==0.11.0

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(VERSION),)
$(error '$(PYTHON)' does not run; install Python 3.10 to 3.13 or give PYTHON=...)
endif
VENV ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(VERSION))
BIN := $(CURDIR)/$(VENV)/bin
PIP := "$(BIN)/python" -m pip install
WHEEL := build/wheel-$(VERSION).path
SOURCES := setup.py pyproject.toml MANIFEST.in scripts/build_wheel.sh requirements-dev.txt \
    $(shell find csrc fastcache licenses -type f ! -name '*.pyc')
# C is compiled and tested on all processors, unless this make was told how many jobs there may be.
JOBS := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
SPREAD = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS)) --output-sync=target
C_FILES := $(shell find csrc tests/c tests/faults benchmarks/c -name '*.[ch]' -o -name '*.cc' 2>/dev/null)
export PYTHON
# With CODECS=folder (of `make codecs`) everything here links those libraries, hidden, instead of the
# system's shared ones.
ifneq ($(CODECS),)
export FASTCACHE_CODECS := $(abspath $(CODECS))
endif

.PHONY: help demo test test-c test-pythons faults wheel codecs fuzz fuzz-replay bench bench-codecs bench-gaf \
    bench-homes bench-loader bench-c clean need-data always lint lint-ruff lint-mypy lint-c lint-rules
.DELETE_ON_ERROR:

help:
	@echo 'make demo [DATA=folder]   build, install into $(VENV), train once from disk and once from the arena'
	@echo 'make test [ARGS=...]      test the installed wheel; ARGS go to pytest'
	@echo 'make wheel [PYTHON=...]   a self-contained wheel in dist/'
	@echo 'make codecs [ARCHIVES=f]  the codec libraries of released wheels, from source, into build/codecs;'
	@echo '                          then CODECS=build/codecs makes wheel, test and test-c use them'
	@echo 'make lint                 ruff, mypy, clang-format, import direction'
	@echo 'make test-c               C tests with gcc, and with clang under ASan and UBSan'
	@echo 'make faults               kills, calls that fail, full disks, damage and hostile arenas, in full'
	@echo 'make fuzz [SECONDS=60]    libFuzzer targets under ASan and UBSan'
	@echo 'make fuzz-replay          what fuzzing found so far, minimised, under valgrind'
	@echo 'make test-pythons         the wheel on every Python of: $(PYTHONS)'
	@echo 'make bench DATA=folder    compare with other loaders on a class folder'
	@echo 'make bench-codecs DATA=folder   compare PNG, WebP, mixed folders and hostile files'
	@echo 'make bench-gaf            compare images of time series with pyts and with the limit of memory'
	@echo 'make bench-homes DATA=folder    measure planning, saving, opening, sharing and mixed caches'
	@echo 'make bench-loader DATA=folder   compare recipes and ArenaLoader with other loaders'
	@echo 'make bench-c [DATA=...]   microbenchmarks of the C core'
	@echo 'make clean                remove everything that was built or installed here'

# From inside the environment's folder: nothing on the path leads to the sources.
demo: $(VENV)/.wheel
	data=$$(realpath "$(or $(DATA),.)") && cd "$(VENV)" && "$(BIN)/python" \
	    "$(CURDIR)/examples/demo/run.py" $(if $(DATA),--data "$$data") --out "$(CURDIR)/demo-out"

test: $(VENV)/.wheel $(VENV)/.oracle
	"$(BIN)/python" scripts/test_wheel.py $(ARGS)

test-c: build/.system-c
	$(MAKE) $(SPREAD) -f scripts/native.mk CONFIG=gcc test
	$(MAKE) $(SPREAD) -f scripts/native.mk CONFIG=asan test

# In full; the suite has a short form of each.
faults: $(VENV)/.wheel
	cd "$(VENV)" && bad= && for script in "$(CURDIR)"/tests/faults/*.py; do \
	    "$(BIN)/python" "$$script" $(ARGS) || bad="$$bad $${script##*/}"; done && \
	    if [ -n "$$bad" ]; then echo "violations:$$bad" >&2; exit 1; fi

test-pythons: build/.system-build
	scripts/test_pythons.sh $(PYTHONS)

# `make -k lint` shows what each of them finds.
lint: lint-ruff lint-mypy lint-c lint-rules

lint-ruff: $(VENV)/.deps
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .

lint-mypy: $(VENV)/.deps
	"$(BIN)/mypy"

lint-c: build/.system-lint
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

lint-rules: $(VENV)/.deps
	"$(BIN)/python" -m pytest -q -p no:cacheprovider tests/test_import_direction.py tests/test_source_rules.py

wheel: $(WHEEL)
	@cat $(WHEEL)

codecs: build/.system-codecs
	scripts/build_codecs.sh $(or $(CODECS),build/codecs) $(ARCHIVES)

fuzz: $(VENV)/.deps build/.system-c
	"$(BIN)/python" scripts/fuzz_seeds.py build/fuzz/seeds
	$(MAKE) -f scripts/native.mk CONFIG=fuzz SECONDS=$(SECONDS) SEEDS=build/fuzz/seeds fuzz

fuzz-replay: $(VENV)/.deps build/.system-c build/.system-replay
	"$(BIN)/python" scripts/fuzz_seeds.py build/fuzz/seeds
	$(MAKE) -f scripts/native.mk CONFIG=fuzz SEEDS=build/fuzz/seeds minimise
	$(MAKE) -f scripts/native.mk CONFIG=replay replay

bench: need-data $(VENV)/.wheel .venv-peers/.ready
	data=$$(realpath "$(DATA)") && cd "$(VENV)" && "$(BIN)/python" \
	    "$(CURDIR)/benchmarks/run.py" --data "$$data" --out "$(CURDIR)/bench-out" \
	    --peers-python "$(CURDIR)/.venv-peers/bin/python" $(ARGS)

bench-codecs: need-data $(VENV)/.wheel .venv-peers/.ready
	data=$$(realpath "$(DATA)") && cd "$(VENV)" && "$(BIN)/python" \
	    "$(CURDIR)/benchmarks/run_codecs.py" --data "$$data" --out "$(CURDIR)/bench-out" \
	    --peers-python "$(CURDIR)/.venv-peers/bin/python" $(ARGS)

# Needs no photographs.
bench-gaf: $(VENV)/.wheel .venv-peers-gaf/.ready
	cd "$(VENV)" && "$(BIN)/python" \
	    "$(CURDIR)/benchmarks/run_gaf.py" --out "$(CURDIR)/bench-out" \
	    --peers-python "$(CURDIR)/.venv-peers-gaf/bin/python" $(ARGS)

# Without rivals: the limits are those of the machine.
bench-homes: need-data $(VENV)/.wheel
	data=$$(realpath "$(DATA)") && cd "$(VENV)" && "$(BIN)/python" \
	    "$(CURDIR)/benchmarks/run_homes.py" --data "$$data" --out "$(CURDIR)/bench-out" $(ARGS)

bench-loader: need-data $(VENV)/.wheel .venv-peers/.ready
	data=$$(realpath "$(DATA)") && cd "$(VENV)" && "$(BIN)/python" \
	    "$(CURDIR)/benchmarks/run_loader.py" --data "$$data" --out "$(CURDIR)/bench-out" \
	    --peers-python "$(CURDIR)/.venv-peers/bin/python" $(ARGS)

need-data:
	@[ -n "$(DATA)" ] || { echo 'this needs DATA=folder, with JPEG photographs' >&2; exit 2; }

bench-c: build/.system-bench
	FASTCACHE_BENCH_DATA="$(DATA)" $(MAKE) -f scripts/native.mk CONFIG=bench ARGS="$(ARGS)" bench

clean:
	rm -rf build dist .venv .venv-* fastcache.egg-info demo-out bench-out \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find fastcache tests benchmarks examples scripts -name __pycache__ -prune -exec rm -rf {} +

# ---- stamps: what is done once, and again only when its inputs change -------------------------

build/.system-%: scripts/system_deps.sh
	scripts/system_deps.sh $*
	@mkdir -p build && touch $@

$(VENV)/.created: | build/.system-build
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.deps: requirements-dev.txt $(VENV)/.created
	$(PIP) "$$(grep '^torch==' requirements-dev.txt)"
	$(PIP) -q -r requirements-dev.txt
	@touch $@

$(VENV)/.oracle: Makefile $(VENV)/.deps
	$(PIP) -q --no-deps $(ORACLES)
	@touch $@

# The other loaders live apart: their dependencies must not meet ours.
.venv-peers/.ready: benchmarks/requirements-peers.txt benchmarks/peers/setup.sh | build/.system-build
	rm -rf .venv-peers
	sh benchmarks/peers/setup.sh .venv-peers $(PYTHON)
	@touch $@

.venv-peers-gaf/.ready: benchmarks/requirements-peers-gaf.txt benchmarks/peers/setup.sh | build/.system-build
	rm -rf .venv-peers-gaf
	sh benchmarks/peers/setup.sh --gaf .venv-peers-gaf $(PYTHON)
	@touch $@

$(VENV)/.wheel: $(WHEEL) $(VENV)/.deps
	$(PIP) -q --force-reinstall --no-deps "$$(cat $(WHEEL))"
	@touch $@

# Changes when CODECS does, and only then.
build/.codecs: always
	@mkdir -p build && echo '$(FASTCACHE_CODECS)' | cmp -s - $@ || echo '$(FASTCACHE_CODECS)' > $@

$(WHEEL): $(SOURCES) build/.codecs | build/.system-build
	scripts/build_wheel.sh
