/**
 * The instructions of a vCPU that touch memory and no register that matters to translation.
 */
import type { AccessUnit } from "./access-unit.ts";
import type { Vpn } from "./address.ts";
import { ExitUnit } from "./exit-unit.ts";
import type { PendingStore, Resolution, VmExit } from "./exits.ts";
import type { PhysicalMemory } from "./memory.ts";
import { FETCH, type Mmu, STORE } from "./mmu.ts";

const pageStore: PendingStore = { kind: "page" };

export abstract class MemoryInstructions {
  readonly mmu: Mmu;
  readonly memory: PhysicalMemory;
  /** High half of what `load` returned. */
  loadedHigh = 0;
  protected readonly unit: AccessUnit;
  protected readonly exits: ExitUnit;

  constructor(id: number, mmu: Mmu, memory: PhysicalMemory) {
    this.mmu = mmu;
    this.memory = memory;
    this.exits = new ExitUnit(id, mmu, memory, (exit) => this.answer(exit));
    this.unit = this.exits.accesses;
  }

  /** What the hypervisor makes of an exit. */
  protected abstract answer(exit: VmExit): Resolution;

  /** 8-byte load at byte `offset` of page `vpn`. */
  read(vpn: Vpn, offset = 0): void {
    this.unit.append(vpn, offset, 0);
  }

  /** Store of data whose value does not matter; bytes stay as they are. */
  write(vpn: Vpn, offset = 0): void {
    this.unit.append(vpn, offset, STORE);
  }

  /** Instruction fetch. */
  fetch(vpn: Vpn, offset = 0): void {
    this.unit.append(vpn, offset, FETCH);
  }

  drain(): void {
    this.unit.drain();
  }

  /** Loads entry `index` (8 bytes) of the page: returns its low half, `loadedHigh` has the other. */
  load(vpn: Vpn, index: number): number {
    if (!this.unit.single(vpn, index * 8, 0)) return 0;
    const pfn = this.mmu.lastPfn();
    this.loadedHigh = this.memory.readHigh(pfn, index);
    return this.memory.readLow(pfn, index);
  }

  /** Stores 8 known bytes at entry `index` of the page. */
  store(vpn: Vpn, index: number, low: number, high: number): void {
    this.unit.single(vpn, index * 8, STORE, { kind: "entry", index, low, high });
  }

  /** Stores zeros over the whole page (rep stos); counts as one access. */
  zeroPage(vpn: Vpn): void {
    this.unit.single(vpn, 0, STORE, pageStore);
  }

  /** Copies a page through the two mappings; counts as one load and one store. */
  copyPage(to: Vpn, from: Vpn): void {
    this.unit.copy(to, from);
  }

  /** User or supervisor mode for what follows. No exit under any scheme. */
  setPrivilege(mode: "user" | "supervisor"): void {
    this.unit.setPrivilege(mode);
  }

  /** Runs guest code in front of the access that an exit is being answered for: what an interrupt does. */
  aside(body: () => void): void {
    this.unit.aside(body);
  }
}
