/**
 * The guard: tables that locked pages depend on are read-only in the nested tables, roots are verified at CR3 writes.
 *
 * Buys: a remap is seen. Pays: an exit for each store to a guarded table and each A or D bit that silicon would set
 * there, and for CR3 writes, but those of the few values that silicon compares by itself.
 *
 * Source: SDM vol. 3C 25.6.7 "CR3-Target Controls"; KVM page tracking for the stores.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import { isLarge, isPresent, withAccessed, withDirty } from "../../machine/formats/x86-entry.ts";
import { PF_FETCH, PF_WRITE } from "../../machine/page-fault.ts";
import type { Resolution, VmExit } from "../../machine/exits.ts";
import type { Cr3 } from "../../machine/registers.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import { createWalk, walkGuest } from "../../hypervisor/guest-walk.ts";
import { denyRoot } from "../../hypervisor/policy/judge.ts";
import type { CreateGuard, GuardParts } from "./guard.ts";
import { type GuardedTable, GuardedTables, type GuardScope } from "./guarded-tables.ts";
import { leadsRight, wouldLeadRight } from "./lock-check.ts";

type Violation = Extract<VmExit, { readonly reason: "ept-violation" }>;

export interface GuardOptions {
  readonly scope: GuardScope;
  /** Do CR3 writes exit? Without that, a new root is nobody's business. */
  readonly cr3Exits: boolean;
  /** Values last loaded that need no exit, at most four. */
  readonly cr3Targets: number;
  /** May silicon set A and D in guarded tables, as paging-write control lets it? */
  readonly pagingWrite?: boolean;
}

export function tableGuard(options: GuardOptions): CreateGuard {
  return (parts) => new TableGuard(parts, options);
}

const walk = createWalk();

class TableGuard {
  readonly pinsPages = false;
  private readonly parts: GuardParts;
  private readonly options: GuardOptions;
  private tables: GuardedTables;
  /** By vCPU, the values that it loads without an exit, the latest first. */
  private readonly targets: Cr3[][];

  constructor(parts: GuardParts, options: GuardOptions) {
    this.parts = parts;
    this.options = options;
    this.tables = new GuardedTables(parts, options.scope);
    this.targets = parts.vcpus.map(() => []);
  }

  boot(vcpu: VirtualCpu, cr3: Cr3): void {
    this.setControls(vcpu);
    this.accept(vcpu, cr3);
  }

  renew(): void {
    const { parts, options } = this;
    const frames = [...Array(parts.memory.frames).keys()] as Gfn[];
    for (const gfn of frames.filter((one) => parts.policy.isGuarded(one))) {
      parts.policy.guard(gfn, false);
    }
    this.tables = new GuardedTables(parts, options.scope);
    for (const vcpu of parts.vcpus) {
      // Roots that nobody runs are verified when they are loaded, so none may be loaded unseen.
      this.targets[vcpu.id]!.length = 0;
      this.setControls(vcpu);
      this.accept(vcpu, vcpu.cr3);
    }
  }

  answer(exit: VmExit, vcpu: VirtualCpu): Resolution | null {
    if (exit.reason === "cr3-write") return this.load(exit.cr3, vcpu);
    if (exit.reason !== "ept-violation" || exit.access !== "write") return null;
    const { policy, memory } = this.parts;
    if (!policy.isGuarded(exit.gfn) || policy.isLocked(exit.gfn)) return null;
    if (memory.isHole(exit.gfn)) return null;
    const resolution = this.store(exit, vcpu);
    this.flushIfNeeded();
    return resolution;
  }

  /** The guest loads a root, if it means by locked pages what it has to. */
  private load(cr3: Cr3, vcpu: VirtualCpu): Resolution {
    if (!this.accept(vcpu, cr3)) return denyRoot(this.parts.policy, vcpu, cr3.root);
    vcpu.setHardwareRoot(cr3.root, cr3.pcid);
    if (!cr3.keep) vcpu.mmu.flushContext(cr3.pcid);
    this.addTarget(vcpu, cr3);
    return "resume";
  }

  private accept(vcpu: VirtualCpu, { root }: Cr3): boolean {
    const { levels } = vcpu.registers;
    if (this.tables.isRoot(root)) return true;
    if (!leadsRight(this.parts, root, levels)) return false;
    this.tables.addRoot(root, levels);
    this.flushIfNeeded();
    return true;
  }

