/* visits.c: how often each sample was asked for, counted by threads and processes at once.
 *
 * What turn it is stands in one word that changes by compare-and-swap; its epoch stands beside, in
 * one of two places by turn and turn about, so that telling the next epoch leaves that of the turn
 * at hand alone. */
#include "fastcache_recipe.h"
#include "fc_internal.h"

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "processes share counters: their atomics must work without locks");

#define MOST_VISITS ((1u << FC_VISIT_BITS) - 1)
/* Turns that words tell from one another; 0 there is no turn, but a word that is clear. */
#define TURNS ((1u << (32 - FC_VISIT_BITS)) - 1)

size_t fc_visits_bytes(int64_t count) {
  const size_t most = (size_t)PTRDIFF_MAX / sizeof(uint32_t) - sizeof(fc_visits);
  if (count < 0 || (uint64_t)count > most) return 0;
  return sizeof(fc_visits) + (size_t)count * sizeof(uint32_t);
}

fc_status fc_visits_tell(fc_visits *visits, int64_t count, uint64_t epoch) {
  if (epoch == UINT64_MAX || !fc_visits_bytes(count)) return FC_E_ARGUMENT;
  uint64_t seen = atomic_load(&visits->turn);
  do {
    /* Words that are older than TURNS turns would be taken for new ones.  Before the turn begins:
     * who visits meanwhile counts for the turn that ends. */
    if ((seen + 1) / TURNS != seen / TURNS)
      for (int64_t i = 0; i < count; i++)
        atomic_store_explicit(&visits->word[i], 0, memory_order_relaxed);
    atomic_store(&visits->epoch[(seen + 1) & 1], epoch + 1);
  } while (!atomic_compare_exchange_strong(&visits->turn, &seen, seen + 1));
  return FC_OK;
}

/* The turn that visitors count in, and its epoch: as they were at one moment. */
static uint64_t turn_of(fc_visits *visits, uint64_t *epoch) {
  uint64_t turn = atomic_load(&visits->turn), now = turn;
  do {
    turn = now;
    *epoch = atomic_load(&visits->epoch[turn & 1]);
    now = atomic_load(&visits->turn);
  } while (now != turn);
  return turn;
}

static uint32_t count_visit(_Atomic uint32_t *word, uint32_t turn) {
  uint32_t seen = atomic_load_explicit(word, memory_order_relaxed), times, next;
  do {
    times = seen >> FC_VISIT_BITS == turn ? seen & MOST_VISITS : 0;
    next = turn << FC_VISIT_BITS | FC_MIN(times + 1, MOST_VISITS);
  } while (!atomic_compare_exchange_weak_explicit(word, &seen, next, memory_order_relaxed,
                                                  memory_order_relaxed));
  return times;
}

fc_status fc_visit(fc_visits *visits, int64_t count, const int64_t *rows, size_t n, uint32_t *times,
                   uint64_t *epoch) {
  *epoch = 0;
  if (!fc_visits_bytes(count)) return FC_E_ARGUMENT;
  for (size_t i = 0; i < n; i++)
    if (rows[i] < 0 || rows[i] >= count) return FC_E_ARGUMENT;
  const uint32_t turn = 1 + (uint32_t)(turn_of(visits, epoch) % TURNS);
  for (size_t i = 0; i < n; i++) times[i] = count_visit(&visits->word[rows[i]], turn);
  return FC_OK;
}
