/*
 * What happens to a processor beside loads and stores: faults and interrupts delivered, control registers, phases.
 *
 * A delivery is seen as a block at an address that the interrupt table names. What the processor did to get there (reads of
 * IDT, TSS and GDT, the stores of the frame) goes past a plugin and is listed here. A page fault's access, which never
 * succeeded, is listed first, from CR2 and the error code.
 *
 * Source: SDM vol. 3A 6.12.1 "Exception- or Interrupt-Handler Procedures", 6.14 (64-bit mode), 4.7 (error code).
 */
#include <inttypes.h>
#include <string.h>

#include "recorder.h"

enum {
  vectors = 256,
  gate_bytes = 16,
  page_fault = 14,
  first_interrupt = 32,
  phase_port = 0x511,
  rax = 0,
  rcx = 1,
  rdx = 2,
  rsp = 4,
  frame_bytes = 40,
  write_protect = 1 << 16,
  known_cr4 = 0x80 | 0x1000 | 0x20000
};

static uint64_t handlers[vectors];
/* Addresses that no handler has are told apart at a glance. */
static bool may_be_handler[4096];

static bool read_guest(uint64_t gva, void *to, unsigned size) {
  uint64_t gpa;
  if (!translate(gva, &gpa) || gpa + size > rec.bytes) return false;
  memcpy(to, rec.memory + gpa, size);
  return true;
}

static unsigned hash_of(uint64_t gva) { return gva >> 3 & 4095; }

void read_handlers(void) {
  memset(handlers, 0, sizeof handlers);
  memset(may_be_handler, 0, sizeof may_be_handler);
  for (int i = 0; i < vectors; i++) {
    uint64_t gate[2];
    if (rec.idt == 0 || !read_guest(rec.idt + i * gate_bytes, gate, sizeof gate)) continue;
    if (!(gate[0] >> 47 & 1)) continue;
    handlers[i] = (gate[0] & 0xffff) | (gate[0] >> 32 & 0xffff0000) | gate[1] << 32;
    may_be_handler[hash_of(handlers[i])] = true;
  }
}

static int vector_of(uint64_t gva) {
  if (!may_be_handler[hash_of(gva)]) return -1;
  for (int i = 0; i < vectors; i++)
    if (handlers[i] == gva) return i;
  return -1;
}

