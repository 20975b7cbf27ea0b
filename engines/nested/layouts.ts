/**
 * How the tables of the second dimension lie in memory: level by level, flattened, or as one array.
 *
 * The same entries each time; what differs is how many of them a walk reads, and what memory they ask for.
 */
import { type HostPageSize, pagesPerEntry, type Pfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import type { Controls } from "../../machine/controls.ts";
import { eptFolded } from "../../machine/formats/ept.ts";
import { x86Isa } from "../../machine/isa/x86.ts";
import { eptStage, twoStages, twoStagesRootKept } from "../../machine/stages.ts";
import { flushVcpus } from "../../hypervisor/flush.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import type { RadixTree, TableMemory } from "../../hypervisor/tables/radix.ts";
import { replicateTables } from "../../hypervisor/tables/replicas.ts";
import { type NestedFormat, stageOf } from "./nested-format.ts";

/** Tables with nothing in them, and how silicon translates through them. */
export interface NestedTables {
  readonly tree: RadixTree;
  /** By node of the processor that walks them. */
  readonly stages: (node: number) => Controls["stages"];
}

export type TableLayout = (platform: Platform, format: NestedFormat) => NestedTables;

/**
 * As many levels as the platform has, 512 entries each but for the root, which some formats widen; a copy on every node, if
 * the platform's plan says so.
 */
export const radixTables: TableLayout = (platform, format) => {
  const { nestedLevels: levels, nodes, vcpus } = platform;
  const { isa = x86Isa } = format;
  const nested = stageOf(format, levels);
  const guest = (depth: number) => ({ ...isa.stage(depth), through: 1 });
  const stagesFrom = (root: Pfn) => (depth: number) => [guest(depth), { ...nested, root }];
  const isReplicated = nodes?.hypervisorTables === "replicated";
  const memory = isReplicated
    ? replicateTables(platform.memory, { nodes: nodes.count, format: nested.format })
    : null;
  const root = allocateRoot(memory ?? platform.memory, 2 ** nested.shape.rootExtraBits);
  const tree = { memory: memory ?? platform.memory, format: nested.format, root, levels };
  // Leaves are split where the host acts, which no vCPU asks for.
  const fence = () => flushVcpus(vcpus, null, { vmid: vcpus[0]!.vmid });
  return {
    tree: isa.breaksBeforeMake ? { ...tree, fence } : tree,
    stages: (node) => stagesFrom(memory?.on(root, node) ?? root),
  };
};

function allocateRoot(memory: TableMemory, frames: number): Pfn {
  const root = frames === 1 ? memory.allocateTable() : memory.allocateTables(frames);
  assert(root !== null, () => `nested tables: no ${frames} frames one after another`);
  return root;
}

/** Entries for every guest frame, one after another; the guest's root table is translated once for each load of it. */
export const flatTable: TableLayout = ({ memory, guestFrames }, { accessedDirty }) => {
  const frames = guestFrames / pagesPerEntry(2);
  const root = memory.allocateTables(frames);
  assert(root !== null, () => `flat table: no ${frames} frames one after another`);
  const shape = { levels: 1, rootExtraBits: Math.log2(frames) };
  const nested = { ...eptStage(root, 1, accessedDirty), shape };
  const tree = { memory, format: nested.format, root, levels: 1 };
  return { tree, stages: () => twoStagesRootKept(nested) };
};

/** Links to two levels in one, by size of host pages: what maps large pages stays a level of its own. */
const folds: Readonly<Record<HostPageSize, readonly number[]>> = { "4k": [3], "2m": [], "1g": [] };

/** Levels 4 and 3 are one table of 2 MiB, and so are 2 and 1 where pages are small. */
export const flattenedTables: TableLayout = ({ memory, backing }, { accessedDirty }) => {
  const root = memory.allocateTables(pagesPerEntry(2));
  assert(root !== null, "flattened tables: no 2 MiB for the root");
  const shape = { levels: 3, rootExtraBits: 9 };
  const nested = { ...eptStage(root, 3, accessedDirty), shape, format: eptFolded };
  const tree = { memory, format: eptFolded, root, levels: 3, folds: folds[backing] };
  return { tree, stages: () => twoStages(nested) };
};
