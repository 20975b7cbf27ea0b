/**
 * The plain twin of an AMD IOMMU: the specification's pictures as arithmetic on whole entries, and one list of what is known.
 *
 * Nothing of `machine/iommu/amd/` is used: entries, commands and events are taken apart here anew, as numbers of 64 and 128 bits.
 * Everything that a cache holds is in `known`, the least recently used first; a structure's geometry only says what must
 * go when something comes. It is slow, and nobody but tests runs it.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) specification 2.2.2.1, 2.2.3, 2.4, 2.5.
 */
import { IommuCounts } from "../iommu/counters.ts";
import type { PhysicalMemory } from "../memory.ts";
import type { Pfn } from "../address.ts";
import type { Geometry, Preset } from "../presets.ts";

type Access = "read" | "write";
type Refusal = "absent" | "denied" | "reserved";

/** Something that a structure holds: what is at 2^`order` IO pages from `first` on. */
interface Known {
  readonly structure: "tlb" | 2 | 3 | 4 | 5;
  readonly domain: bigint;
  readonly first: bigint;
  readonly order: bigint;
  /** A page's first frame, or a table and its level. */
  readonly frame: bigint;
  readonly level: bigint;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
}

type Place = Pick<Known, "frame" | "level" | "mayRead" | "mayWrite">;

const bit = (value: bigint, at: number) => ((value >> BigInt(at)) & 1n) === 1n;
const field = (value: bigint, high: number, low: number) =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
/** How many bits are set from bit 0 up before the first clear one. */
const trailingOnes = (value: bigint): bigint =>
  bit(value, 0) ? 1n + trailingOnes(value >> 1n) : 0n;
const isIn = (what: { first: bigint; order: bigint }, page: bigint) =>
  page >> what.order === what.first >> what.order;
const permits = (one: Pick<Known, "mayRead" | "mayWrite">, access: Access) =>
  access === "read" ? one.mayRead : one.mayWrite;

export class PlainAmdIommu {
  readonly counts = new IommuCounts();
  /** Told of what travels to a device's TLB. */
  onDeviceTlb: (what: { source: number; page: number; order: number }) => void = () => undefined;
  private readonly memory: PhysicalMemory;
  private readonly preset: Preset;
  private readonly known: Known[] = [];
  private readonly devices = new Map<number, readonly [bigint, bigint]>();
  private readonly registers: Record<string, number> = { EVTHEAD: 0, CONTROL: 0 };
  private commandHead = 0;
  private eventTail = 0;

  constructor(memory: PhysicalMemory, preset: Preset) {
    this.memory = memory;
    this.preset = preset;
  }

  write(register: string, value: number): void {
    if (register !== "CMDTAIL") {
      this.counts.ledger.otherRegisters += 1;
      this.registers[register] = value;
      if (register === "CMDBASE") this.commandHead = 0;
      if (register === "EVTBASE") this.eventTail = this.registers["EVTHEAD"] = 0;
      return;
    }
    this.counts.ledger.tailWrites += 1;
    while (this.commandHead !== value) {
      this.counts.ledger.descriptors += 1;
      const base = BigInt(this.registers["CMDBASE"] ?? 0);
      const at = 2 * this.commandHead;
      this.commandHead = (this.commandHead + 1) % 256;
      this.perform(this.load(base, at), this.load(base, at + 1));
    }
  }

  private load(frame: bigint, index: number): bigint {
    const pfn = Number(frame) as Pfn;
    const high = BigInt(this.memory.readHigh(pfn, index) >>> 0);
    return (high << 32n) | BigInt(this.memory.readLow(pfn, index) >>> 0);
  }

  private store(frame: bigint, index: number, value: bigint): void {
    this.memory.write(
      Number(frame) as Pfn,
      index,
      Number(field(value, 31, 0)) | 0,
      Number(field(value, 63, 32)) | 0,
    );
  }

