/**
 * AMD's command buffer: commands of 16 bytes, a tail register that software writes after each, and a count of what an emulated
 * IOMMU takes off it.
 *
 * Model: the commands, not the walker: AMD's tables have no silicon here. Bias: none in exits.
 *
 * Source: AMD I/O Virtualization Technology (IOMMU) specification 2.4 "Commands"; Linux 6.1 drivers/iommu/amd/iommu.c
 * `build_inv_iommu_pages`, `build_completion_wait`.
 */
import { assert } from "../assert.ts";
import type { QueueMemory } from "./queue.ts";

export type AmdCommand =
  | {
      readonly kind: "wait";
      readonly frame: number;
      readonly index: number;
      readonly value: number;
    }
  | { readonly kind: "device"; readonly source: number }
  /** 2^`order` pages from `page` on, aligned to as many. */
  | {
      readonly kind: "pages";
      readonly domain: number;
      readonly page: number;
      readonly order: number;
    };

/** Commands in a buffer of one page. */
export const amdBufferLength = 256;

const COMPLETION_WAIT = 1;
const INVALIDATE_DEVICE = 2;
const INVALIDATE_PAGES = 3;
const STORE = 1;
const SIZE = 1;

export type CommandWords = readonly [number, number, number, number];

export function encodeCommand(what: AmdCommand): CommandWords {
  switch (what.kind) {
    case "wait": {
      const high = Math.floor(what.frame / 0x10_0000);
      return [
        (what.frame << 12) | (what.index << 3) | STORE,
        high | (COMPLETION_WAIT << 28),
        what.value,
        0,
      ];
    }
    case "device":
      return [what.source, INVALIDATE_DEVICE << 28, 0, 0];
    case "pages": {
      // The lowest clear address bit says the size.
      const page = what.order === 0 ? what.page : what.page + 2 ** (what.order - 1) - 1;
      const size = what.order === 0 ? 0 : SIZE;
      const high = Math.floor(page / 0x10_0000);
      return [0, what.domain | (INVALIDATE_PAGES << 28), (page << 12) | size, high];
    }
  }
}

export function decodeCommand([a, b, c, d]: CommandWords): AmdCommand {
  const opcode = b >>> 28;
  if (opcode === COMPLETION_WAIT) {
    const frame = (a >>> 12) + (b & 0xf_ffff) * 0x10_0000;
    return { kind: "wait", frame, index: (a >>> 3) & 0x1ff, value: c };
  }
  if (opcode === INVALIDATE_DEVICE) return { kind: "device", source: a & 0xffff };
  assert(opcode === INVALIDATE_PAGES, () => `amd iommu: opcode ${opcode} is no command`);
  let page = (c >>> 12) + (d >>> 0) * 0x10_0000;
  let order = 0;
  if ((c & SIZE) !== 0) {
    order = 1;
    while (Math.floor(page / 2 ** (order - 1)) % 2 === 1) order += 1;
    page -= page % 2 ** order;
  }
  return { kind: "pages", domain: b & 0xffff, page, order };
}

/** The buffer's other end, emulated: what is written is done before the tail's write returns. */
export class AmdCommandBuffer {
  /** Writes of the tail: exits. */
  tailWrites = 0;
  /** Commands taken, in order, since they were last forgotten. */
  readonly taken: AmdCommand[] = [];
  private readonly memory: QueueMemory;
  private base = 0;
  private head = 0;

  constructor(memory: QueueMemory) {
    this.memory = memory;
  }

  setBase(frame: number): void {
    this.base = frame;
    this.head = 0;
  }

  writeTail(tail: number): void {
    this.tailWrites += 1;
    const { memory, base } = this;
    for (; this.head !== tail; this.head = (this.head + 1) % amdBufferLength) {
      const at = 2 * this.head;
      const command = decodeCommand([
        memory.readLow(base, at),
        memory.readHigh(base, at),
        memory.readLow(base, at + 1),
        memory.readHigh(base, at + 1),
      ]);
      this.taken.push(command);
      if (command.kind === "wait") memory.write(command.frame, command.index, command.value, 0);
    }
  }
}
