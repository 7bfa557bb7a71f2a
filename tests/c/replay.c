/* replay.c: runs a fuzz target on files instead of libFuzzer, so that valgrind can watch: link it
 * with one fuzz_*.c.  Arguments are files and folders; every regular file in them is one input. */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_COUNT_ERRORS 0
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity);

/* Mutators call it; nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity) {
  (void)data, (void)capacity;
  return size;
}

static int fail(const char *path) {
  perror(path);
  return -1;
}

static int replay_file(const char *path, size_t size) {
  FILE *file = fopen(path, "rb");
  if (!file) return fail(path);
  /* No spare byte: reading beyond the input is seen. */
  uint8_t *data = malloc(size ? size : 1);
  const int complete = data && fread(data, 1, size, file) == size;
  fclose(file);
  const unsigned long errors = VALGRIND_COUNT_ERRORS;
  if (complete) LLVMFuzzerTestOneInput(data, size);
  if (VALGRIND_COUNT_ERRORS != errors) fprintf(stderr, "the errors above come from %s\n", path);
  free(data);
  return complete ? 1 : fail(path);
}

static int replay(const char *path);

static int replay_folder(const char *path) {
  struct dirent **entries;
  const int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0) return fail(path);
  int done = 0;
  for (int i = 0; i < count; i++) {
    char below[4096];
    const int fits =
        snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name) < (int)sizeof below;
    if (done >= 0 && entries[i]->d_name[0] != '.') {
      const int inputs = fits ? replay(below) : -1;
      done = inputs < 0 ? -1 : done + inputs;
    }
    free(entries[i]);
  }
  free(entries);
  return done;
}

/* Inputs run, -1 when something could not be read. */
static int replay(const char *path) {
  struct stat about;
  if (stat(path, &about) != 0) return fail(path);
  return S_ISDIR(about.st_mode) ? replay_folder(path) : replay_file(path, (size_t)about.st_size);
}

int main(int count, char **paths) {
  int total = 0;
  for (int i = 1; i < count; i++) {
    const int inputs = replay(paths[i]);
    if (inputs < 0) return 2;
    total += inputs;
  }
  printf("%d inputs replayed\n", total);
  return total == 0;
}
