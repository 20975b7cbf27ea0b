/**
 * Hyper-V's enlightened VMCS: the control block of L1's guest is a page of L1's memory, which L1 loads from and stores into
 * without an exit, and L0 reads at VMRESUME. What L1 has not touched since, a bitmap of clean groups says, and L0 keeps
 * what it took over before. L1 names the page in another one, its VP assist page, instead of by VMPTRLD.
 *
 * Buys: what VMCS shadowing buys, from an L0 without such silicon, and L0 copies what changed only. Pays: a hypervisor that
 * forgets to clear a bit runs its guest under stale controls, and silicon does not notice.
 *
 * Source: Hyper-V Top-Level Functional Specification 6.0, "Enlightened VMCS", `HV_VMX_ENLIGHTENED_VMCS`, version 1; Linux
 * `evmcs_write`, `vmx_vcpu_run` (all bits set after an exit), `copy_enlightened_to_vmcs12`,
 * `nested_vmx_handle_enlightened_vmptrld` (another page: no group is clean).
 *
 * Model: fields that say nothing about translation or exits are loaded and stored, and hold 0. Bias: none.
 */
import type { Gfn, Pfn } from "../../machine/address.ts";
import { highHalf, lowHalf } from "../../machine/formats/x86-entry.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { GuestMemory } from "../../hypervisor/hypervisor.ts";
import { decodeControls, encodeControls, rootOf } from "./control-fields.ts";
import { directPage } from "./l1-kernel.ts";
import { l1Frame, type L1Memory } from "./l1-memory.ts";
import type { ControlBlock } from "./control-block.ts";
import { type FieldName, fieldNames, fields, type FieldValues, groups } from "./vmcs-fields.ts";

const allClean = 0xffff;

/** Words that L1 loads after an exit: reason, interruption, vectoring, length, qualification, RIP, interruptibility. */
const loadedAfterExit = [86, 87, 88, 89, 90, 102, 98] as const;
const storedBeforeEntry = [
  "guestRip",
  "interruptibility",
  "entryInterruption",
  "tprThreshold",
] as const satisfies readonly FieldName[];

const cleanWord = 103;
/** In the VP assist page: which page is the control block. */
const currentWord = 6;

/** One vCPU's. */
export class EnlightenedVmcs {
  /** Groups that L0 has copied, over all entries. */
  groupsCopied = 0;
  private readonly memory: L1Memory;
  private readonly outer: GuestMemory;
  private readonly l1: Vcpu;
  private readonly assist: Pfn;
  private readonly page: Pfn;
  /** L0's: the page that it knows, and what it took over from there. */
  private known: Gfn | null = null;
  private readonly taken = Object.fromEntries(
    fieldNames.map((name) => [name, [0, 0]]),
  ) as unknown as FieldValues;

  constructor({ memory, outer, l1 }: { memory: L1Memory; outer: GuestMemory; l1: Vcpu }) {
    this.memory = memory;
    this.outer = outer;
    this.l1 = l1;
    this.assist = memory.allocateTable();
    this.page = memory.allocateTable();
    memory.write(this.assist, currentWord, lowHalf(this.page, 0), highHalf(this.page));
  }

  /** L1 says what it wants of its guest's vCPU: it stores the fields that change. */
  store(asked: ControlBlock): void {
    const values = encodeControls(asked);
    for (const name of fieldNames) {
      const value = values[name];
      if (value !== undefined && this.isChange(name, value)) this.storeField(name, value);
    }
    asked.isRootNew = false;
  }

  /** What L1 looks at before it knows why its guest left. By then all that L0 has is what the page says. */
  exited(): void {
    for (const word of loadedAfterExit) this.l1.load(directPage(this.page), word);
    this.memory.write(this.page, cleanWord, allClean, 0);
  }

  /** What each entry needs, whatever the exit was. */
  prepareEntry(): void {
    for (const name of storedBeforeEntry) this.storeField(name, [0, 0]);
  }

  /** L0 at an exit of L2's: where L2 loads CR3 itself, L1 finds what it loaded. */
  saveGuestRoot(root: Gfn, pcid: number): void {
    const { word } = fields.guestCr3;
    this.outer.write(l1Frame(this.page), word, lowHalf(root, pcid), highHalf(root));
  }

  /** L0 at VMRESUME: takes over the groups that are not clean. */
  fetch(block: ControlBlock): void {
    const { outer } = this;
    const page = rootOf([
      outer.readLow(l1Frame(this.assist), currentWord),
      outer.readHigh(l1Frame(this.assist), currentWord),
    ]) as Gfn;
    const clean = page === this.known ? outer.readLow(page, cleanWord) : 0;
    this.known = page;
    const copied = new Set<number>();
    for (const name of fieldNames) {
      const { word, group } = fields[name];
      if ((clean & group) !== 0) continue;
      this.taken[name] = [outer.readLow(page, word), outer.readHigh(page, word)];
      if (group !== groups.always) copied.add(group);
    }
    this.groupsCopied += copied.size;
    block.controls = decodeControls(this.taken);
    if (!copied.has(groups.controlRegisters)) return;
    const [low] = this.taken.guestCr3;
    block.root = rootOf(this.taken.guestCr3);
    block.pcid = low & 0xfff;
    block.isRootNew = true;
  }

  /** L1 remembers what it has stored. */
  private isChange(name: FieldName, [low, high]: readonly [number, number]): boolean {
    const { word, half } = fields[name];
    return (
      (half !== "high" && this.memory.readLow(this.page, word) !== low) ||
      (half !== "low" && this.memory.readHigh(this.page, word) !== high)
    );
  }

  private storeField(name: FieldName, [low, high]: readonly [number, number]): void {
    const { memory, page } = this;
    const { word, half, group } = fields[name];
    const kept = [memory.readLow(page, word), memory.readHigh(page, word)] as const;
    memory.write(page, word, half === "high" ? kept[0] : low, half === "low" ? kept[1] : high);
    const clean = memory.readLow(page, cleanWord);
    if ((clean & group) !== 0) memory.setLow(page, cleanWord, clean & ~group);
  }
}
