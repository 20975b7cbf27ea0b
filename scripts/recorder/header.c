/*
 * At the end: the trace's header, which holds every table that the recording found as it began, and the manifest.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "recorder.h"

static FILE *open_for(const char *path) {
  FILE *file = fopen(path, "w");
  if (file == NULL) {
    perror(path);
    exit(1);
  }
  return file;
}

/* Entries in runs of one step; zeros are what memory holds anyway. */
static void fill_frame(FILE *file, uint64_t gpa) {
  for (unsigned i = 0; i < words_per_page;) {
    uint64_t first = word_at(rec.start, gpa + 8 * i), step = 0;
    unsigned count = 1;
    if (i + 1 < words_per_page) step = word_at(rec.start, gpa + 8 * (i + 1)) - first;
    while (i + count < words_per_page && word_at(rec.start, gpa + 8 * (i + count)) == first + step * count) count++;
    if (count < 3) count = 1;
    if (count == 1) step = 0;
    if (first != 0 || step != 0)
      fprintf(file, "fill %" PRIx64 " %x %" PRIx64 " %" PRIx64 "\n", gpa + 8 * i, count, first, step);
    i += count;
  }
}

void write_header(void) {
  FILE *file = open_for(rec.header_path);
  fprintf(file, "# vmmu-trace 4\nmemory %" PRIx64 "\ncr0 %" PRIx64 "\ncr4 %" PRIx64 "\n", rec.bytes, rec.boot_cr0,
          rec.boot_cr4);
  for (uint64_t frame = 0; frame < rec.bytes / page_bytes; frame++)
    if (is_header_frame(frame)) fill_frame(file, frame * page_bytes);
  fprintf(file, "boot %" PRIx64 "\n", rec.boot_cr3);
  fclose(file);
}

void write_manifest(void) {
  static const char *const names[] = {
      "phases",         "instructions",     "loadsAndStores", "listed",       "droppedByFilter", "tableStores",
      "tablesCleared",  "guestPageFaults",  "interrupts",     "portAccesses", "msrAccesses",     "cpuids",
      "halts",          "cr3Writes",        "cr3Reads",       "invlpgs",      "storesListedLate", "wordsNobodyStored",
      "wordsNotListed", "deviceAccesses",   "msrsWithoutExit", "registersMissing"};
  const uint64_t *value = (const uint64_t *)&rec.count;
  FILE *file = open_for(rec.manifest_path);
  enum { count = sizeof names / sizeof *names };
  _Static_assert(count * sizeof *value == sizeof rec.count, "a name for every number");
  for (unsigned i = 0; i < count; i++)
    fprintf(file, "%s \"%s\": %" PRIu64 "%s\n", i == 0 ? "{" : " ", names[i], value[i], i + 1 < count ? "," : " }");
  fclose(file);
}
