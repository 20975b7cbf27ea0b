/**
 * The two kinds of tables of agile paging, and how a guest's table passes from one to the other.
 */
import type { Gfn, Pfn, Vpn } from "../../machine/address.ts";
import { ACC_USER, ACC_WRITE, asGlobal } from "../../machine/formats/x86-entry.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { KnownRoot, VirtualCpu } from "../../machine/virtual-cpu.ts";
import { flushVcpus, payer } from "../../hypervisor/flush.ts";
import { createHostMemory, type HostMemory } from "../../hypervisor/memory/host-memory.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import { mirrorRange } from "../shadow/mirror-range.ts";
import { release } from "../shadow/release.ts";
import type { ShadowTable } from "../shadow/shadow-table.ts";
import { ShadowTables } from "../shadow/tables.ts";
import { HostSide } from "./host-side.ts";
import { type AgilePolicy, Modes } from "./modes.ts";
import { nestedBelow } from "./nested-below.ts";
import { Trial } from "./trial.ts";

export class AgileTables {
  /** The vCPU whose exit is being answered; null while the host acts. */
  serving: VirtualCpu | null = null;
  readonly memory: HostMemory;
  readonly shadow: ShadowTables;
  readonly host: HostSide;
  readonly modes: Modes;
  private readonly trial: Trial;
  private readonly vcpus: readonly VirtualCpu[];
  /** A table with nothing in it. */
  private readonly nowhere: Pfn;
  /** vCPUs whose root has changed its mode. */
  private readonly stale = new Set<VirtualCpu>();
  /** vCPUs whose root's frame the host has taken: they have none, and get it back when they exit next. */
  private readonly rootless = new Set<VirtualCpu>();
  /** A nested leaf grants less than silicon may have cached. */
  private isHostStale = false;

  constructor(platform: Platform, policy: AgilePolicy) {
    const { memory: bytes, vcpus, guestFrames, nestedLevels } = platform;
    const ledger = (): Ledger => payer(vcpus, this.serving);
    const memory = createHostMemory(platform);
    const modes = new Modes(policy, guestFrames);
    this.vcpus = vcpus;
    this.nowhere = bytes.allocateTable();
    this.memory = memory;
    this.modes = modes;
    this.trial = new Trial(policy);
    this.shadow = new ShadowTables({
      bytes,
      memory,
      policy: null,
      tracker: {
        mayMapWritable: (gfn) => !modes.isWatched(gfn),
        needsSmall: (gfn, level) => modes.holds(gfn, level),
      },
      // The guest's own INVLPG and CR3 writes reach silicon, so a global entry lives as long as it should.
      keptFlags: asGlobal(ACC_WRITE | ACC_USER),
      beside: {
        isSwitched: (gfn) => modes.isNested(gfn),
        shadowed: (gfn) => this.forbidStores(gfn),
        unshadowed: (gfn) => {
          this.forgetRoots();
          this.host.allowStores(gfn);
        },
      },
      ledger,
    });
    this.host = new HostSide({
      bytes,
      memory,
      levels: nestedLevels,
      isReadOnly: (gfn) => this.shadow.isTable(gfn) || modes.isWatched(gfn),
      needsSmall: (gfn, level) => modes.holds(gfn, level) || this.shadow.regions.holds(gfn, level),
      ledger,
    });
  }

  /** Loads what the vCPU's CR3 stands for: a shadow root, or the guest's own at its host frame. */
  loadRoot(vcpu: VirtualCpu): KnownRoot {
    const { cr3, registers } = vcpu;
    const { root, pcid } = cr3;
    this.memory.check(root, 0 as Vpn);
    this.stale.delete(vcpu);
    this.rootless.delete(vcpu);
    this.begin(root);
    const isSwitched = this.modes.isNested(root);
    const frame = isSwitched
      ? this.memory.touchForWrite(root)
      : this.shadow.shadow(root, registers.levels, 0).pfn;
    if (isSwitched) vcpu.setSwitchedRoot(frame, pcid);
    else vcpu.setHardwareRoot(frame, pcid);
    return { root, pcid, frame, isSwitched, keepsOnly: false };
  }

