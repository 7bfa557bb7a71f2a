# csrc/ without Python: C tests, fuzz targets, benchmarks.  Called by the Makefile's test-c, fuzz
# and bench-c; by hand: make -f scripts/native.mk CONFIG=gcc|asan|tsan|fuzz|coverage|bench test|fuzz|bench
# A campaign of fuzzing has three steps: CONFIG=fuzz fuzz, CONFIG=fuzz minimise, CONFIG=replay replay.
CONFIG ?= gcc
SECONDS ?= 60
PKG_CONFIG ?= pkg-config
OUT := build/native/$(CONFIG)$(if $(CODECS),-codecs)

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CC_gcc := gcc
FLAGS_gcc := -O2 -g
CC_asan := clang
FLAGS_asan := -O1 -g $(SANITIZE)
CC_tsan := clang
FLAGS_tsan := -O1 -g -fsanitize=thread
CC_fuzz := clang
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link $(SANITIZE)
CC_replay := gcc
FLAGS_replay := -O1 -g
CC_coverage := gcc
FLAGS_coverage := -O0 -g --coverage
CC_bench := gcc
FLAGS_bench := -O3 -DNDEBUG
ifndef CC_$(CONFIG)
$(error CONFIG=$(CONFIG) is not known; choose one of gcc asan tsan fuzz replay coverage bench)
endif

# CODECS=FOLDER: the libraries of released wheels, as build_codecs.sh makes them, instead of the
# system's.
ifdef CODECS
CODEC_CFLAGS := -I$(CODECS)/include
CODEC_LIBS := $(patsubst %,$(CODECS)/lib/lib%.a,jpeg deflate webp sharpyuv)
endif
CODEC_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags libjpeg libdeflate libwebp)

CC := $(CC_$(CONFIG))
CFLAGS := -std=c11 -Wall -Wextra -Werror -ffp-contract=off $(FLAGS_$(CONFIG)) \
    -Icsrc -Itests/c $(CODEC_CFLAGS)
# Fuzzing sees into the codec libraries as well when these are archives built with its flags.
CODEC_LIBS ?= $(shell $(PKG_CONFIG) --libs libjpeg libdeflate libwebp)
LIBS := $(CODEC_LIBS) -lm -pthread

HEADERS := $(wildcard csrc/*.h tests/c/*.h benchmarks/c/*.h)
OBJECTS := $(patsubst csrc/%.c,$(OUT)/csrc/%.o,$(wildcard csrc/*.c))
# An archive, so that a test may bring its own version of one file (with failures injected).
CORE := $(OUT)/libcore.a
# Files of tests/c that are neither a test nor a fuzz target are helpers of both; replay.c stands in
# for libFuzzer.
HELPERS := $(filter-out tests/c/test_%.c tests/c/fuzz_%.c tests/c/replay.c,$(wildcard tests/c/*.c))
HELPERS := $(patsubst tests/c/%.c,$(OUT)/tests/%.o,$(HELPERS))
TESTS := $(patsubst tests/c/%.c,$(OUT)/%,$(wildcard tests/c/test_*.c))
FUZZERS := $(patsubst tests/c/%.c,$(OUT)/%,$(wildcard tests/c/fuzz_*.c))
REPLAYS := $(FUZZERS:$(OUT)/fuzz_%=$(OUT)/replay_%)
# Folders of build/fuzz: what makes the seeds, what fuzzing adds to them, the smallest set of both.
FUZZED ?= build/fuzz
SEEDS ?= $(FUZZED)/seeds
# The seeds of a target: a folder of its own, except that probe reads all formats.
seeds_of = $(or $(wildcard $(SEEDS)/$(subst huffman,jpeg,$(1))),$(SEEDS))
DICTIONARY := tests/c/fuzz.dict
# One program of Google Benchmark; its C files wrap what C++ cannot include.
BENCH := $(patsubst benchmarks/c/%,$(OUT)/benchmarks/%.o,$(wildcard benchmarks/c/*.c benchmarks/c/*.cc))

export ASAN_OPTIONS ?= detect_leaks=1:strict_string_checks=1:allocator_may_return_null=1
export UBSAN_OPTIONS ?= print_stacktrace=1

.PHONY: test fuzz minimise replay bench
VALGRIND ?= valgrind --quiet --error-exitcode=1 --leak-check=full --errors-for-leak-kinds=definite
.SECONDARY:

# Every test with the scalar code, with AVX2 and with the best instruction set of this processor.
test: $(TESTS:$(OUT)/test_%=try_%)
	$(if $(TESTS),,$(error no tests/c/test_*.c))

try_%: $(OUT)/test_%
	@set -e; for cpu in scalar avx2 native; do \
	    echo "== $< FASTCACHE_CPU=$$cpu"; \
	    if [ $$cpu = native ]; then unset FASTCACHE_CPU; else export FASTCACHE_CPU=$$cpu; fi; \
	    $<; \
	done

# The corpus grows from run to run; what breaks a target is left beside it as a file.
fuzz: $(FUZZERS:$(OUT)/fuzz_%=run_%)
	$(if $(FUZZERS),,$(error no tests/c/fuzz_*.c))

run_%: $(OUT)/fuzz_%
	@mkdir -p $(FUZZED)/corpus/$*
	@echo "== $< for $(SECONDS) s"
	$< -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256 \
	    -use_value_profile=1 -print_final_stats=1 -dict=$(DICTIONARY) $(FUZZ_FLAGS) \
	    -artifact_prefix=$(FUZZED)/$*- $(FUZZED)/corpus/$* $(call seeds_of,$*)

# The smallest set of inputs that reaches what all of them reach.
minimise: $(FUZZERS:$(OUT)/fuzz_%=minimise_%)

minimise_%: $(OUT)/fuzz_%
	rm -rf $(FUZZED)/minimised/$*
	@mkdir -p $(FUZZED)/minimised/$* $(FUZZED)/corpus/$*
	$< -merge=1 -use_value_profile=1 -timeout=10 -rss_limit_mb=2048 $(FUZZED)/minimised/$* \
	    $(FUZZED)/corpus/$* $(call seeds_of,$*) 2> $(FUZZED)/minimise-$*.log
	@echo "$$(ls $(FUZZED)/minimised/$* | wc -l) inputs in $(FUZZED)/minimised/$*"

# That set under valgrind, for which using memory that was never written is an error.  Without vector
# code: vectors run over the end of rows, where they multiply with 0, and valgrind then takes the
# lanes beside for unknown as well.
replay: $(REPLAYS:$(OUT)/replay_%=replay_%)

replay_%: $(OUT)/replay_%
	FASTCACHE_CPU=scalar JSIMD_FORCENONE=1 $(VALGRIND) $< $(wildcard tests/corpus/$*) $(FUZZED)/minimised/$*

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

$(OUT)/replay_%: $(OUT)/tests/fuzz_%.o $(OUT)/tests/replay.o $(HELPERS) $(CORE)
	$(CC) $(CFLAGS) $^ -o $@ $(LIBS)

$(CORE): $(OBJECTS)
	rm -f $@
	ar rcs $@ $^

$(OUT)/csrc/%.o: csrc/%.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Wshadow -c $< -o $@

$(OUT)/tests/%.o: tests/c/%.c $(HEADERS) $(wildcard csrc/*.c)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
