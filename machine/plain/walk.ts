/**
 * The walk of a table tree, as one loop: levels are data, and the two dimensions differ in a `Tree`.
 *
 * Walking the guest's tree calls its `locate` for each table, which walks the nested tree: that one
 * nested call is the whole of two-dimensional paging (the idea is Spike's `s2xlate`). A walk that cannot
 * finish returns a `Stop`; what it did until then (references, A bits, cache entries) stays.
 *
 * Source: SDM vol. 3A 4.5 and 4.8 "Accessed and Dirty Flags", vol. 3C 29.3 "The Extended Page Table Mechanism".
 */
import { entriesPerTable } from "../address.ts";
import { orderAt } from "../formats/format.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { Stage } from "../stages.ts";
import { keyOf } from "./cache.ts";
import { isUnmarked } from "./marks.ts";
import { allRights, bothRights, type Rights, rightsFrom } from "./rights.ts";
import { isStop, type Stop } from "./stop.ts";
import type {
  DeniedLeaf,
  Leaf,
  Node,
  PwcEntry,
  Request,
  StackLeaf,
  Table,
  Tree,
  WalkObserver,
} from "./tree.ts";

/** log2 of the pages that one entry at `level` covers. */
function orderOf({ format }: Stage, level: number): number {
  return orderAt(format, level);
}

/** Frames that the table takes. */
function framesOf({ indexBits }: Node): number {
  return 2 ** Math.max(0, indexBits - Math.log2(entriesPerTable));
}

/** The frame of the table that has the page's entry. */
function frameOf(stage: Stage, page: number, node: Node): number {
  const before = Math.floor(page / (2 ** orderOf(stage, node.level) * entriesPerTable));
  return node.first + (before % framesOf(node));
}

interface Step {
  /** Level of the entries in `table`. */
  readonly level: number;
  readonly table: Table;
  /** Of the entries above. */
  readonly rights: Rights;
}

export function walk(
  memory: PhysicalMemory,
  tree: Tree,
  request: Request,
  observer: WalkObserver,
): Leaf | Stop {
  let step = firstStep(tree, request, observer);
  for (;;) {
    if (isStop(step)) return step;
    const { level, table } = step;
    const now = table.isSwitched ? tree.switched! : tree;
    const { format, counters } = now.stage;
    const index = Math.floor(request.page / 2 ** orderOf(now.stage, level)) % entriesPerTable;
    const low = memory.readLow(table.pfn, index);
    const high = memory.readHigh(table.pfn, index);
    const dimension = counters === "Guest" ? "guest" : "nested";
    observer.reference({ dimension, level, pfn: table.pfn, index, low, high });

    if (!format.isPresent(low)) return now.refuse("absent", request, low);
    if (tree.restart !== null && (low & tree.stage.askedFirst!.restartBit) !== 0) {
      const found = walk(memory, tree.restart, request, observer);
      const keptOrder = orderOf(now.stage, level);
      return isStop(found) ? found : { ...found, keptOrder: Math.min(found.order, keptOrder) };
    }
    if (format.isReserved(level, low, high)) return now.refuse("reserved", request, low);
    const isLeaf = format.isLeaf(level, low);
    const isPlainLink = !isLeaf && format.linksArePlain;
    const { isVerified } = table;
    const own = isPlainLink
      ? { ...allRights, verified: isVerified }
      : rightsFrom(format, format.rightsOf(low, high), isVerified);
    const rights = bothRights(step.rights, own);
    const above = step.rights;
    const isPermitted = !isLeaf || permission(now, request, { level, rights, above, low, high });
    if (typeof isPermitted === "object") return isPermitted;
    if (!isPermitted) return now.refuse("denied", request, low);
    if (isLeaf && now.stage.refusesUnmarked && isUnmarked(format, request.kind, low))
      return now.refuse("denied", request, low);

    const entry = { table, index, low, setsDirty: isLeaf && request.kind === "write" };
    const marked = isPlainLink ? low : mark(memory, now, request, observer, entry);
    if (typeof marked !== "number") return marked;
    const frame = format.frameOf(low, high);
    if (isLeaf) {
      const order = orderOf(now.stage, level);
      // Below the alignment of a large page's frame are other bits: PAT.
      const first = frame - (frame % 2 ** order);
      const { isSwitched } = table;
      const where = { frame: first, order, keptOrder: order, isSwitched };
      return { ...where, rights, above, low: marked, high };
    }
    const isSwitch = (low & now.stage.switchBit) !== 0;
    const isFolded = level > 2 && (high & format.foldHigh) !== 0;
    const node: Node = {
      first: frame,
      level: isFolded ? level - 2 : level - 1,
      indexBits: isFolded ? 2 * format.indexBits : format.indexBits,
    };
    const at = frameOf(now.stage, request.page, aligned(node));
    const found = isSwitch ? now.switched!.atHost(at) : now.locate(at);
    step = nextStep(tree, request, { level, node, table: found, rights });
  }
}