  /** An address space that was never loaded before. */
  private begin(root: Gfn): void {
    const { modes, shadow, memory } = this;
    if (modes.policy.begins === "shadowed" || memory.isHole(root)) return;
    if (!modes.isNested(root) && shadow.set.of(root).length === 0) modes.setNested(root);
  }

  /** The running shadow root; null where silicon walks the guest's. */
  shadowRoot({ cr3, registers }: VirtualCpu): ShadowTable | null {
    if (this.modes.isNested(cr3.root)) return null;
    return this.shadow.shadow(cr3.root, registers.levels, 0);
  }

  /**
   * What was loaded may be loaded again without an exit. A PCID stands for one root: what it has cached of another one
   * silicon would not know to drop.
   */
  remember({ root, pcid, ...loaded }: KnownRoot, vcpu: VirtualCpu): void {
    const isOther = (known: KnownRoot): boolean =>
      vcpu.registers.pcid ? known.pcid !== pcid : known.root !== root;
    const others = vcpu.knownRoots.filter(isOther);
    const all = [{ root, pcid, ...loaded }, ...others];
    vcpu.knownRoots = all.slice(0, this.modes.policy.knownRoots);
  }

  forgetRoots(): void {
    for (const vcpu of this.vcpus) vcpu.knownRoots = [];
  }

  /** A store of the guest's to what is no shadowed table. */
  stored(gfn: Gfn): void {
    this.modes.written(gfn);
    this.memory.touchForWrite(gfn);
    this.host.allowStores(gfn);
  }

  /** Silicon walks the guest's table at `gfn` from here on, and all that is below it. */
  toNested(gfn: Gfn): void {
    if (this.memory.isHole(gfn)) return;
    const { shadow } = this;
    this.modes.setNested(gfn);
    for (const { parents } of shadow.set.of(gfn)) {
      for (const { above, index } of shadow.set.entriesAt(parents)) shadow.mirror(above, index);
    }
    release(shadow, gfn, {
      isRoot: (table) => this.isRoot(table),
      // What the shadow mapped, the host's side maps from now on, or each page would exit once more.
      mapped: (frame) => this.host.map(frame),
    });
    this.reload(gfn);
  }

  /** The table is shadowed again, wherever it is found. */
  private toShadow(gfn: Gfn): void {
    const { shadow } = this;
    const places = shadow.set.entriesAt(shadow.switches.of(gfn));
    this.modes.setShadowed(gfn);
    for (const { above, index } of places) shadow.mirror(above, index);
    for (const { cr3, registers } of this.vcpus) {
      if (cr3.root === gfn) shadow.shadow(gfn, registers.levels, 0);
    }
    this.reload(gfn);
    this.host.allowStores(gfn);
    // What silicon has cached leads on through the guest's own table.
    shadow.flushNeeded = true;
  }

  /** Who runs on this root gets it loaded anew. */
  private reload(root: Gfn): void {
    this.forgetRoots();
    for (const vcpu of this.vcpus) if (vcpu.cr3.root === root) this.stale.add(vcpu);
  }

  /**
   * The root's frame goes, and who runs on it must not find it: its next access exits, and only that brings the frame back.
   */
  private takeRoot(root: Gfn): void {
    this.forgetRoots();
    for (const vcpu of this.vcpus) {
      if (vcpu.cr3.root !== root) continue;
      this.rootless.add(vcpu);
      vcpu.setHardwareRoot(this.nowhere, vcpu.cr3.pcid);
    }
  }

  /** Has the vCPU's root to be loaded before anything else is true of its exit? */
  isRootless(vcpu: VirtualCpu): boolean {
    return this.rootless.has(vcpu);
  }

  private isRoot(gfn: Gfn): boolean {
    return this.vcpus.some(({ cr3 }) => cr3.root === gfn);
  }

