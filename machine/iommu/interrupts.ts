/**
 * Interrupt remapping: a device's message names an entry of a table; the entry says which vector goes where, or which
 * descriptor it is posted to.
 *
 *     127          82 81 80 79     64 63        32 31  24 23    16 15 14    2  1   0
 *     ...            | SVT   | source | destination | ... | vector | IM | ... | FPD | P     remapped
 *
 * A posted descriptor (64 bytes) collects vectors in 256 bits; the first one while ON is clear notifies, so a running vCPU is
 * interrupted without an exit.
 *
 * Model: one destination is one vCPU's number; no lowest priority, no logical mode. Bias: none in counts.
 *
 * Source: VT-d specification 5 "Interrupt Remapping", 9.10 "Interrupt Remapping Table Entry", 9.12 "Posted Interrupt
 * Descriptor".
 */
import type { IommuCounts } from "./counters.ts";
import type { Invalidation } from "./descriptors.ts";
import type { QueueMemory } from "./queue-memory.ts";

/** An interrupt remapping entry. */
export type InterruptEntry = { readonly source: number } & (
  | { readonly kind: "remapped"; readonly vector: number; readonly destination: number }
  /** `descriptor` is the frame whose first 64 bytes are the posted-interrupt descriptor. */
  | { readonly kind: "posted"; readonly vector: number; readonly descriptor: number }
);

export type InterruptOutcome =
  | { readonly kind: "delivered"; readonly vector: number; readonly destination: number }
  /** Set in the descriptor; whoever runs on `notify` is told, null when nobody has to be. */
  | { readonly kind: "posted"; readonly vector: number; readonly notify: number | null }
  | { readonly kind: "blocked" };

const PRESENT = 1;
const POSTED = 0x8000;
/** Verify all 16 bits of the source. */
const VERIFY = 1 << 18;
/** In the word of the descriptor behind the 256 vectors: outstanding, suppressed. */
const ON = 1;
const SN = 2;

export function writeInterruptEntry(
  memory: QueueMemory,
  table: number,
  index: number,
  entry: InterruptEntry | null,
): void {
  if (entry === null) {
    memory.write(table, 2 * index, 0, 0);
    return;
  }
  memory.write(table, 2 * index + 1, entry.source | VERIFY, 0);
  const isPosted = entry.kind === "posted";
  const low = (entry.vector << 16) | (isPosted ? POSTED : 0) | PRESENT;
  memory.write(table, 2 * index, low, isPosted ? entry.descriptor : entry.destination);
}

export class InterruptRemapper {
  private readonly memory: QueueMemory;
  private readonly counts: IommuCounts;
  private readonly cache = new Map<number, InterruptEntry>();
  private table = 0;

  constructor(memory: QueueMemory, counts: IommuCounts) {
    this.memory = memory;
    this.counts = counts;
  }

  /** IRTA. */
  setTable(frame: number): void {
    this.table = frame;
    this.cache.clear();
  }

  invalidate({ index, mask }: Extract<Invalidation, { kind: "interrupt-entry" }>): void {
    if (index === null) {
      this.cache.clear();
      return;
    }
    for (let i = 0; i < 2 ** mask; i++) this.cache.delete(index + i);
  }

  /** The device `source` writes the message that names entry `index`. */
  request(source: number, index: number): InterruptOutcome {
    const { ledger } = this.counts;
    const entry = this.find(index);
    if (entry === null || entry.source !== source) {
      ledger.interruptsBlocked += 1;
      return { kind: "blocked" };
    }
    if (entry.kind === "remapped") {
      ledger.interruptsRemapped += 1;
      const { vector, destination } = entry;
      return { kind: "delivered", vector, destination };
    }
    ledger.interruptsPosted += 1;
    return this.post(entry.descriptor, entry.vector);
  }

  private find(index: number): InterruptEntry | null {
    const known = this.cache.get(index);
    if (known !== undefined) return known;
    this.counts.ledger.interruptEntryMisses += 1;
    const { memory, table } = this;
    const low = memory.readLow(table, 2 * index);
    if ((low & PRESENT) === 0) return null;
    const high = memory.readHigh(table, 2 * index);
    const source = memory.readLow(table, 2 * index + 1) & 0xffff;
    const vector = (low >>> 16) & 0xff;
    const entry: InterruptEntry =
      (low & POSTED) === 0
        ? { kind: "remapped", source, vector, destination: high }
        : { kind: "posted", source, vector, descriptor: high };
    this.cache.set(index, entry);
    return entry;
  }

  private post(descriptor: number, vector: number): InterruptOutcome {
    const { memory } = this;
    const at = Math.floor(vector / 64);
    const low = memory.readLow(descriptor, at);
    const high = memory.readHigh(descriptor, at);
    const bit = 1 << (vector % 32);
    const isHigh = vector % 64 >= 32;
    memory.write(descriptor, at, isHigh ? low : low | bit, isHigh ? high | bit : high);
    const control = memory.readLow(descriptor, 4);
    if ((control & (ON | SN)) !== 0) return { kind: "posted", vector, notify: null };
    const destination = memory.readHigh(descriptor, 4);
    memory.write(descriptor, 4, control | ON, destination);
    this.counts.ledger.notifications += 1;
    return { kind: "posted", vector, notify: destination };
  }
}

/** A posted-interrupt descriptor, as the hypervisor keeps it: one page of which 64 bytes are used. */
export class PostedDescriptor {
  readonly frame: number;
  private readonly memory: QueueMemory;

  constructor(memory: QueueMemory, frame: number, destination: number) {
    this.memory = memory;
    this.frame = frame;
    memory.write(frame, 4, 0, destination);
  }

  /** The vCPU does not run: nobody is to be told, or another vector wakes it. */
  suppress(isSuppressed: boolean): void {
    const control = this.memory.readLow(this.frame, 4);
    const next = isSuppressed ? control | SN : control & ~SN;
    this.memory.write(this.frame, 4, next, this.memory.readHigh(this.frame, 4));
  }

  /** What silicon does at the notification, or the hypervisor at entry: takes all vectors, lowest first. */
  take(): number[] {
    const { memory, frame } = this;
    const vectors: number[] = [];
    for (let at = 0; at < 4; at++) {
      const halves = [memory.readLow(frame, at), memory.readHigh(frame, at)];
      for (const [half, word] of halves.entries()) {
        for (let bit = 0; bit < 32; bit++) {
          if ((word & (1 << bit)) !== 0) vectors.push(64 * at + 32 * half + bit);
        }
      }
      memory.write(frame, at, 0, 0);
    }
    const control = memory.readLow(frame, 4);
    memory.write(frame, 4, control & ~ON, memory.readHigh(frame, 4));
    return vectors;
  }
}