  private perform(low: bigint, high: bigint): void {
    const { ledger } = this.counts;
    const opcode = field(low, 63, 60);
    if (opcode === 1n) {
      ledger.descriptorsWait += 1;
      this.store(field(low, 51, 12), Number(field(low, 11, 3)), high);
      return;
    }
    if (opcode === 2n) {
      ledger.descriptorsContext += 1;
      this.devices.delete(Number(field(low, 15, 0)));
      return;
    }
    const order = bit(high, 0) ? trailingOnes(field(high, 63, 12)) + 1n : 0n;
    const page = (field(high, 63, 12) >> order) << order;
    if (opcode === 4n) {
      ledger.descriptorsDeviceTlb += 1;
      const source = Number(field(low, 15, 0));
      this.onDeviceTlb({ source, page: Number(page), order: Number(order) });
    } else if (opcode === 3n) {
      if (order >= 51n) ledger.descriptorsTlbDomain += 1;
      else {
        ledger.descriptorsTlbPage += 1;
        this.counts.countPages(Number(order));
      }
      this.forget(field(low, 47, 32), { first: page, order }, bit(high, 1));
    }
  }

  private forget(domain: bigint, range: { first: bigint; order: bigint }, tables: boolean): void {
    const stays = (one: Known) =>
      one.domain !== domain ||
      (one.structure !== "tlb" && !tables) ||
      !(isIn(range, one.first) || isIn(one, range.first));
    this.known.splice(0, this.known.length, ...this.known.filter(stays));
  }

  /** One request; the frame that it reached, or null when it was refused. */
  access(source: number, page: number, access: Access): number | null {
    const { ledger } = this.counts;
    ledger.requests += 1;
    if (this.registers["CONTROL"] !== 1) return page;
    const entry = this.deviceEntry(source);
    if (entry !== null && !bit(entry[0], 0)) return page;
    if (entry === null || !bit(entry[0], 1) || field(entry[0], 11, 9) === 7n) {
      this.refuse(access, { source, page, domain: 0n }, 1n, "reserved");
      return null;
    }
    const [first, second] = entry;
    const domain = field(second, 15, 0);
    const granted = { mayRead: bit(first, 61), mayWrite: bit(first, 62) };
    const level = field(first, 11, 9);
    if (permits(granted, access) && level === 0n) return page;
    const root = { frame: field(first, 51, 12), level, mayRead: true, mayWrite: true };
    const found = permits(granted, access)
      ? this.translate(domain, root, BigInt(page), access)
      : "denied";
    if (typeof found === "bigint") return Number(found);
    this.refuse(access, { source, page, domain }, 2n, found);
    return null;
  }

  /** Is a request let through that the device has translated itself? */
  takesTranslated(source: number, page: number, access: Access): boolean {
    if (this.registers["CONTROL"] !== 1) return true;
    const entry = this.deviceEntry(source);
    if (entry !== null && bit(entry[0], 0) && bit(entry[1], 32)) return true;
    this.refuse(access, { source, page, domain: 0n }, 8n, "absent");
    return false;
  }

  /** Both halves of what says how a device is translated; null: it is not in the table. */
  private deviceEntry(source: number): readonly [bigint, bigint] | null {
    const { ledger } = this.counts;
    const cached = this.devices.get(source);
    if (cached !== undefined) {
      ledger.contextHits += 1;
      return cached;
    }
    // The register holds the first frame, and below it the pages less one.
    const place = BigInt(this.registers["DEVTAB"] ?? 0);
    const byte = 32 * source;
    if (byte >= 4096 * (Number(field(place, 8, 0)) + 1)) return null;
    ledger.contextMisses += 1;
    ledger.referencesContext += 1;
    const frame = (place >> 9n) + BigInt(Math.floor(byte / 4096));
    const index = (byte % 4096) / 8;
    const entry = [this.load(frame, index), this.load(frame, index + 1)] as const;
    if (bit(entry[0], 0)) this.devices.set(source, entry);
    return entry;
  }

  private translate(domain: bigint, root: Place, page: bigint, access: Access): bigint | Refusal {
    const inTlb = this.known
      .filter((one) => one.structure === "tlb" && one.domain === domain && isIn(one, page))
      .sort((one, other) => Number(one.order - other.order));
    const [hit] = inTlb;
    if (hit !== undefined && permits(hit, access)) {
      this.use(hit);
      return hit.frame + (page - hit.first);
    }
    this.counts.ledger.tlbMisses += 1;
    if (page >> (9n * root.level) !== 0n) return "absent";
    const leaf = this.descend(domain, this.nearest(domain, page) ?? root, page);
    if (typeof leaf === "string") return leaf;
    if (!permits(leaf, access)) return "denied";
    if (leaf.frame + (1n << leaf.order) > BigInt(this.memory.frames)) return "reserved";
    this.enter(leaf);
    return leaf.frame + (page - leaf.first);
  }

