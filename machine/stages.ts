/**
 * Translation as a list of stages: bare metal and shadow tables have one, nested paging two.
 *
 * A stage is a tree of tables that silicon walks. The first translates what programs use, and refuses with a page fault;
 * each further one translates what the one before it calls physical, and refuses with a violation. Units are made for a list: the plain one interprets it, the fast one is
 * assembled with it as constants.
 *
 * Source: SDM vol. 3A chapter 4, vol. 3C 29.3; APM vol. 2 15.25.
 */
import type { Gfn, PagingLevels, Pfn } from "./address.ts";
import { SWITCH } from "./entry.ts";
import { ept, eptByMode, eptPagingWrite, eptShadowStack, eptSubPage } from "./formats/ept.ts";
import type { EntryFormat } from "./formats/format.ts";
import { npt, x86 } from "./formats/x86.ts";

/** The shape of a radix tree of tables. */
export interface Shape {
  /** Tables on the way to the smallest page. */
  readonly levels: number;
  /** Index bits that the root has beyond those of its format: it is 2^that tables that lie one after another. */
  readonly rootExtraBits: number;
}

/**
 * Tables that a walk goes through before those that are loaded as root (Intel's HLAT). They are of the same format and
 * depth, and lie where the stage's own do. A TLB keeps of a page of the stage's own no more than the entry covers that
 * sent the walk there: beside it may lie a page that these tables translate.
 *
 * Model: walk caches keep nothing of them. Bias: for
 * shadow, as walks under HLAT read more than silicon's may.
 *
 * Source: SDM vol. 3A 4.5 "4-Level Paging and 5-Level Paging", "HLAT Paging"; vol. 3C 25.6.
 */
export interface AskedFirst {
  readonly root: Gfn;
  /** A present entry with this bit (low half) says nothing: the walk starts again, from what is loaded as root. */
  readonly restartBit: number;
  /** For addresses in the upper half only, as by a prefix size that is not 0; others are none of theirs. */
  readonly upperHalfOnly: boolean;
}

export interface Stage {
  /** Columns of the ledger that count its references. */
  readonly counters: "Guest" | "Nested";
  readonly format: EntryFormat;
  readonly shape: Shape;
  /** Place in the list of the stage that says where its tables and pages are; null: its frames are the host's. */
  readonly through: number | null;
  /**
   * An entry above the leaves with this bit (low half) names a table of the next stage in the list, at a host frame: the
   * walk goes on there, as that stage walks. 0: there is no such bit.
   */
  readonly switchBit: number;
  /** Does silicon set A and D? Walking what is translated through this stage then counts as writing there. */
  readonly marks: boolean;
  /**
   * Does silicon refuse a leaf without A, or without D for a store, as one that lacks the right? So do processors that
   * leave these bits to software: RISC-V without Svadu, Arm without FEAT_HAFDBS. Never with `marks`.
   */
  readonly refusesUnmarked: boolean;
  /** Where its tables start. Null: what the guest or its hypervisor loads as root. */
  readonly root: Pfn | null;
  /** Does silicon keep where the root table lies, once it has translated that after the root was loaded? */
  readonly keepsRoot: boolean;
  /**
   * May the guest exchange its root for another's, of tables in which its memory looks otherwise? Caches then know whose
   * translations they keep, so that this flushes nothing (Intel's EPTP switching).
   */
  readonly hasViews: boolean;
  /** Root of the sub-page permissions (Intel's SPPTP), which its format has a bit for. Null: nobody asks. */
  readonly subPages: Pfn | null;
  /**
   * Of a first stage: are there shadow stacks (CET)? A leaf without W and with D below entries with W is then a page of one,
   * and shadow-stack accesses reach such pages alone.
   *
   * Source: SDM vol. 3A 4.6 "Access Rights", vol. 1 17 "Control-flow Enforcement Technology".
   */
  readonly shadowStacks: boolean;
  /** Null: there are none, or it is no first stage. */
  readonly askedFirst: AskedFirst | null;
}

/** A list of stages with what control registers say beside it. */
export interface Paging {
  readonly stages: readonly Stage[];
  /** CR0.WP: supervisor stores respect read-only entries. */
  readonly writeProtect: boolean;
  /** CR4.PGE: global entries survive CR3 writes. */
  readonly globalPages: boolean;
}

/** Can one unit's code serve both lists? Levels and roots may differ, and whether a further stage sets A and D. */
export function haveOneShape(one: readonly Stage[], other: readonly Stage[]): boolean {
  return (
    one.length === other.length &&
    one.every((stage, i) => {
      const { format, shape, through, switchBit, marks, keepsRoot, askedFirst, refusesUnmarked } =
        other[i]!;
      return (
        stage.hasViews === other[i]!.hasViews &&
        stage.shadowStacks === other[i]!.shadowStacks &&
        stage.format === format &&
        stage.shape.rootExtraBits === shape.rootExtraBits &&
        (i > 0 || stage.marks === marks) &&
        stage.refusesUnmarked === refusesUnmarked &&
        stage.through === through &&
        stage.keepsRoot === keepsRoot &&
        stage.askedFirst?.restartBit === askedFirst?.restartBit &&
        stage.switchBit === switchBit
      );
    })
  );
}

