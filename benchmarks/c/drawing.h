/* drawing.h: recipes drawn, for C++; as core.h. */
#ifndef FASTCACHE_BENCH_DRAWING_H
#define FASTCACHE_BENCH_DRAWING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Draw the first `steps` of: RandomResizedCrop 224, flip, ColorJitter, RandomErasing, for `count`
 * samples of 256 x 341 and a little more pixels.  0 when it succeeds. */
int core_draw(int steps, int count);
/* The limit: as many blocks of random numbers as `steps` steps of as many samples take at least. */
unsigned core_draw_blocks(int steps, int count);
/* Normal numbers, many at once and one by one. */
void core_normals(float *out, size_t count);
void core_normals_one_by_one(float *out, size_t count);

#ifdef __cplusplus
}
#endif

#endif
