/**
 * The two formats of a page-table entry, as data: x86-64 (guest, shadow and NPT) and EPT.
 *
 *     63        51            12 11    9   8   7   6   5   4   3   2   1   0
 *     NX | ... | frame address  | avail | G | PS | D | A |PCD|PWT| U | W | P     x86-64
 *              | frame address  | avail D(9) A(8) PS(7) memory type | X | W | R  EPT
 *
 * An entry is 8 little-endian bytes, read as two int32 halves: `low` has all flags but NX and frame bits
 * 31..12, `high` has frame bits 43..32 (pfn bits 31..20) and NX. Frame bits above 43 are reserved here.
 *
 * Source: SDM vol. 3A 4.5 "4-Level Paging and 5-Level Paging", vol. 3C 29.3.2 "EPT Translation Mechanism".
 */

/** x86-64 flags in the low half. */
export const P = 1;
export const W = 2;
export const U = 4;
export const A = 0x20;
export const D = 0x40;
export const PS = 0x80;
export const G = 0x100;
/** NX is bit 63: bit 31 of the high half. */
export const NX_HIGH = 0x8000_0000 | 0;

/** EPT flags in the low half. */
export const EPT_R = 1;
export const EPT_W = 2;
export const EPT_X = 4;
export const EPT_PS = 0x80;
export const EPT_A = 0x100;
export const EPT_D = 0x200;

/** Bit of a shadow entry that leads to the guest's own table, at its host frame: agile paging's switch bit. */
export const SWITCH = 0x800;

/** Bits 52..44 of an address must be zero: our machine has 44 physical address bits. */
export const RESERVED_HIGH = 0x000f_f000;
