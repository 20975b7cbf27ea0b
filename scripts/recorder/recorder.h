/*
 * The recorder's parts: what runs in QEMU beside an ordinary guest and writes a vmmu-trace 4.
 *
 *   plugin.c    QEMU's callbacks: blocks, loads and stores, instructions that matter
 *   decode.c    which instructions those are, and their operands
 *   events.c    delivery of faults and interrupts, control registers, phases
 *   listing.c   what is listed and what the filter drops
 *   tables.c    which frames are page tables, and that the trace has their contents
 *   header.c    the trace's header and the manifest, at the end
 */
#ifndef SHADEWALK_RECORDER_H
#define SHADEWALK_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { page_bytes = 4096, words_per_page = 512, general_registers = 16 };

/* An access's kind, as the trace writes it. */
typedef enum { kind_read = 'r', kind_write = 'w', kind_fetch = 'x' } access_kind;

/* What was seen and what was left out: the manifest's numbers, in the order of its names (header.c). */
typedef struct {
  uint64_t phases, instructions, loads_stores, listed, filtered, table_stores, tables_cleared, guest_page_faults,
      interrupts, port_accesses, msr_accesses, cpuids, halts, cr3_writes, cr3_reads, invlpgs, late_stores, unseen_words,
      unlisted_words, device_accesses, msr_without_exit, shrunk_registers;
} manifest;

typedef struct {
  /* The guest's memory: QEMU's own, as it was when the recording began, and as the stores seen since leave it. */
  uint8_t *memory, *start, *seen;
  uint64_t bytes;
  FILE *out;
  const char *header_path, *manifest_path;
  bool is_recording, has_ended;
  /* Nothing is dropped (listing.c). */
  bool lists_every_access;
  uint64_t cr3, boot_cr3, boot_cr0, boot_cr4;
  uint64_t idt, gdt;
  unsigned task_selector;
  manifest count;
} recorder;

extern recorder rec;

/* An instruction that the recorder acts on, decoded when QEMU translates it. */
typedef enum {
  insn_none,
  insn_write_cr,
  insn_read_cr,
  insn_invlpg,
  insn_lidt,
  insn_lgdt,
  insn_ltr,
  insn_cpuid,
  insn_msr,
  insn_port,
  insn_halt
} insn_kind;

typedef struct {
  insn_kind kind;
  /* Number of the control register. */
  int control;
  /* The general register, or those of the address; -1 for none. */
  int reg, base, index;
  int scale;
  int64_t displacement;
  /* OUT DX, AL: how a guest tells its phases. */
  bool is_out_byte;
} decoded_insn;

decoded_insn decode(const uint8_t *bytes, size_t length, uint64_t next_gva);

/* plugin.c: registers, valid in callbacks that asked for them. */
typedef enum { reg_rip = general_registers, reg_cr0, reg_cr2, reg_cr3, reg_cr4, registers_known } register_number;
uint64_t register_value(int number);

/* events.c */
void on_block(uint64_t gva, unsigned instructions, uint64_t last_gva);
void on_insn(const decoded_insn *insn);
void read_handlers(void);

/* listing.c: accesses that the filter may drop, ops that it may not. */
void list_access(access_kind kind, uint64_t gva, bool is_user);
void list_faulting_access(access_kind kind, uint64_t gva, bool is_user);
void list_table_store(uint64_t gva, uint64_t value, unsigned size);
void list_clear(uint64_t gva);
void list_op(const char *text);
void forget_filter(void);
/* Stores of a clearing that has not come to its end are listed one by one. */
void flush_clearing(void);
bool continues_clearing(uint64_t gva, uint64_t gpa, uint64_t value, unsigned size);

/* tables.c */
void begin_tables(void);
bool is_table(uint64_t gpa);
void table_cleared(uint64_t gpa);
void walk_marks_tables(uint64_t gva);
void mark_table(uint64_t gpa);
void list_pending_under(uint64_t root);
/* Where a GVA lies; false where nothing is mapped. */
bool translate(uint64_t gva, uint64_t *gpa);
void note_store(uint64_t gva, uint64_t gpa, const uint8_t *bytes, unsigned size);
bool is_header_frame(uint64_t frame);
uint64_t word_at(const uint8_t *memory, uint64_t gpa);

/* header.c */
void write_header(void);
void write_manifest(void);

#endif
