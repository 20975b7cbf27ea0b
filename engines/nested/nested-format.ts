/**
 * What the nested formats differ in, as an engine that fills such tables sees it.
 */
import { A, D, EPT_A, EPT_D } from "../../machine/entry.ts";
import { EPT_XU } from "../../machine/formats/ept.ts";
import { eptByModeStage, eptStage, nptStage, type Stage } from "../../machine/stages.ts";
import type { RadixTree } from "../../hypervisor/tables/radix.ts";

export interface NestedFormat {
  /** `ept-mbec`: with a right to execute for each mode of a page. */
  readonly format: "ept" | "ept-mbec" | "npt";
  /** Does silicon set A and D in nested entries? Always, with `npt`. */
  readonly accessedDirty: boolean;
}

/** Read, write, execute in EPT; present, write, user in NPT: the same three bits. */
export const allRights = 7;
/** EPT memory type write-back, bits 5:3; in NPT these bits would disable caching. */
const writeBack = 6 << 3;

const intel = { leafFlags: allRights | writeBack, accessedBit: EPT_A, dirtyBit: EPT_D };

export const flagsOf = {
  ept: { ...intel, moreLinkFlags: 0 },
  "ept-mbec": { ...intel, leafFlags: intel.leafFlags | EPT_XU, moreLinkFlags: EPT_XU },
  npt: { leafFlags: allRights, accessedBit: A, dirtyBit: D, moreLinkFlags: 0 },
} as const satisfies Record<NestedFormat["format"], object>;

export function stageOf(
  { format, accessedDirty }: NestedFormat,
  { root, levels }: Pick<RadixTree, "root" | "levels">,
): Stage {
  if (format === "npt") return nptStage(root, levels);
  const create = format === "ept" ? eptStage : eptByModeStage;
  return create(root, levels, accessedDirty);
}
