/* cpu.c: which instruction set the kernels use; decided once per process. */
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif
#ifdef __linux__
#include <unistd.h>
#endif

#include "fc_internal.h"

/* The decision fits one atomic word, so that it needs no lock: threads that race here compute the
 * same value.  0 means not decided yet. */
enum { CHOICE_MADE = 1 << 8, CHOICE_UNKNOWN = 1 << 9, CHOICE_MISSING = 1 << 10 };
static _Atomic int choice;

static const char *const names[] = {[FC_CPU_SCALAR] = "scalar",
                                    [FC_CPU_AVX2] = "avx2",
                                    [FC_CPU_AVX512] = "avx512",
                                    [FC_CPU_NEON] = "neon"};

#ifdef __x86_64__
static int has_f16c_and_fma(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) && (c & bit_FMA);
}
#endif

static int is_here(fc_cpu cpu) {
#ifdef __x86_64__
  /* The builtin also asks whether the operating system saves the wide registers; conversion to
   * half precision and fused sums are no part of AVX2, though what has the one has the others. */
  if (cpu == FC_CPU_AVX2) return __builtin_cpu_supports("avx2") && has_f16c_and_fma();
  if (cpu == FC_CPU_AVX512)
    return is_here(FC_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw");
#endif
  return cpu == FC_CPU_SCALAR;
}

static int decide(void) {
  const char *mask = getenv("FASTCACHE_CPU");
  if (!mask || !*mask) {
    for (int cpu = FC_CPU_AVX512; cpu > FC_CPU_SCALAR; cpu--)
      if (is_here((fc_cpu)cpu)) return CHOICE_MADE | cpu;
    return CHOICE_MADE | FC_CPU_SCALAR;
  }
  for (int cpu = FC_CPU_SCALAR; cpu <= FC_CPU_NEON; cpu++) {
    if (strcmp(mask, names[cpu]) != 0) continue;
    if (is_here((fc_cpu)cpu)) return CHOICE_MADE | cpu;
    return CHOICE_MADE | CHOICE_MISSING | FC_CPU_SCALAR;
  }
  return CHOICE_MADE | CHOICE_UNKNOWN | FC_CPU_SCALAR;
}

static int chosen(void) {
  int value = atomic_load_explicit(&choice, memory_order_relaxed);
  if (!value) {
    value = decide();
    atomic_store_explicit(&choice, value, memory_order_relaxed);
  }
  return value;
}

fc_cpu fc_cpu_get(void) {
  return (fc_cpu)(chosen() & 0xff);
}

const char *fc_cpu_name(void) {
  return names[fc_cpu_get()];
}

const char *fc_cpu_mask_error(void) {
  int value = chosen();
  if (value & CHOICE_UNKNOWN)
    return "FASTCACHE_CPU names an instruction set that fastcache does not know (scalar, avx2, "
           "avx512); "
           "running scalar";
  if (value & CHOICE_MISSING)
    return "FASTCACHE_CPU names an instruction set that this processor or build does not have; "
           "running scalar";
  return NULL;
}

/* The last level's size says little: it is shared with the other cores, and virtual machines are
 * told their host's.  The second level is a core's own, and its share of the last one is usually
 * three times as much. */
size_t fc_cpu_cache_bytes(void) {
  const size_t usual = 1 << 20;
  long second = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
  second = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  return 4 * (second > 0 ? (size_t)second : usual);
}
