import { slotShift } from "../memory.ts";
import type { Pfn } from "../address.ts";
import { haveOtherTables, inView, type Stage, type Paging } from "../stages.ts";
import { forgetContexts, forgetViews, nameContexts, rename, useView, useVpid } from "./contexts.ts";
import { memory, stages } from "./given.ts";
import { dropNestedAll, forgetEpochs, useEpochOf } from "./invalidate.ts";
import { l1Deny, l1Entries, l1Meta } from "./l1-ways.ts";
import { DENY, LOADING, RAW, TABLE_STORING, writeProtected } from "./rights.ts";
import {
  FIRST_BITS,
  FIRST_LOW,
  SECOND_A,
  SECOND_BITS,
  SECOND_D,
  SECOND_LOW,
  SECOND_PLAIN,
  hasSecond,
  hasSubPages,
  secondLinksPlain,
  secondRootParts,
} from "./shape.ts";
import {
  ASKED_ROOT,
  ASKED_UPPER,
  FRAMES,
  GLOBAL_PAGES,
  KEPT_TABLE,
  NESTED_AD,
  NESTED_NEED,
  NESTED_ROOT,
  NESTED_ROOT_FRAME,
  NESTED_RUN,
  NESTED_SHIFT,
  PML,
  PML_INDEX,
  SHIFT,
  SUB_PAGES,
  TABLE_ACCESS,
  WRITE_PROTECT,
  s,
} from "./state.ts";

let stagesNow: readonly Stage[] = [];

export function powerOn(): void {
  forgetContexts();
  stagesNow = stages;
  const { root } = stages.at(-1)!;
  useView(root);
  forgetEpochs(root);
  s[SHIFT] = FIRST_LOW + FIRST_BITS * (stages[0]!.shape.levels - 1);
  s[WRITE_PROTECT] = writeProtected;
  s[PML] = -1;
  s[PML_INDEX] = 511;
  s[FRAMES] = memory.frames;
  rename();
}

/** The lists have the unit's shape; levels and roots may differ. */
export function configure(to: Paging, vpid: number): void {
  const changed = haveOtherTables(to.stages, stagesNow);
  stagesNow = to.stages;
  s[SHIFT] = FIRST_LOW + FIRST_BITS * (to.stages[0]!.shape.levels - 1);
  s[KEPT_TABLE] = 0;
  const { askedFirst } = to.stages[0]!;
  s[ASKED_ROOT] = askedFirst?.root ?? 0;
  s[ASKED_UPPER] = askedFirst?.upperHalfOnly === true ? 1 : 0;
  s[WRITE_PROTECT] = to.writeProtect ? writeProtected : 0;
  s[GLOBAL_PAGES] = to.globalPages ? 1 : 0;
  for (let w = 0; w < l1Entries; w++) l1Deny[w] = DENY[(l1Meta[w]! & RAW) | s[WRITE_PROTECT]]!;
  if (hasSecond) useSecond(to.stages.at(-1)!);
  useVpid(vpid);
  if (changed) {
    forgetViews();
    useView(stagesNow.at(-1)!.root);
    rename();
    dropNestedAll();
  } else {
    nameContexts();
  }
}

/** Nothing is flushed: each view's translations are known as its own. */
export function switchView(root: Pfn): void {
  stagesNow = inView(stagesNow, root);
  s[KEPT_TABLE] = 0;
  useSecond(stagesNow.at(-1)!);
  useView(root);
  nameContexts();
  useEpochOf(root);
}

function useSecond({ root, shape, marks, subPages }: Stage): void {
  if (hasSubPages) s[SUB_PAGES] = subPages === null ? -1 : memory.slot(subPages) << slotShift;
  s[NESTED_ROOT] = memory.slot(root!) << slotShift;
  s[NESTED_ROOT_FRAME] = root!;
  if (secondRootParts > 0) s[NESTED_RUN] = memory.runOf(root!, 1 << secondRootParts);
  s[NESTED_SHIFT] = SECOND_LOW + SECOND_BITS * (shape.levels - 1);
  s[NESTED_AD] = marks ? 1 : 0;
  // What an entry has that grants everything: the walk then need not look at it closely.
  s[NESTED_NEED] = SECOND_PLAIN | (marks && !secondLinksPlain ? SECOND_A : 0);
  // Who keeps no D has nothing to note of a walk that may write.
  s[TABLE_ACCESS] = marks && SECOND_D !== 0 ? TABLE_STORING : LOADING;
}
