/*
 * Which frames are page tables, and that the trace has their contents when they are first walked.
 *
 * A frame is a table from the first access translated through it, or its load as CR3, until it is cleared as a whole.
 * What was stored to it before is listed when it becomes one: stores since the recording began, at the address where the
 * guest made the last of them. One that nobody stored to before is in the header as it was.
 *
 * Source: SDM vol. 3A 4.5, "4-Level Paging".
 */
#include <stdlib.h>
#include <string.h>

#include "recorder.h"

enum { present = 1, large = 0x80, accessed_dirty = 0x60 };
static const uint64_t frame_mask = 0xffffffffff000;
static const uint64_t kernel_half = 1ull << 63;

typedef struct {
  /* Where the guest last stored to it, in the kernel's half; 0 for never. */
  uint64_t stored_at;
  bool is_table;
  /* The trace cleared it, so what it holds does not come from the header. */
  bool is_cleared;
  bool is_in_header;
} frame_state;

static frame_state *frames;

uint64_t word_at(const uint8_t *memory, uint64_t gpa) {
  uint64_t value;
  memcpy(&value, memory + gpa, sizeof value);
  return value;
}

void begin_tables(void) {
  memcpy(rec.start, rec.memory, rec.bytes);
  memcpy(rec.seen, rec.memory, rec.bytes);
  frames = calloc(rec.bytes / page_bytes, sizeof *frames);
  if (frames == NULL) abort();
}

static frame_state *frame_of(uint64_t gpa) { return gpa < rec.bytes ? &frames[gpa / page_bytes] : NULL; }

bool is_table(uint64_t gpa) {
  const frame_state *frame = frame_of(gpa);
  return frame != NULL && frame->is_table;
}

bool is_header_frame(uint64_t frame) { return frames[frame].is_in_header; }

void table_cleared(uint64_t gpa) {
  frame_state *frame = frame_of(gpa);
  frame->is_table = false;
  frame->is_cleared = true;
}

bool translate(uint64_t gva, uint64_t *gpa) {
  uint64_t table = rec.cr3 & frame_mask;
  for (int level = 4; level >= 1; level--) {
    int shift = 12 + 9 * (level - 1);
    uint64_t at = table + (gva >> shift & 511) * 8;
    if (at >= rec.bytes) return false;
    uint64_t entry = word_at(rec.memory, at);
    if (!(entry & present)) return false;
    uint64_t within = (1ull << shift) - 1;
    if (level == 1 || (level < 4 && entry & large)) {
      *gpa = (entry & frame_mask & ~within) | (gva & within);
      return true;
    }
    table = entry & frame_mask;
  }
  return false;
}

void walk_marks_tables(uint64_t gva) {
  uint64_t table = rec.cr3 & frame_mask;
  for (int level = 4; level >= 1; level--) {
    if (table >= rec.bytes) return;
    mark_table(table);
    uint64_t entry = word_at(rec.memory, table + (gva >> (12 + 9 * (level - 1)) & 511) * 8);
    if (!(entry & present) || (level > 1 && level < 4 && entry & large)) return;
    table = entry & frame_mask;
  }
}

/* Silicon sets A and D by itself; what else differs from the stores that were seen was made by somebody else. */
static uint64_t true_word(uint64_t gpa) {
  uint64_t seen = word_at(rec.seen, gpa), real = word_at(rec.memory, gpa);
  if (((seen ^ real) & ~(uint64_t)accessed_dirty) == 0) return seen;
  rec.count.unseen_words++;
  return real;
}

void mark_table(uint64_t gpa) {
  gpa &= ~(uint64_t)(page_bytes - 1);
  frame_state *frame = frame_of(gpa);
  if (frame == NULL || frame->is_table) return;
  frame->is_table = true;
  unsigned differing = 0, filled = 0;
  for (int i = 0; i < words_per_page; i++) {
    uint64_t value = true_word(gpa + 8 * i);
    filled += value != 0;
    differing += value != word_at(rec.start, gpa + 8 * i);
  }
  bool from_start = !frame->is_cleared && differing <= filled + 1;
  if (from_start) frame->is_in_header = true;
  if (from_start ? differing == 0 : frame->is_cleared && filled == 0) return;
  uint64_t place = 0;
  if (frame->stored_at == 0 || !translate(frame->stored_at, &place) || place != gpa) {
    rec.count.unlisted_words += from_start ? differing : filled;
    return;
  }
  if (!from_start && !frame->is_cleared) list_clear(frame->stored_at);
  for (int i = 0; i < words_per_page; i++) {
    uint64_t value = true_word(gpa + 8 * i);
    uint64_t before = from_start ? word_at(rec.start, gpa + 8 * i) : 0;
    if (value == before) continue;
    rec.count.late_stores++;
    list_table_store(frame->stored_at + 8 * i, value, 8);
  }
}

static void list_pending(uint64_t gpa, int level) {
  frame_state *frame = frame_of(gpa);
  if (frame == NULL) return;
  if (frame->stored_at != 0) mark_table(gpa);
  if (level == 1) return;
  for (int i = 0; i < words_per_page; i++) {
    uint64_t entry = word_at(rec.memory, gpa + 8 * i);
    if (entry & present && !(level < 4 && entry & large)) list_pending(entry & frame_mask, level - 1);
  }
}

/* A root of KPTI's does not map where the kernel stores, so what is stored to its tables is listed before it is loaded. */
void list_pending_under(uint64_t root) { list_pending(root, 4); }

void note_store(uint64_t gva, uint64_t gpa, const uint8_t *bytes, unsigned size) {
  if (gpa + size > rec.bytes) return;
  memcpy(rec.seen + gpa, bytes, size);
  if (gva & kernel_half) frames[gpa / page_bytes].stored_at = gva & ~(uint64_t)(page_bytes - 1);
}
