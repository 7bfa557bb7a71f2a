# csrc/ without Python: C tests, fuzz targets, benchmarks.  Called by the Makefile's test-c, fuzz
# and bench-c; by hand: make -f scripts/native.mk CONFIG=gcc|asan|fuzz|coverage|bench test|fuzz|bench
CONFIG ?= gcc
SECONDS ?= 60
PKG_CONFIG ?= pkg-config
OUT := build/native/$(CONFIG)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CC_gcc := gcc
FLAGS_gcc := -O2 -g
CC_asan := clang
FLAGS_asan := -O1 -g $(SANITIZE)
CC_fuzz := clang
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)
CC_coverage := gcc
FLAGS_coverage := -O0 -g --coverage
CC_bench := gcc
FLAGS_bench := -O3 -DNDEBUG
ifndef CC_$(CONFIG)
$(error CONFIG=$(CONFIG) is not known; choose one of gcc asan fuzz coverage bench)
endif

CC := $(CC_$(CONFIG))
CFLAGS := -std=c11 -Wall -Wextra -Werror -ffp-contract=off $(FLAGS_$(CONFIG)) \
    -Icsrc -Itests/c $(shell $(PKG_CONFIG) --cflags libjpeg)
LIBS := $(shell $(PKG_CONFIG) --libs libjpeg) -lm -pthread

HEADERS := $(wildcard csrc/*.h tests/c/*.h benchmarks/c/*.h)
OBJECTS := $(patsubst csrc/%.c,$(OUT)/csrc/%.o,$(wildcard csrc/*.c))
# An archive, so that a test may bring its own version of one file (with failures injected).
CORE := $(OUT)/libcore.a
# Files of tests/c that are neither a test nor a fuzz target are helpers of both.
HELPERS := $(filter-out tests/c/test_%.c tests/c/fuzz_%.c,$(wildcard tests/c/*.c))
HELPERS := $(patsubst tests/c/%.c,$(OUT)/tests/%.o,$(HELPERS))
TESTS := $(patsubst tests/c/%.c,$(OUT)/%,$(wildcard tests/c/test_*.c))
FUZZERS := $(patsubst tests/c/%.c,$(OUT)/%,$(wildcard tests/c/fuzz_*.c))
# One program of Google Benchmark; its C files wrap what C++ cannot include.
BENCH := $(patsubst benchmarks/c/%,$(OUT)/benchmarks/%.o,$(wildcard benchmarks/c/*.c benchmarks/c/*.cc))

export ASAN_OPTIONS ?= detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export UBSAN_OPTIONS ?= print_stacktrace=1

.PHONY: test fuzz bench
.SECONDARY:

# Every test once with the scalar code and once with the best instruction set of this processor.
test: $(TESTS)
	$(if $(TESTS),,$(error no tests/c/test_*.c))
	@set -e; for test in $(TESTS); do for cpu in scalar native; do \
	    echo "== $$test FASTCACHE_CPU=$$cpu"; \
	    if [ $$cpu = native ]; then unset FASTCACHE_CPU; else export FASTCACHE_CPU=$$cpu; fi; \
	    $$test; \
	done; done

# The corpus grows from run to run; what breaks a target is left in build/fuzz as a file.
fuzz: $(FUZZERS)
	$(if $(FUZZERS),,$(error no tests/c/fuzz_*.c))
	@set -e; for fuzzer in $(FUZZERS); do \
	    corpus=build/fuzz/$$(basename $$fuzzer); mkdir -p $$corpus; \
	    echo "== $$fuzzer for $(SECONDS) s"; \
	    $$fuzzer -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	        -artifact_prefix=$$corpus- $$corpus $(SEEDS); \
	done

# The folder of photographs, if one was given, is FASTCACHE_BENCH_DATA.
bench: $(OUT)/bench
	$(OUT)/bench $(ARGS)

$(OUT)/bench: $(BENCH) $(CORE)
	$(if $(BENCH),,$(error no benchmarks/c/*.cc))
	$(CXX) -O3 $^ -o $@ $(LIBS) -lbenchmark

$(OUT)/benchmarks/%.c.o: benchmarks/c/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(OUT)/benchmarks/%.cc.o: benchmarks/c/%.cc $(HEADERS)
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O3 -DNDEBUG -Wall -Wextra -Werror -c $< -o $@

$(OUT)/test_%: $(OUT)/tests/test_%.o $(HELPERS) $(CORE)
	$(CC) $(CFLAGS) $^ -o $@ $(LIBS)

$(OUT)/fuzz_%: $(OUT)/tests/fuzz_%.o $(HELPERS) $(CORE)
	$(CC) $(CFLAGS) -fsanitize=fuzzer $^ -o $@ $(LIBS)

$(CORE): $(OBJECTS)
	rm -f $@
	ar rcs $@ $^

$(OUT)/csrc/%.o: csrc/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Wshadow -c $< -o $@

$(OUT)/tests/%.o: tests/c/%.c $(HEADERS) $(wildcard csrc/*.c)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
