import { EPT_A, EPT_R, EPT_W, EPT_X } from "../entry.ts";
import type { NestedPaging, Registers } from "../exit.ts";
import { slotShift } from "../memory.ts";
import { forgetContexts, nameContexts, rename, useVpid } from "./contexts.ts";
import { memory } from "./given.ts";
import { dropNestedAll } from "./invalidate.ts";
import { l1Deny, l1Entries, l1Meta } from "./l1-ways.ts";
import { DENY, RAW, READ, WRITE, writeProtected } from "./rights.ts";
import {
  EPOCH,
  FRAMES,
  GLOBAL_PAGES,
  NESTED,
  NESTED_AD,
  NESTED_EPT,
  NESTED_NEED,
  NESTED_ROOT,
  NESTED_SHIFT,
  PML,
  PML_INDEX,
  SHIFT,
  TABLE_ACCESS,
  WRITE_PROTECT,
  s,
} from "./state.ts";

let nestedNow: NestedPaging | null = null;

export function powerOn(): void {
  forgetContexts();
  nestedNow = null;
  s[EPOCH] = 1;
  s[SHIFT] = 27;
  s[WRITE_PROTECT] = writeProtected;
  s[PML] = -1;
  s[PML_INDEX] = 511;
  s[FRAMES] = memory.frames;
  rename();
}

export function configure(to: NestedPaging | null, registers: Registers, vpid: number): void {
  const changed =
    s[SHIFT] !== 9 * (registers.levels - 1) ||
    to?.root !== nestedNow?.root ||
    to?.levels !== nestedNow?.levels ||
    to?.format !== nestedNow?.format;
  nestedNow = to;
  s[SHIFT] = 9 * (registers.levels - 1);
  s[WRITE_PROTECT] = registers.writeProtect ? writeProtected : 0;
  s[GLOBAL_PAGES] = registers.globalPages ? 1 : 0;
  for (let w = 0; w < l1Entries; w++) l1Deny[w] = DENY[(l1Meta[w]! & RAW) | s[WRITE_PROTECT]]!;
  s[NESTED] = to === null ? 0 : 1;
  if (to !== null) {
    s[NESTED_ROOT] = memory.slot(to.root) << slotShift;
    s[NESTED_SHIFT] = 9 * (to.levels - 1);
    s[NESTED_EPT] = to.format === "ept" ? 1 : 0;
    s[NESTED_AD] = to.accessedDirty || to.format === "npt" ? 1 : 0;
    s[NESTED_NEED] = EPT_R | EPT_W | EPT_X | (to.accessedDirty ? EPT_A : 0);
    s[TABLE_ACCESS] = s[NESTED_AD] !== 0 ? WRITE : READ;
  }
  useVpid(vpid);
  if (changed) {
    rename();
    dropNestedAll();
  } else {
    nameContexts();
  }
}
