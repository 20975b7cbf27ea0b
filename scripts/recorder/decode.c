/*
 * Which instructions the recorder acts on: control registers, INVLPG, descriptor tables, and what may exit by itself.
 *
 * Source: SDM vol. 2, "Instruction Format" and appendix A (opcode maps); 64-bit mode.
 */
#include <string.h>

#include "qemu-api.h"
#include "recorder.h"

typedef struct {
  const uint8_t *at, *end;
  unsigned rex;
} cursor;

static int next(cursor *c) { return c->at < c->end ? *c->at++ : -1; }

static void skip_prefixes(cursor *c) {
  while (c->at < c->end && strchr("\x66\x67\xf2\xf3\x2e\x36\x3e\x26\x64\x65\xf0", *c->at) != NULL && *c->at != 0)
    c->at++;
  if (c->at < c->end && (*c->at & 0xf0) == 0x40) c->rex = *c->at++;
}

static int64_t signed_bytes(cursor *c, int count) {
  int32_t value = 0;
  if (c->end - c->at < count) return 0;
  if (count == 1) value = (int8_t)*c->at;
  else memcpy(&value, c->at, 4);
  c->at += count;
  return value;
}

/* The address of a memory operand: base, index, displacement. */
static void read_address(cursor *c, int modrm, uint64_t next_gva, decoded_insn *insn) {
  int mod = modrm >> 6, rm = modrm & 7;
  insn->base = rm | (c->rex & 1) << 3;
  if (rm == 4) {
    int sib = next(c);
    int index = (sib >> 3 & 7) | (c->rex & 2) << 2;
    insn->base = (sib & 7) | (c->rex & 1) << 3;
    insn->index = index == 4 ? -1 : index;
    insn->scale = 1 << (sib >> 6 & 3);
    if (mod == 0 && (sib & 7) == 5) {
      insn->base = -1;
      insn->displacement = signed_bytes(c, 4);
    }
  } else if (mod == 0 && rm == 5) {
    insn->base = -1;
    insn->displacement = signed_bytes(c, 4) + (int64_t)next_gva;
  }
  if (mod == 1) insn->displacement = signed_bytes(c, 1);
  if (mod == 2) insn->displacement = signed_bytes(c, 4);
}

static insn_kind group_7(int modrm) {
  if (modrm >> 6 == 3) return insn_none;
  switch (modrm >> 3 & 7) {
    case 2: return insn_lgdt;
    case 3: return insn_lidt;
    case 7: return insn_invlpg;
    default: return insn_none;
  }
}

static void two_bytes(cursor *c, uint64_t next_gva, decoded_insn *insn) {
  int opcode = next(c);
  if (opcode == 0xa2) insn->kind = insn_cpuid;
  if (opcode == 0x30 || opcode == 0x32) insn->kind = insn_msr;
  if (opcode != 0x20 && opcode != 0x22 && opcode != 0x00 && opcode != 0x01) return;
  int modrm = next(c);
  if (modrm < 0) return;
  if (opcode == 0x20 || opcode == 0x22) {
    insn->kind = opcode == 0x20 ? insn_read_cr : insn_write_cr;
    insn->control = (modrm >> 3 & 7) | (c->rex & 4) << 1;
    insn->reg = (modrm & 7) | (c->rex & 1) << 3;
  } else if (opcode == 0x00) {
    if ((modrm >> 3 & 7) == 3 && modrm >> 6 == 3) insn->kind = insn_ltr;
    insn->reg = (modrm & 7) | (c->rex & 1) << 3;
  } else {
    insn->kind = group_7(modrm);
    if (insn->kind != insn_none) read_address(c, modrm, next_gva, insn);
  }
}

decoded_insn decode(const uint8_t *bytes, size_t length, uint64_t next_gva) {
  decoded_insn insn = {.reg = -1, .base = -1, .index = -1, .scale = 1};
  cursor c = {.at = bytes, .end = bytes + length};
  skip_prefixes(&c);
  int opcode = next(&c);
  if (opcode == 0x0f) two_bytes(&c, next_gva, &insn);
  else if (opcode == 0xf4) insn.kind = insn_halt;
  else if ((opcode >= 0xe4 && opcode <= 0xe7) || (opcode >= 0xec && opcode <= 0xef) ||
           (opcode >= 0x6c && opcode <= 0x6f)) {
    insn.kind = insn_port;
    insn.is_out_byte = opcode == 0xee;
  }
  return insn;
}