  /** The table nearest to the leaf that is known; not through an entry that skips what is not zero in this address. */
  private nearest(domain: bigint, page: bigint): Place | null {
    for (const structure of [2, 3, 4, 5] as const) {
      const found = this.known.find(
        (one) => one.structure === structure && one.domain === domain && isIn(one, page),
      );
      if (found === undefined || (page % (1n << found.order)) >> (9n * found.level) !== 0n)
        continue;
      this.use(found);
      return found;
    }
    return null;
  }

  private descend(domain: bigint, table: Place, page: bigint): Known | Refusal {
    const below = 9n * (table.level - 1n);
    if (table.frame >= BigInt(this.memory.frames)) return "reserved";
    const entry = this.load(table.frame, Number((page >> below) & 511n));
    this.counts.ledger.referencesSecond += 1;
    if (!bit(entry, 0)) return "absent";
    const mayRead = table.mayRead && bit(entry, 61);
    const mayWrite = table.mayWrite && bit(entry, 62);
    if (!mayRead && !mayWrite) return "denied";
    const next = field(entry, 11, 9);
    const frame = field(entry, 51, 12);
    const known = { domain, mayRead, mayWrite, level: next };
    if (next === 0n || next === 7n) {
      const order = next === 0n ? below : trailingOnes(frame) + 1n;
      if (next === 7n && (order <= below || order >= below + 9n)) return "reserved";
      const [first, start] = [(page >> order) << order, (frame >> order) << order];
      return { ...known, structure: "tlb", first, order, frame: start };
    }
    if (next >= table.level || (page % (1n << below)) >> (9n * next) !== 0n) return "reserved";
    const place = { ...known, first: (page >> below) << below, order: below, frame };
    const structure = Number(table.level);
    if (structure === 2 || structure === 3 || structure === 4 || structure === 5) {
      this.enter({ ...place, structure });
    }
    return this.descend(domain, place, page);
  }

  private use(one: Known): void {
    this.known.splice(this.known.indexOf(one), 1);
    this.known.push(one);
  }

  /** Something new, in place of what is known of the same; what its set has no room for goes. */
  private enter(one: Known): void {
    const { preset, known } = this;
    const geometry: Geometry | null =
      one.structure === "tlb" ? preset.stlb : preset.pwc[one.structure];
    if (geometry === null) return;
    const setOf = (it: Known) => (it.first >> it.order) % BigInt(geometry.sets);
    const inSet = known.filter((it) => it.structure === one.structure && setOf(it) === setOf(one));
    const same = inSet.find(
      (it) => it.domain === one.domain && it.order === one.order && it.first === one.first,
    );
    const leaving = same ?? (inSet.length === geometry.ways ? inSet[0] : undefined);
    if (leaving !== undefined) known.splice(known.indexOf(leaving), 1);
    known.push(one);
  }

  private refuse(
    access: Access,
    at: { readonly source: number; readonly page: number; readonly domain: bigint },
    code: bigint,
    why: Refusal,
  ): void {
    this.counts.ledger.faults += 1;
    const base = this.registers["EVTBASE"];
    const next = (this.eventTail + 1) % 256;
    if (base === undefined || next === this.registers["EVTHEAD"]) return;
    const present = why === "absent" ? 0n : 1n << 52n;
    const write = access === "write" ? 1n << 53n : 0n;
    const cause = { absent: 0n, denied: 1n << 54n, reserved: 1n << 55n }[why];
    const head = (code << 60n) | cause | write | present | (at.domain << 32n);
    this.store(BigInt(base), 2 * this.eventTail, head | BigInt(at.source));
    this.store(BigInt(base), 2 * this.eventTail + 1, BigInt(at.page) << 12n);
    this.eventTail = next;
  }
}
