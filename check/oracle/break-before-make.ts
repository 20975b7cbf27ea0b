/**
 * Arm's break-before-make: an entry that names another page, or a page of another size, is made invalid first, then what
 * caches hold of it is fenced, and only then the new one is stored. Else silicon may use both at once, or stop.
 *
 * The oracle sees every store to an entry. It asks of those entries alone that a checked access went through, for only of them
 * it is known whose page they translate, and in tables of the process that runs: a frame that becomes a table again has
 * nothing to do with what it was.
 *
 * Source: Arm Architecture Reference Manual for A-profile, D8.16.1 "Using break-before-make when updating translation table
 * entries".
 */
import { frameOf, isLarge, isPresent } from "../../machine/formats/x86-entry.ts";
import type { PendingStore } from "../../machine/exits.ts";
import type { Isa } from "../../machine/isa/isa.ts";
import type { InvalidationLog } from "./invalidation-log.ts";
import { type LegalWalks, type Query, tableIndex } from "./legal-walks.ts";
import { hex, OracleMismatch } from "./mismatch.ts";

/** Both halves of an entry. */
interface Bytes {
  readonly low: number;
  readonly high: number;
}

export interface EntryStore extends Bytes {
  readonly gfn: number;
  readonly index: number;
  readonly store: PendingStore & { readonly kind: "entry" };
  readonly now: number;
  /** Of the vCPU that stores. */
  readonly root: number;
  readonly levels: number;
}

/** When an access last went through an entry, and for which page. */
interface Use {
  readonly log: InvalidationLog;
  readonly at: number;
  readonly vpn: number;
  readonly pcid: number;
  readonly level: number;
}

interface Broken {
  readonly before: Bytes;
  readonly at: number;
}

export class BreakBeforeMake {
  private readonly isa: Isa;
  private readonly walks: LegalWalks;
  private readonly uses = new Map<number, Use>();
  private readonly broken = new Map<number, Broken>();

  constructor(isa: Isa, walks: LegalWalks) {
    this.isa = isa;
    this.walks = walks;
  }

  /** An access went this way. */
  walked({ log, cr3, registers, vpn }: Query, at: number): void {
    let table: number = cr3.root;
    for (let { levels: level }: { levels: number } = registers; level > 0; level--) {
      const index = tableIndex(vpn, level);
      this.uses.set(keyOf(table, index), { log, at, vpn, pcid: cr3.pcid, level });
      const { low, high } = this.walks.entry(table, index);
      if (!isPresent(low) || isLarge(low)) return;
      table = frameOf(low, high);
    }
  }

  /** The entry is about to be replaced. */
  storing(entry: EntryStore): void {
    const { gfn, index, low, high, store, now } = entry;
    const key = keyOf(gfn, index);
    const [before, after] = [this.inWords({ low, high }), this.inWords(store)];
    const [was, is] = [isPresent(before.low), isPresent(after.low)];
    const use = this.uses.get(key);
    const isLive = use !== undefined && this.tableOf(use, entry) === gfn;
    if (isLive && was && is && leadElsewhere(before, after)) {
      throw new OracleMismatch(`entry ${index} of gfn ${hex(gfn)} is replaced without a break`);
    }
    if (was && !is) this.broken.set(key, { before, at: now });
    if (!is) return;
    const broken = this.broken.get(key);
    this.broken.delete(key);
    if (broken === undefined || !isLive || !leadElsewhere(broken.before, after)) return;
    const fenced = fencedSince(use, now);
    if (fenced > broken.at || fenced > use.at) return;
    throw new OracleMismatch(
      `entry ${index} of gfn ${hex(gfn)} is made with no fence of page ${hex(use.vpn)} since its break`,
    );
  }

  /** The table is another one now. */
  zeroed(gfn: number): void {
    for (let index = 0; index < 512; index++) {
      this.uses.delete(keyOf(gfn, index));
      this.broken.delete(keyOf(gfn, index));
    }
  }

  /** The table whose entry now translates what the use was of; -1: none. */
  private tableOf({ vpn, level }: Use, { root, levels }: EntryStore): number {
    let table = root;
    for (let at = levels; at > level; at--) {
      const { low, high } = this.walks.entry(table, tableIndex(vpn, at));
      if (!isPresent(low) || isLarge(low)) return -1;
      table = frameOf(low, high);
    }
    return table;
  }

  private inWords({ low, high }: Bytes): Bytes {
    return { low: this.isa.readLow(low, high), high: this.isa.readHigh(low, high) };
  }
}

const keyOf = (gfn: number, index: number): number => gfn * 512 + index;

/** When a fence last reached all that the use may have left in caches. */
function fencedSince({ log, vpn, pcid, level }: Use, now: number): number {
  const structures = log.structuresSince(pcid, now);
  return level > 2 ? structures : Math.max(structures, log.pageSince(pcid, vpn, (level - 1) * 9));
}

function leadElsewhere(one: Bytes, other: Bytes): boolean {
  return (
    frameOf(one.low, one.high) !== frameOf(other.low, other.high) ||
    isLarge(one.low) !== isLarge(other.low)
  );
}
