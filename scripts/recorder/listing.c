/*
 * What is listed, and what the filter drops.
 *
 * An access is dropped if the same page was accessed in the same way and mode among the 32 most recently used distinct ones,
 * and nothing since could have changed a translation or left the guest: a store to a table, a write of CR0, CR3 or CR4,
 * INVLPG, a fault, an interrupt, CPUID, a port, an MSR, HLT. So a fully associative LRU TLB of 32 entries or more misses as
 * it would without the filter, exits of a hypervisor's own making (hidden faults) aside.
 */
#include <inttypes.h>
#include <string.h>

#include "recorder.h"

/* The smallest first-level TLB that a trace is meant for has twice as many. */
enum { filter_entries = 32 };

static uint64_t recent[filter_entries];
static unsigned recent_count;
static bool lists_user;

/* A clearing under way: 8-byte zeros from the first word of a table on. */
static struct {
  bool is_open;
  uint64_t gva, gpa;
  unsigned words;
} clearing;

void forget_filter(void) { recent_count = 0; }

/* Moves the access to the front; true if it was there already. */
static bool is_recent(access_kind kind, uint64_t page, bool is_user) {
  uint64_t key = page << 12 | (uint64_t)kind << 1 | is_user;
  unsigned at = 0;
  while (at < recent_count && recent[at] != key) at++;
  bool found = at < recent_count;
  if (!found && recent_count < filter_entries) recent_count++;
  if (!found) at = recent_count - 1;
  memmove(recent + 1, recent, at * sizeof *recent);
  recent[0] = key;
  return found;
}

static void list_mode(bool is_user) {
  if (lists_user != is_user) fputs(is_user ? "user\n" : "kernel\n", rec.out);
  lists_user = is_user;
}

static void list_line(access_kind kind, uint64_t gva, bool is_user) {
  walk_marks_tables(gva);
  list_mode(is_user);
  rec.count.listed++;
  fprintf(rec.out, "%c %" PRIx64 "\n", kind, gva & ~(uint64_t)(page_bytes - 1));
}

void list_access(access_kind kind, uint64_t gva, bool is_user) {
  bool may_drop = is_recent(kind, gva / page_bytes, is_user);
  /* The instruction that clears a table is fetched again for each word, and a clearing is one op. */
  if (may_drop && (!rec.lists_every_access || clearing.is_open)) {
    if (kind != kind_fetch) rec.count.filtered++;
    return;
  }
  flush_clearing();
  list_line(kind, gva, is_user);
}

void list_faulting_access(access_kind kind, uint64_t gva, bool is_user) {
  flush_clearing();
  forget_filter();
  list_line(kind, gva, is_user);
}

void list_table_store(uint64_t gva, uint64_t value, unsigned size) {
  flush_clearing();
  walk_marks_tables(gva);
  list_mode(false);
  if (size < 8) fprintf(rec.out, "# size %u\n", size);
  fprintf(rec.out, "s %" PRIx64 " %" PRIx64 "\n", gva & ~(uint64_t)7, value);
  rec.count.table_stores++;
  rec.count.listed++;
  forget_filter();
}

void list_clear(uint64_t gva) {
  walk_marks_tables(gva);
  list_mode(false);
  fprintf(rec.out, "z %" PRIx64 "\n", gva);
  rec.count.tables_cleared++;
  rec.count.listed++;
  forget_filter();
}

void list_op(const char *text) {
  flush_clearing();
  fprintf(rec.out, "%s\n", text);
  forget_filter();
}

bool continues_clearing(uint64_t gva, uint64_t gpa, uint64_t value, unsigned size) {
  uint64_t expected = clearing.is_open ? clearing.gpa + 8 * clearing.words : gpa & ~(uint64_t)(page_bytes - 1);
  if (size != 8 || value != 0 || gpa != expected) return false;
  if (!clearing.is_open) {
    clearing.is_open = true;
    clearing.gva = gva;
    clearing.gpa = gpa;
    clearing.words = 0;
  }
  if (++clearing.words == words_per_page) {
    clearing.is_open = false;
    list_clear(clearing.gva);
    table_cleared(clearing.gpa);
  }
  return true;
}

void flush_clearing(void) {
  if (!clearing.is_open) return;
  clearing.is_open = false;
  for (unsigned i = 0; i < clearing.words; i++) list_table_store(clearing.gva + 8 * i, 0, 8);
}
