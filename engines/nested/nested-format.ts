/**
 * The formats of nested tables, and how silicon walks each.
 */
import { riscvSecond } from "../../machine/formats/riscv.ts";
import type { Isa } from "../../machine/isa/isa.ts";
import {
  eptByModeStage,
  eptPagingWriteStage,
  eptStage,
  nptStage,
  type Stage,
} from "../../machine/stages.ts";

export interface NestedFormat {
  /**
   * `ept-mbec`: with a right to execute for each mode of a page; `ept-pw`: with a bit by which walks may set A and D in
   * what nobody may store to, and one by which a page is reached through such tables only; `riscv`: the G-stage of
   * RISC-V's hypervisor extension.
   */
  readonly format: "ept" | "ept-mbec" | "ept-pw" | "npt" | "riscv";
  /** Does silicon set A and D in nested entries? Always, with `npt`. */
  readonly accessedDirty: boolean;
  /** Whose entries the guest's own tables have; absent: x86-64's. */
  readonly isa?: Isa;
}

/** Its root is not known yet. */
export function stageOf({ format, accessedDirty }: NestedFormat, levels: number): Stage {
  switch (format) {
    case "ept":
      return eptStage(null, levels, accessedDirty);
    case "ept-mbec":
      return eptByModeStage(null, levels, accessedDirty);
    case "ept-pw":
      return eptPagingWriteStage(null, levels, accessedDirty);
    case "npt":
      return nptStage(null, levels);
    case "riscv":
      return {
        ...eptStage(null, levels, accessedDirty),
        format: riscvSecond,
        shape: { levels, rootExtraBits: 2 },
        refusesUnmarked: !accessedDirty,
      };
  }
}

/** Of leaves that grant all rights. Where silicon refuses what lacks A and D, both are there from the start. */
export function flagsOf({ format, refusesUnmarked }: Stage) {
  const marked = refusesUnmarked ? format.accessed | format.dirty : 0;
  return { leafFlags: format.leaf | marked, hugeFlags: format.largeLeaf | marked };
}
