/**
 * AMD's event log: what was refused, 16 bytes each, in a ring of one page that software empties.
 *
 *     0: device in bits 15:0     1: domain in bits 15:0, flags in 27:16, code in 31:28     2, 3: address
 *
 * A full ring takes nothing more; what is lost is counted.
 *
 * Model: an invalid request is logged without its type. Bias: none, there is one here: a translated request of a device that may
 * send none.
 *
 * Source: AMD IOMMU specification 2.5 "Event Logging", 2.5.3 "IO_PAGE_FAULT Event", 2.5.2 "ILLEGAL_DEV_TABLE_ENTRY Event",
 * "INVALID_DEVICE_REQUEST Event".
 */
import { frameOf } from "../../formats/x86-entry.ts";
import type { DmaKind } from "../iommu.ts";
import type { QueueMemory } from "../queue-memory.ts";

export interface AmdEvent {
  readonly kind: keyof typeof codeOf;
  readonly source: number;
  readonly domain: number;
  readonly page: number;
  readonly access: DmaKind;
  /** Why a page fault: no entry, one that lacks the right, one that silicon does not take. */
  readonly cause: "absent" | "denied" | "reserved";
}

const eventLogLength = 256;

const codeOf = {
  "illegal-device-entry": 1,
  "page-fault": 2,
  "invalid-device-request": 8,
} as const;
const kindOf = Object.fromEntries(
  Object.entries(codeOf).map(([kind, code]) => [code, kind as AmdEvent["kind"]]),
);
/** Flags of the second word: the page was present, a write, no right, a reserved bit. */
const PR = 1 << 20;
const RW = 1 << 21;
const PE = 1 << 22;
const RZ = 1 << 23;

const flagsOf = { absent: 0, denied: PR | PE, reserved: PR | RZ } as const;

export class EventLog {
  /** Events that found the ring full. */
  lost = 0;
  private readonly memory: QueueMemory;
  private base: number | null = null;
  private head = 0;
  private tail = 0;

  constructor(memory: QueueMemory) {
    this.memory = memory;
  }

  setBase(frame: number): void {
    this.base = frame;
    this.head = 0;
    this.tail = 0;
  }

  /** Software has read up to `head`. */
  setHead(head: number): void {
    this.head = head;
  }

  append(event: AmdEvent): void {
    const next = (this.tail + 1) % eventLogLength;
    if (this.base === null || next === this.head) {
      this.lost += 1;
      return;
    }
    const { source, domain, page, access, kind, cause } = event;
    const flags = flagsOf[cause] | (access === "write" ? RW : 0);
    this.memory.write(this.base, 2 * this.tail, source, domain | flags | (codeOf[kind] << 28));
    this.memory.write(this.base, 2 * this.tail + 1, page << 12, Math.floor(page / 0x10_0000));
    this.tail = next;
  }

  /** Where silicon writes next: a register. */
  get writtenTo(): number {
    return this.tail;
  }
}

/** The events of a log in [head, tail), as software reads them. */
export function readEvents(
  memory: QueueMemory,
  base: number,
  { head, tail }: { readonly head: number; readonly tail: number },
): AmdEvent[] {
  const found: AmdEvent[] = [];
  for (let at = head; at !== tail; at = (at + 1) % eventLogLength) {
    const high = memory.readHigh(base, 2 * at);
    const low = memory.readLow(base, 2 * at + 1);
    found.push({
      kind: kindOf[high >>> 28] ?? "illegal-device-entry",
      source: memory.readLow(base, 2 * at) & 0xffff,
      domain: high & 0xffff,
      page: frameOf(low, memory.readHigh(base, 2 * at + 1)),
      access: (high & RW) === 0 ? "read" : "write",
      cause: (high & PR) === 0 ? "absent" : (high & RZ) === 0 ? "denied" : "reserved",
    });
  }
  return found;
}
