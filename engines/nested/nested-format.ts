/**
 * The formats of nested tables, and how silicon walks each.
 */
import { arm4kStage2, armStage2Shape } from "../../machine/formats/arm.ts";
import { riscvSecond } from "../../machine/formats/riscv.ts";
import type { Pfn } from "../../machine/address.ts";
import type { Isa } from "../../machine/isa/isa.ts";
import {
  eptByModeStage,
  eptPagingWriteStage,
  eptShadowStackStage,
  eptStage,
  eptSubPageStage,
  eptViewStage,
  nptStage,
  type Stage,
} from "../../machine/stages.ts";

export interface NestedFormat {
  /**
   * `ept-mbec`: with a right to execute for each mode of a page; `ept-pw`: with a bit by which walks may set A and D in
   * what nobody may store to, and one by which a page is reached through such tables only; `ept-spp`: with a bit by which a store asks about
   * its 128 bytes; `ept-sss`: with a bit by which a page is a shadow stack of the supervisor's; `ept-views`: the guest may
   * exchange the root for another view's; `riscv`: the G-stage of
   * RISC-V's hypervisor extension; `arm`: Arm's stage 2.
   */
  readonly format:
    "ept" | "ept-mbec" | "ept-pw" | "ept-spp" | "ept-sss" | "ept-views" | "npt" | "riscv" | "arm";
  /** Does silicon set A and D in nested entries? Always, with `npt`. */
  readonly accessedDirty: boolean;
  /** Where `ept-spp` asks. */
  readonly subPages?: Pfn;
  /** Whose entries the guest's own tables have; absent: x86-64's. */
  readonly isa?: Isa;
}

/** Bits of an intermediate physical address, by levels: KVM takes 40 unless it is asked for more. */
const armAddressBits = (levels: number): number => (levels === 3 ? 40 : 48);

/** Its root is not known yet. */
export function stageOf({ format, accessedDirty, subPages }: NestedFormat, levels: number): Stage {
  switch (format) {
    case "ept":
      return eptStage(null, levels, accessedDirty);
    case "ept-mbec":
      return eptByModeStage(null, levels, accessedDirty);
    case "ept-pw":
      return eptPagingWriteStage(null, levels, accessedDirty);
    case "ept-spp":
      return eptSubPageStage(null, levels, { accessedDirty, subPages: subPages ?? null });
    case "ept-sss":
      return eptShadowStackStage(null, levels, accessedDirty);
    case "ept-views":
      return eptViewStage(null, levels, accessedDirty);
    case "npt":
      return nptStage(null, levels);
    case "riscv":
      return {
        ...eptStage(null, levels, accessedDirty),
        format: riscvSecond,
        shape: { levels, rootExtraBits: 2 },
        refusesUnmarked: !accessedDirty,
      };
    case "arm":
      return {
        ...eptStage(null, levels, accessedDirty),
        format: arm4kStage2,
        shape: armStage2Shape(12, armAddressBits(levels)),
        refusesUnmarked: !accessedDirty,
      };
  }
}

/** Of leaves that grant all rights. Where silicon refuses what lacks A and D, both are there from the start. */
export function flagsOf({ format, refusesUnmarked }: Stage) {
  const marked = refusesUnmarked ? format.accessed | format.dirty : 0;
  return { leafFlags: format.leaf | marked, hugeFlags: format.largeLeaf | marked };
}