/** May the page of a leaf be reached so? */
function permission(tree: Tree, request: Request, leaf: StackLeaf & DeniedLeaf): boolean | Stop {
  if (request.isStack) return tree.permitsStack(leaf, request);
  return tree.permits(leaf.rights, request, leaf.high) || tree.permitsLines(leaf, request);
}

/** The walk caches from the leaf's side, else the root. */
function firstStep(tree: Tree, { page }: Request, observer: WalkObserver): Step | Stop {
  const { shape, format } = tree.stage;
  const { levels, rootExtraBits } = shape;
  for (let level = 2; level <= levels; level++) {
    const cache = tree.pwc[level]!;
    const entry = cache.find(keyOf(page, orderOf(tree.stage, level), tree.context));
    if (entry !== null) {
      cache.touch(entry);
      observer.pwcHit(tree, level);
      return stepFrom(tree, page, entry);
    }
  }
  const node = { first: tree.root, level: levels, indexBits: format.indexBits + rootExtraBits };
  const table = tree.isRootSwitched
    ? tree.switched!.atHost(tree.root)
    : tree.locateRoot(frameOf(tree.stage, page, node));
  return isStop(table) ? table : { level: levels, table, rights: allRights };
}

/** Of a table of several frames a walk cache knows the first, as the entry above names it: where each lies, it may ask. */
function stepFrom(tree: Tree, page: number, { node, table, rights }: PwcEntry): Step | Stop {
  const { level } = node;
  const now = table.isSwitched ? tree.switched! : tree;
  const found = framesOf(node) === 1 ? table : now.locate(frameOf(now.stage, page, aligned(node)));
  return isStop(found) ? found : { level, table: found, rights };
}

/** A table begins where its size divides; silicon does not look at the address bits below. */
function aligned(node: Node): Node {
  return { ...node, first: node.first - (node.first % framesOf(node)) };
}

/** Down from the entry at `level`, which now is worth caching. */
function nextStep(
  tree: Tree,
  { page }: Request,
  {
    level,
    node,
    table,
    rights,
  }: Pick<Step, "level" | "rights"> & {
    readonly node: Node;
    readonly table: Table | Stop;
  },
): Step | Stop {
  if (isStop(table)) return table;
  tree.pwc[level]!.insert({
    ...keyOf(page, orderOf(tree.stage, level), tree.context),
    node,
    table,
    rights,
  });
  return { level: node.level, table, rights };
}

interface EntryToMark {
  readonly table: Table;
  readonly index: number;
  readonly low: number;
  readonly setsDirty: boolean;
}

/** Sets A, and D for a store's leaf, where they are clear. Returns the entry's low half. */
function mark(
  memory: PhysicalMemory,
  tree: Tree,
  request: Request,
  observer: WalkObserver,
  { table, index, low, setsDirty }: EntryToMark,
): number | Stop {
  const { format, marks } = tree.stage;
  const { accessed, dirty } = format;
  const flags = low ^ format.flipped;
  const needsAccessed = marks && (flags & accessed) !== accessed;
  const needsDirty = marks && setsDirty && (flags & dirty) !== dirty;
  if (!needsAccessed && !needsDirty) return low;
  const stop = tree.beforeMark(table, needsDirty, request);
  if (stop !== null) return stop;
  if (needsAccessed) observer.bitSet("accessed");
  if (needsDirty) observer.bitSet("dirty");
  const added = (needsAccessed ? accessed : 0) | (needsDirty ? dirty : 0);
  const marked = (flags | added) ^ format.flipped;
  memory.setLow(table.pfn, index, marked);
  return marked;
}
