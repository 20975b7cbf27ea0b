import { C_NTLB_HIT, C_NTLB_MISS, c } from "./counts.ts";
import {
  findNested,
  hasNtlb,
  ntBucket,
  ntChain,
  ntEpoch,
  ntFlags,
  ntFrame,
  ntMask,
  ntOrder,
} from "./nested-tlb.ts";
import { ntTable, ntTag, touchNested } from "./nested-tlb.ts";
import { descendNested } from "./nested-descend.inline.ts";
import { isVerified } from "./nested-marks.ts";
import { enterNested } from "./nested-enter.inline.ts";
import { leaveNested } from "./nested-leaf.inline.ts";
import { LOADING, VERIFIED, VERIFIES } from "./rights.ts";
import { hasPagingWrite, hasViews } from "./shape.ts";
import {
  EPOCH,
  NESTED_SHIFT,
  NESTED_UNIFORM,
  N_FLAGS,
  N_ORDER,
  N_TABLE,
  TABLE_ACCESS,
  W_VERIFIED,
  s,
} from "./state.ts";
import { tableAt } from "./tables.ts";

/**
 * Frame behind `gfn` for an access of `kind`, or -1 with the stop filled in; `s[N_*]` say more about it: nested TLB,
 * nested walk and fill.
 */
export function nested(gfn: number, kind: number): number {
  const uniform = s[NESTED_UNIFORM]!;
  const key = gfn >>> uniform;
  const tag = key << uniform;
  const bucket = (key ^ (key >>> 8)) & 255;
  let v = 0;
  if (hasNtlb) {
    if (uniform >= 0) {
      v = ntBucket[bucket]!;
      while (v !== 0 && (ntTag[v] !== tag || (hasViews && ntEpoch[v] !== s[EPOCH])))
        v = ntChain[v]!;
    } else {
      v = findNested(gfn) | 0;
    }
    if (
      v !== 0 &&
      (kind === LOADING || (ntFlags[v]! & kind) !== 0) &&
      (!hasPagingWrite || isVerified(ntFlags[v]! & VERIFIES))
    ) {
      c[C_NTLB_HIT] = (c[C_NTLB_HIT]! + 1) | 0;
      const own = ntOrder[v]!;
      touchNested(v, (gfn >>> own) & ntMask);
      s[N_ORDER] = own;
      s[N_FLAGS] = ntFlags[v]!;
      s[N_TABLE] = ntTable[v]!;
      return (ntFrame[v]! + (gfn & ((1 << own) - 1))) | 0;
    }
  }
  c[C_NTLB_MISS] = (c[C_NTLB_MISS]! + 1) | 0;
  let shift = s[NESTED_SHIFT]!;
  let rights = 15;
  const i = descendNested(gfn, kind);
  if (i === -1) return -1;
  const inPage = (1 << shift) - 1;
  const frame = leaveNested(gfn, kind, i, shift, rights);
  if (frame === -1) return -1;
  if (hasNtlb) {
    enterNested(gfn, frame, uniform, key, tag, bucket);
  }
  return frame | (gfn & inPage) | 0;
}

/** Where the guest's table at `gfn` starts, or -1 with the stop filled in. */
export function nestedTable(gfn: number): number {
  const pfn = nested(gfn, s[TABLE_ACCESS]!) | 0;
  if (pfn === -1) return -1;
  if (hasPagingWrite && (s[N_FLAGS]! & VERIFIED) === 0) s[W_VERIFIED] = 0;
  const table = s[N_TABLE]!;
  return table !== 0 ? table : tableAt(pfn) | 0;
}