  private store(exit: Violation, vcpu: VirtualCpu): Resolution {
    const { gfn, store, duringWalk } = exit;
    if (duringWalk) return this.mark(exit, vcpu);
    if (store === null) return "resume";
    const tables = this.tables.of(gfn);
    if (store.kind === "entry") {
      const { index } = store;
      if (!tables.every((table) => wouldLeadRight(this.parts, table, index, store))) {
        return this.deny(exit, vcpu);
      }
      this.emulate(exit, vcpu);
      for (const table of tables) this.tables.relink(table, index);
      return "emulated";
    }
    if (!this.isInUse(tables)) {
      // Freed and used for something else: the roots that led here are dead, or verified again when they are loaded.
      for (const table of tables) {
        for (const root of this.tables.rootsAbove(table)) this.forget(root);
      }
      vcpu.ledger.faultsFixed += 1;
      return "resume";
    }
    if (store.kind === "data") {
      this.emulate(exit, vcpu);
      return "emulated";
    }
    // A whole page: what it will hold is not known yet, so a table that locked pages depend on stays as it is.
    if (tables.some(({ role }) => role !== 0)) return this.deny(exit, vcpu);
    this.emulate(exit, vcpu);
    for (const table of tables) this.tables.relinkAll(table);
    return "emulated";
  }

  private emulate(exit: Violation, vcpu: VirtualCpu): void {
    this.parts.memory.touchForWrite(exit.gfn);
    vcpu.ledger.emulatedPteWrites += 1;
    vcpu.emulateStore(exit, exit.gfn);
  }

  private deny({ vpn, gfn }: Violation, vcpu: VirtualCpu): Resolution {
    return this.parts.policy.deny({ cpu: vcpu.id, vpn, gfn, by: "guest" });
  }

  /** Silicon could not set A or D in the table: the hypervisor does, for the whole walk. */
  private mark({ vpn, gfn, access, store }: Violation, vcpu: VirtualCpu): Resolution {
    const kind = access === "fetch" ? PF_FETCH : 0;
    const error = store === null ? kind : PF_WRITE;
    const { memory, policy } = this.parts;
    // Guarded tables get their bits here and nowhere else; a locked frame stays as it is.
    const memoryPolicy = { mayStore: (table: Gfn) => !policy.isLocked(table) };
    const host = { guest: memory, memoryPolicy, marked: () => undefined };
    walkGuest(host, vcpu, { vpn, error }, walk);
    // Silicon may have come by a path that only its caches know: then the table's entry is one of these.
    // Model: the violation tells the frame and not the byte, so all of them get the bit. Bias: none, who reads A is told
    // of a use that there was not.
    for (let level: number = vcpu.registers.levels; level > 0; level--) {
      this.markEntry(gfn, level, { vpn, isStore: store !== null });
    }
    vcpu.ledger.faultsFixed += 1;
    return "resume";
  }

  private markEntry(
    gfn: Gfn,
    level: number,
    { vpn, isStore }: { readonly vpn: Vpn; readonly isStore: boolean },
  ): void {
    const { memory } = this.parts;
    const index = indexAt(vpn, level);
    const low = memory.readLow(gfn, index);
    if (!isPresent(low)) return;
    const isLeaf = level === 1 || isLarge(low);
    const marked = isLeaf && isStore ? withDirty(withAccessed(low)) : withAccessed(low);
    if (marked !== low) memory.write(gfn, index, marked, memory.readHigh(gfn, index));
  }

  /** Does a running vCPU's root lead to it? */
  private isInUse(tables: readonly GuardedTable[]): boolean {
    const running = new Set(this.parts.vcpus.map(({ cr3 }) => cr3.root));
    return tables.some((table) =>
      [...this.tables.rootsAbove(table)].some((root) => running.has(root)),
    );
  }

  private forget(root: Gfn): void {
    this.tables.dropRoot(root);
    for (const vcpu of this.parts.vcpus) {
      const targets = this.targets[vcpu.id]!;
      const kept = targets.filter((target) => target.root !== root);
      if (kept.length === targets.length) continue;
      targets.splice(0, targets.length, ...kept);
      this.setControls(vcpu);
    }
  }

  private addTarget(vcpu: VirtualCpu, cr3: Cr3): void {
    if (this.options.cr3Targets === 0) return;
    const targets = this.targets[vcpu.id]!;
    targets.unshift(cr3);
    targets.length = Math.min(targets.length, this.options.cr3Targets);
    this.setControls(vcpu);
  }

  private setControls(vcpu: VirtualCpu): void {
    const exitOnCr3Write = this.options.cr3Exits;
    const cr3Targets = [...this.targets[vcpu.id]!];
    vcpu.setControls({ ...this.parts.controls, exitOnCr3Write, cr3Targets });
  }

  private flushIfNeeded(): void {
    if (!this.tables.flushNeeded) return;
    this.tables.flushNeeded = false;
    this.parts.flush();
  }
}