/** Are caches of the one list worth nothing to the other? */
export function haveOtherTables(one: readonly Stage[], other: readonly Stage[]): boolean {
  return (
    !haveOneShape(one, other) ||
    one.some(({ root, shape, askedFirst }, i) => {
      const before = other[i]!;
      return (
        root !== before.root ||
        shape.levels !== before.shape.levels ||
        askedFirst?.root !== before.askedFirst?.root ||
        askedFirst?.upperHalfOnly !== before.askedFirst?.upperHalfOnly
      );
    })
  );
}

/** Tables in x86-64 format at host frames: bare metal, shadow tables. */
export function x86Stage(levels: number): Stage {
  return {
    counters: "Guest",
    format: x86,
    shape: { levels, rootExtraBits: 0 },
    through: null,
    switchBit: 0,
    marks: true,
    refusesUnmarked: false,
    root: null,
    keepsRoot: false,
    hasViews: false,
    subPages: null,
    shadowStacks: false,
    askedFirst: null,
  };
}

/** Bare metal and shadow tables: what is loaded as root is walked, and that is all. */
export const oneStage = (levels: PagingLevels): readonly Stage[] => [x86Stage(levels)];

/** Shadow tables, entries of which may switch to the guest's own below, in a guest whose memory `nested` maps. */
export const switchingStages =
  (nested: Stage) =>
  (levels: PagingLevels): readonly Stage[] => [
    { ...x86Stage(levels), switchBit: SWITCH },
    { ...x86Stage(levels), through: 2 },
    nested,
  ];

/** The same, where silicon keeps the guest's root table in mind. */
export const twoStagesRootKept =
  (nested: Stage) =>
  (levels: PagingLevels): readonly Stage[] => [
    { ...x86Stage(levels), through: 1, keepsRoot: true },
    nested,
  ];

/** The guest's own tables, in a guest whose memory `nested` maps. */
export const twoStages =
  (nested: Stage) =>
  (levels: PagingLevels): readonly Stage[] => [{ ...x86Stage(levels), through: 1 }, nested];

/** The same, where walks go through tables of the hypervisor's first, which lie in guest-physical memory as well. */
export const twoStagesAsking =
  (nested: Stage, tablesFor: (levels: PagingLevels) => AskedFirst) =>
  (levels: PagingLevels): readonly Stage[] => [
    { ...x86Stage(levels), through: 1, askedFirst: tablesFor(levels) },
    nested,
  ];

/** Nested tables of Intel's. */
export function eptStage(root: Pfn | null, levels: number, accessedDirty: boolean): Stage {
  return {
    ...x86Stage(levels),
    counters: "Nested",
    format: ept,
    marks: accessedDirty,
    root,
  };
}

/** Nested tables of Intel's that are one of several views. */
export function eptViewStage(root: Pfn | null, levels: number, accessedDirty: boolean): Stage {
  return { ...eptStage(root, levels, accessedDirty), hasViews: true };
}

/** The list with other tables in its last stage: another view. */
export function inView(stages: readonly Stage[], root: Pfn): readonly Stage[] {
  return stages.map((stage, i) => (i === stages.length - 1 ? { ...stage, root } : stage));
}

/** Nested tables of Intel's whose execute right is one per mode of the page: mode-based execute control. */
export function eptByModeStage(root: Pfn | null, levels: number, accessedDirty: boolean): Stage {
  return { ...eptStage(root, levels, accessedDirty), format: eptByMode };
}

/** Nested tables of Intel's with paging-write control and guest-paging verification. */
export function eptPagingWriteStage(
  root: Pfn | null,
  levels: number,
  accessedDirty: boolean,
): Stage {
  return { ...eptStage(root, levels, accessedDirty), format: eptPagingWrite };
}

/** Nested tables of Intel's with sub-page write permissions, which lie at `subPages`. */
export function eptSubPageStage(
  root: Pfn | null,
  levels: number,
  { accessedDirty, subPages }: { readonly accessedDirty: boolean; readonly subPages: Pfn | null },
): Stage {
  return { ...eptStage(root, levels, accessedDirty), format: eptSubPage, subPages };
}

/** Nested tables of Intel's with supervisor shadow-stack control. */
export function eptShadowStackStage(
  root: Pfn | null,
  levels: number,
  accessedDirty: boolean,
): Stage {
  return { ...eptStage(root, levels, accessedDirty), format: eptShadowStack };
}

/** The list with shadow stacks in its first stage. */
export function withShadowStacks(stages: readonly Stage[]): readonly Stage[] {
  return stages.map((stage, i) => (i === 0 ? { ...stage, shadowStacks: true } : stage));
}

/** Nested tables of AMD's, whose A and D bits are always set. */
export function nptStage(root: Pfn | null, levels: number): Stage {
  return { ...eptStage(root, levels, true), format: npt };
}