  private forbidStores(gfn: Gfn): void {
    if (this.memory.isHole(gfn)) return;
    this.host.map(gfn);
    if (this.host.forbidStores(gfn)) this.isHostStale = true;
  }

  /** An interval is over: what was watched in vain is shadowed, from the root down, and what is not watched yet is. */
  endInterval(): void {
    const { modes, shadow } = this;
    modes.forgetStores();
    const hasFailed = this.trial.endInterval(this.vcpus.map((vcpu) => vcpu.counted()));
    if (hasFailed) this.nestAll();
    const found = nestedBelow(this.memory, this.heads());
    for (const gfn of modes.list()) if (!found.has(gfn)) modes.setShadowed(gfn);
    // A known root may be one that was just forgotten: no more than its frame is known of it.
    this.forgetRoots();
    // One that is shadowed for others is read through its shadow's leaf, and stays so.
    for (const gfn of found.keys()) if (!shadow.isTable(gfn)) modes.setNested(gfn);
    if (!this.trial.isOn) return;
    for (const [gfn, above] of found) {
      if (!modes.isNested(gfn)) continue;
      const isBelowNested = above !== null && modes.isNested(above);
      if (!isBelowNested && (modes.policy.returns === "all" || modes.isWatched(gfn))) {
        this.toShadow(gfn);
      } else if (modes.watch(gfn)) {
        shadow.writeProtect(gfn);
        this.forbidStores(gfn);
      }
    }
  }

  /** The running spaces are silicon's to walk from their roots on, and every store is the guest's own. */
  private nestAll(): void {
    for (const { cr3 } of this.vcpus) if (!this.modes.isNested(cr3.root)) this.toNested(cr3.root);
    for (const gfn of this.modes.unwatchAll()) this.host.allowStores(gfn);
  }

  /** Nested tables that silicon comes to from a shadow, or as its root; and the level of their entries. */
  private heads(): Map<Gfn, number> {
    const { modes, shadow } = this;
    const heads = new Map<Gfn, number>();
    for (const { cr3, registers } of this.vcpus) {
      if (modes.isNested(cr3.root)) heads.set(cr3.root, registers.levels);
    }
    for (const gfn of modes.list()) {
      const [entry] = shadow.set.entriesAt(shadow.switches.of(gfn));
      if (entry !== undefined) heads.set(gfn, entry.above.level - 1);
    }
    return heads;
  }

  /** The host takes the frames away, or changes what they map to. */
  unmap(start: Gfn, frames: number): void {
    const { shadow } = this;
    const range = { start, frames };
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      payer(this.vcpus, this.serving).neighboursUnmapped += shadow.dropFrame(gfn, range);
      if (this.modes.isNested(gfn)) this.takeRoot(gfn);
    }
    this.host.unmap(start, frames);
    this.flush();
  }

  /** There is no memory behind the frames: what was a table reads as zeros, which only a shadow can say. */
  slotDeleted(start: Gfn, frames: number): void {
    for (let gfn = start; gfn < start + frames; gfn = (gfn + 1) as Gfn) {
      if (this.modes.isNested(gfn)) this.toShadow(gfn);
    }
    mirrorRange(this.shadow, start, frames);
  }

  /** Every vCPU forgets what it has cached, now. */
  flush(): void {
    this.isHostStale = true;
    this.flushIfNeeded();
  }

  /** Before the guest runs on: roots are loaded, and what silicon may not use any more is forgotten. */
  settle(): void {
    for (const vcpu of this.stale) this.loadRoot(vcpu);
    if (this.serving !== null && this.rootless.has(this.serving)) this.loadRoot(this.serving);
    this.flushIfNeeded();
  }

  private flushIfNeeded(): void {
    if (!this.isHostStale && !this.shadow.flushNeeded) return;
    flushVcpus(this.vcpus, this.serving, this.isHostStale ? "nested" : "linear");
    this.isHostStale = false;
    this.shadow.flushNeeded = false;
  }
}
