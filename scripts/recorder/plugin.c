/*
 * A QEMU plugin that records an ordinary guest as a vmmu-trace: every fetch, load and store of one vCPU, page-table stores
 * with their values. scripts/record-system.ts starts QEMU with it and packs what it writes.
 *
 * Options: ram=FILE (QEMU's memory, shared), fd=N (where ops go), header=FILE, manifest=FILE, every=1 (drop nothing).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qemu-api.h"
#include "recorder.h"

__attribute__((visibility("default"))) int qemu_plugin_version = QEMU_PLUGIN_VERSION;

recorder rec;

/* A block is translated once for a physical page, so it may run at other addresses than it was translated at. */
typedef struct {
  unsigned bytes, instructions;
} block;

static const char *const register_names[registers_known] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",  "r9",
    "r10", "r11", "r12", "r13", "r14", "r15", "rip", "cr0", "cr2", "cr3", "cr4"};
static struct qemu_plugin_register *registers[registers_known];
static GByteArray *register_bytes;

static void on_vcpu(qemu_plugin_id_t id, unsigned vcpu) {
  (void)id, (void)vcpu;
  GArray *known = qemu_plugin_get_registers();
  register_bytes = g_byte_array_new();
  for (unsigned i = 0; i < known->len; i++) {
    const qemu_plugin_reg_descriptor *one = &((const qemu_plugin_reg_descriptor *)(const void *)known->data)[i];
    for (int number = 0; number < registers_known; number++)
      if (strcmp(one->name, register_names[number]) == 0) registers[number] = one->handle;
  }
}

uint64_t register_value(int number) {
  uint64_t value = 0;
  g_byte_array_set_size(register_bytes, 0);
  int size = registers[number] == NULL ? -1 : qemu_plugin_read_register(registers[number], register_bytes);
  if (size < 4 || size > 8) rec.count.shrunk_registers++;
  else memcpy(&value, register_bytes->data, size);
  return value;
}

static void on_block_exec(unsigned vcpu, void *userdata) {
  (void)vcpu;
  const block *own = userdata;
  if (!rec.is_recording) return;
  uint64_t gva = register_value(reg_rip);
  on_block(gva, own->instructions, gva + own->bytes - 1);
}

static void on_insn_exec(unsigned vcpu, void *userdata) {
  (void)vcpu;
  on_insn(userdata);
}

/* LIDT and LGDT load a limit of 2 bytes and a base of 8. */
static void on_descriptor_load(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t gva, void *userdata) {
  (void)vcpu, (void)gva;
  const decoded_insn *insn = userdata;
  if (qemu_plugin_mem_is_store(info) || qemu_plugin_mem_size_shift(info) != 3) return;
  uint64_t base = qemu_plugin_mem_get_value(info).words[0];
  if (insn->kind == insn_lgdt) rec.gdt = base;
  else rec.idt = base;
  if (rec.is_recording) read_handlers();
}

/* The store is done: `memory` has it, and A and D as silicon left them. */
static void on_store(uint64_t gva, uint64_t gpa, const qemu_plugin_mem_value *value, unsigned size, bool is_user) {
  note_store(gva, gpa, value->bytes, size);
  if (!is_table(gpa)) {
    list_access(kind_write, gva, is_user);
    return;
  }
  if (continues_clearing(gva, gpa, value->words[0], size)) return;
  flush_clearing();
  for (uint64_t at = gpa & ~7ull; at < gpa + size; at += 8) {
    bool is_whole = at >= gpa && at + 8 <= gpa + size;
    list_table_store(gva - (gpa - at), word_at(is_whole ? rec.seen : rec.memory, at), is_whole ? 8 : size);
  }
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t gva, void *userdata) {
  (void)vcpu;
  if (!rec.is_recording) return;
  rec.count.loads_stores++;
  unsigned size = 1u << qemu_plugin_mem_size_shift(info);
  const struct qemu_plugin_hwaddr *place = qemu_plugin_get_hwaddr(info, gva);
  uint64_t gpa = place == NULL ? UINT64_MAX : qemu_plugin_hwaddr_phys_addr(place);
  if (place == NULL || qemu_plugin_hwaddr_is_io(place) || gpa >= rec.bytes) {
    rec.count.device_accesses++;
    return;
  }
  /* What a user's instruction does in the kernel's half is the processor's own: descriptors, TSS. */
  bool is_user = !((uint64_t)(uintptr_t)userdata >> 63) && !(gva >> 63);
  bool is_store = qemu_plugin_mem_is_store(info);
  uint64_t last = gva + size - 1;
  bool crosses = (gva ^ last) & ~(uint64_t)(page_bytes - 1);
  if (is_store && !crosses) {
    qemu_plugin_mem_value value = qemu_plugin_mem_get_value(info);
    on_store(gva, gpa, &value, size, is_user);
    return;
  }
  list_access(is_store ? kind_write : kind_read, gva, is_user);
  if (crosses) list_access(is_store ? kind_write : kind_read, last, is_user);
}