static bool has_error_code(int vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

static uint64_t task_segment(void) {
  uint64_t low = 0, high = 0;
  read_guest(rec.gdt + rec.task_selector, &low, 8);
  read_guest(rec.gdt + rec.task_selector + 8, &high, 8);
  return (low >> 16 & 0xffffff) | (low >> 32 & 0xff000000) | high << 32;
}

static void delivered(int vector, bool from_user) {
  uint64_t top = register_value(rsp), error = 0;
  if (has_error_code(vector)) read_guest(top, &error, 8);
  if (vector == page_fault) {
    access_kind kind = error & 16 ? kind_fetch : error & 2 ? kind_write : kind_read;
    rec.count.guest_page_faults++;
    list_faulting_access(kind, register_value(reg_cr2), error & 4);
  } else if (vector >= first_interrupt) {
    rec.count.interrupts++;
    list_op("e interrupt");
  }
  list_access(kind_read, rec.idt + vector * gate_bytes, false);
  if (from_user) list_access(kind_read, task_segment() + 4, false);
  uint64_t selector = 0;
  read_guest(rec.idt + vector * gate_bytes, &selector, 8);
  list_access(kind_read, rec.gdt + (selector >> 16 & 0xfff8), false);
  uint64_t bottom = top + frame_bytes + (has_error_code(vector) ? 8 : 0) - 8;
  list_access(kind_write, bottom, false);
  if ((top ^ bottom) & ~(uint64_t)(page_bytes - 1)) list_access(kind_write, top, false);
}

static bool is_user_address(uint64_t gva) { return !(gva >> 63); }

void on_block(uint64_t gva, unsigned instructions, uint64_t last_gva) {
  static bool was_user;
  int vector = vector_of(gva);
  if (vector >= 0) delivered(vector, was_user);
  was_user = is_user_address(gva);
  rec.count.instructions += instructions;
  list_access(kind_fetch, gva, was_user);
  if ((gva ^ last_gva) & ~(uint64_t)(page_bytes - 1)) list_access(kind_fetch, last_gva, was_user);
}

static void list_value(const char *name, uint64_t value) {
  char text[40];
  snprintf(text, sizeof text, "%s %" PRIx64, name, value);
  list_op(text);
}

static void end_phase(void) {
  static uint64_t accesses, instructions;
  fprintf(rec.out, "n %" PRIx64 " %" PRIx64 "\n", rec.count.filtered - accesses, rec.count.instructions - instructions);
  accesses = rec.count.filtered;
  instructions = rec.count.instructions;
  fprintf(rec.out, "p phase-%" PRIu64 "\n", ++rec.count.phases);
}

static void begin(void) {
  rec.cr3 = rec.boot_cr3 = register_value(reg_cr3) & ~0xfffull;
  rec.boot_cr0 = register_value(reg_cr0) & write_protect;
  rec.boot_cr4 = register_value(reg_cr4) & known_cr4;
  begin_tables();
  read_handlers();
  rec.is_recording = true;
}

static void on_port(const decoded_insn *insn) {
  bool is_phase = insn->is_out_byte && (register_value(rdx) & 0xffff) == phase_port;
  if (!is_phase) {
    if (!rec.is_recording) return;
    rec.count.port_accesses++;
    list_op("e io");
    return;
  }
  if (!rec.is_recording) {
    if (!rec.has_ended) begin();
    return;
  }
  flush_clearing();
  end_phase();
  if ((register_value(rax) & 0xff) != 0) return;
  rec.is_recording = false;
  rec.has_ended = true;
}

static void on_control_write(const decoded_insn *insn) {
  uint64_t value = register_value(insn->reg);
  if (insn->control == 0) list_value("cr0", value & write_protect);
  if (insn->control == 4) list_value("cr4", value & known_cr4);
  if (insn->control != 3) return;
  flush_clearing();
  rec.count.cr3_writes++;
  value &= 0xffffffffff000;
  mark_table(value);
  list_pending_under(value);
  list_value("c", value);
  rec.cr3 = value;
}

/* FS, GS and the kernel's GS: no hypervisor intercepts them. */
static bool exits(uint64_t msr) { return msr < 0xc0000100 || msr > 0xc0000102; }

static void on_msr(void) {
  if (!exits(register_value(rcx) & 0xffffffff)) {
    rec.count.msr_without_exit++;
    return;
  }
  rec.count.msr_accesses++;
  list_op("e msr");
}

static uint64_t address_of(const decoded_insn *insn) {
  uint64_t address = (uint64_t)insn->displacement;
  if (insn->base >= 0) address += register_value(insn->base);
  if (insn->index >= 0) address += register_value(insn->index) * insn->scale;
  return address;
}

void on_insn(const decoded_insn *insn) {
  if (insn->kind == insn_ltr) rec.task_selector = register_value(insn->reg) & 0xfff8;
  if (insn->kind == insn_port) on_port(insn);
  if (!rec.is_recording) return;
  switch (insn->kind) {
    case insn_write_cr: on_control_write(insn); break;
    case insn_read_cr:
      if (insn->control != 3) break;
      rec.count.cr3_reads++;
      list_op("cr3");
      break;
    case insn_invlpg:
      rec.count.invlpgs++;
      list_value("i", address_of(insn) & ~(uint64_t)(page_bytes - 1));
      break;
    case insn_cpuid:
      rec.count.cpuids++;
      list_op("cpuid");
      break;
    case insn_msr: on_msr(); break;
    case insn_halt:
      rec.count.halts++;
      list_op("e halt");
      break;
    default: break;
  }
}
