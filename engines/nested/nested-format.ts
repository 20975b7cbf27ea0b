/**
 * What the nested formats differ in, as an engine that fills such tables sees it.
 */
import { A, D, EPT_A, EPT_D } from "../../machine/entry.ts";
import { EPT_PW_HIGH, EPT_VGP_HIGH, EPT_XU } from "../../machine/formats/ept.ts";
import {
  eptByModeStage,
  eptPagingWriteStage,
  eptStage,
  nptStage,
  type Stage,
} from "../../machine/stages.ts";
import type { RadixTree } from "../../hypervisor/tables/radix.ts";

export interface NestedFormat {
  /**
   * `ept-mbec`: with a right to execute for each mode of a page; `ept-pw`: with a bit by which walks may set A and D in
   * what nobody may store to, and one by which a page is reached through such tables only.
   */
  readonly format: "ept" | "ept-mbec" | "ept-pw" | "npt";
  /** Does silicon set A and D in nested entries? Always, with `npt`. */
  readonly accessedDirty: boolean;
}

/** Read, write, execute in EPT; present, write, user in NPT: the same three bits. */
export const allRights = 7;
/** EPT memory type write-back, bits 5:3; in NPT these bits would disable caching. */
const writeBack = 6 << 3;

const plain = { moreLinkFlags: 0, pagingWriteHigh: 0, verifyHigh: 0 };
const intel = { ...plain, leafFlags: allRights | writeBack, accessedBit: EPT_A, dirtyBit: EPT_D };

export const flagsOf = {
  ept: intel,
  "ept-mbec": { ...intel, leafFlags: intel.leafFlags | EPT_XU, moreLinkFlags: EPT_XU },
  "ept-pw": { ...intel, pagingWriteHigh: EPT_PW_HIGH, verifyHigh: EPT_VGP_HIGH },
  npt: { ...plain, leafFlags: allRights, accessedBit: A, dirtyBit: D },
} as const satisfies Record<NestedFormat["format"], object>;

const intelStages = {
  ept: eptStage,
  "ept-mbec": eptByModeStage,
  "ept-pw": eptPagingWriteStage,
} as const;

export function stageOf(
  { format, accessedDirty }: NestedFormat,
  { root, levels }: Pick<RadixTree, "root" | "levels">,
): Stage {
  if (format === "npt") return nptStage(root, levels);
  return intelStages[format](root, levels, accessedDirty);
}