static void instrument(struct qemu_plugin_insn *insn) {
  uint8_t bytes[16];
  uint64_t gva = qemu_plugin_insn_vaddr(insn);
  size_t size = qemu_plugin_insn_data(insn, bytes, sizeof bytes);
  decoded_insn decoded = decode(bytes, size, gva + qemu_plugin_insn_size(insn));
  qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, (void *)(uintptr_t)gva);
  if (decoded.kind == insn_none) return;
  decoded_insn *kept = malloc(sizeof *kept);
  if (kept == NULL) abort();
  *kept = decoded;
  if (decoded.kind == insn_lidt || decoded.kind == insn_lgdt)
    qemu_plugin_register_vcpu_mem_cb(insn, on_descriptor_load, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, kept);
  else
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn_exec, QEMU_PLUGIN_CB_R_REGS, kept);
}

/* Blocks and instructions are kept as long as QEMU runs: it never says when it drops one. */
static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(tb);
  block *own = malloc(sizeof *own);
  if (own == NULL) abort();
  own->instructions = (unsigned)count;
  struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, count - 1);
  own->bytes = (unsigned)(qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last) - qemu_plugin_tb_vaddr(tb));
  qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block_exec, QEMU_PLUGIN_CB_R_REGS, own);
  for (size_t i = 0; i < count; i++) instrument(qemu_plugin_tb_get_insn(tb, i));
}

static void at_exit(qemu_plugin_id_t id, void *userdata) {
  (void)id, (void)userdata;
  if (rec.out == NULL || (!rec.is_recording && !rec.has_ended)) return;
  fclose(rec.out);
  write_header();
  write_manifest();
}

static const char *option(int argc, char **argv, const char *name) {
  size_t length = strlen(name);
  for (int i = 0; i < argc; i++)
    if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=') return argv[i] + length + 1;
  fprintf(stderr, "recorder: option %s=... is missing\n", name);
  return NULL;
}

static bool map_memory(const char *path) {
  struct stat about;
  int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &about) < 0) return false;
  rec.bytes = (uint64_t)about.st_size;
  rec.memory = mmap(NULL, rec.bytes, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  rec.start = malloc(rec.bytes);
  rec.seen = malloc(rec.bytes);
  return rec.memory != MAP_FAILED && rec.start != NULL && rec.seen != NULL;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                                               char **argv) {
  (void)info;
  const char *ram = option(argc, argv, "ram"), *fd = option(argc, argv, "fd"), *every = option(argc, argv, "every");
  rec.header_path = option(argc, argv, "header");
  rec.manifest_path = option(argc, argv, "manifest");
  if (ram == NULL || fd == NULL || every == NULL || rec.header_path == NULL || rec.manifest_path == NULL) return 1;
  rec.lists_every_access = atoi(every) != 0;
  rec.out = fdopen(atoi(fd), "w");
  if (rec.out == NULL || !map_memory(ram)) {
    perror("recorder");
    return 1;
  }
  qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
  qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
  qemu_plugin_register_atexit_cb(id, at_exit, NULL);
  return 0;
}
