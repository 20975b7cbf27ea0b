/**
 * The guest operating system: processes, demand paging, copy-on-write, system calls, context switches.
 *
 * Each processor of a kernel has an object of this class. Everything it does is instructions on that vCPU: page-table
 * entries are stored through the direct map, flushes are INVLPG, INVPCID and CR3 writes, and each way into the kernel
 * fetches code and touches stacks. Its decisions follow from the calls, its own tables and the seed; it knows nothing of a
 * host, so the stream of instructions is the same under every engine.
 */
import { entriesPerTable, hexGva, type Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { PF_FETCH, PF_USER, PF_WRITE } from "../machine/page-fault.ts";
import type { HostEvent } from "../hypervisor/host-events.ts";
import type { GuestSoftware, PageFault } from "../machine/observer.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import { type FaultParts, resolveFault } from "./faults.ts";
import type { Guest, MapOptions, Pid, SignalHandler } from "./guest.ts";
import type { KernelEntry } from "./kernel-entry.ts";
import { type KernelPage, mapKernelPage } from "./kernel-pages.ts";
import { type TextPage, type UserLayout, userLayout } from "./layout.ts";
import { assertUserRange } from "./page-tables.ts";
import { initPages, mapImage, type Process } from "./process.ts";
import type { Processes } from "./processes.ts";
import { changeProtection } from "./protection.ts";
import { copySpace, emptySpace, unmapRange } from "./spaces.ts";
import { populate } from "./user-pages.ts";
import { type Access, allows, regionOf } from "./vmas.ts";
import type { World } from "./world.ts";

export class OperatingSystem implements Guest, GuestSoftware {
  readonly image: Vpn;
  private readonly user: UserLayout;
  private readonly vcpu: Vcpu;
  private readonly world: World;
  private readonly parts: FaultParts;
  private readonly entry: KernelEntry;
  private readonly processes: Processes;
  private current: Process;

  constructor(
    vcpu: Vcpu,
    world: World,
    { parts, entry, processes }: { parts: FaultParts; entry: KernelEntry; processes: Processes },
  ) {
    this.vcpu = vcpu;
    this.world = world;
    this.parts = parts;
    this.entry = entry;
    this.processes = processes;
    this.user = userLayout(parts.options.levels);
    this.image = this.user.image;
    this.current = this.createProcess(parts.tables.createSpace());
  }

  /** Leaves the boot tables for those of the first process. */
  start(): void {
    mapImage(this.current.space, initPages, this.user);
    this.parts.contexts.load(this.current.space);
    this.leave();
  }

  map(pages: number, options: MapOptions): Vpn {
    this.enter("memoryMap");
    this.vcpu.ledger.mmaps += 1;
    // Mappings that ask for 2 MiB pages start on one.
    const alignment = options.pages === "2m" && pages >= entriesPerTable ? entriesPerTable : 1;
    const vpn = this.current.space.vmas.room(pages, alignment);
    this.insert(vpn, pages, options);
    this.leave();
    return vpn;
  }

  mapAt(vpn: Vpn, pages: number, options: MapOptions): void {
    this.enter("memoryMap");
    this.vcpu.ledger.mmaps += 1;
    assertUserRange(vpn, pages, this.parts.options.levels);
    unmapRange(this.parts, this.current.space, vpn, vpn + pages);
    this.insert(vpn, pages, options);
    this.leave();
  }

  unmap(vpn: Vpn, pages: number): void {
    this.enter("memoryMap");
    this.vcpu.ledger.munmaps += 1;
    assertUserRange(vpn, pages, this.parts.options.levels);
    unmapRange(this.parts, this.current.space, vpn, vpn + pages);
    this.leave();
  }

  protect(vpn: Vpn, pages: number, access: Access): void {
    this.enter("memoryMap");
    this.vcpu.ledger.mprotects += 1;
    assertUserRange(vpn, pages, this.parts.options.levels);
    const { space } = this.current;
    const regions = space.vmas.protect(vpn, vpn + pages, access);
    changeProtection(this.parts, space, { regions, access });
    this.leave();
  }

  /** Maps a page of the kernel half, unless it is; what is there already stays. */
  mapKernel(page: KernelPage): void {
    this.enter("memoryMap");
    mapKernelPage(this.parts, this.processes.all, page);
    this.leave();
  }

  read(vpn: Vpn, offset = 0): void {
    this.vcpu.read(vpn, offset);
  }

  write(vpn: Vpn, offset = 0): void {
    this.vcpu.write(vpn, offset);
  }

  fetch(vpn: Vpn, offset = 0): void {
    this.vcpu.fetch(vpn, offset);
  }

  compute(ops: number): void {
    this.vcpu.ledger.computeOps += ops;
  }

  fork(): Pid {
    this.enter("fork");
    this.vcpu.ledger.forks += 1;
    const child = this.createProcess(copySpace(this.parts, this.current.space));
    this.leave();
    return child.pid;
  }

  /** A further thread of the running process, for any processor. */
  startThread(): Pid {
    this.enter("fork");
    this.current.space.threads += 1;
    const thread = this.createProcess(this.current.space);
    this.leave();
    return thread.pid;
  }

  exec(pages: number): void {
    this.enter("exec");
    this.vcpu.ledger.execs += 1;
    assertUserRange(this.image, pages, this.parts.options.levels);
    const { tables, contexts } = this.parts;
    const old = this.current.space;
    assert(old.threads === 1, "guest: exec beside other threads");
    const space = tables.createSpace();
    mapImage(space, pages, this.user);
    this.current.space = space;
    contexts.load(space);
    emptySpace(this.parts, old);
    tables.destroySpace(old);
    // Arguments and environment are copied to the new stack before the program runs.
    populate(this.parts, space, { from: this.user.stackEnd - 1, pages: 1 });
    this.leave();
  }

  exit(next: Pid): void {
    this.enter("exit");
    this.vcpu.ledger.processExits += 1;
    const dead = this.current;
    assert(next !== dead.pid, `guest: process ${dead.pid} cannot outlive its exit`);
    dead.space.threads -= 1;
    const isLast = dead.space.threads === 0;
    if (isLast) emptySpace(this.parts, dead.space);
    this.schedule(this.processes.get(next));
    // Only now, for the dead process's root and stack were in use until the switch.
    if (isLast) this.parts.tables.destroySpace(dead.space);
    this.parts.frames.release(dead.stack);
    this.processes.remove(dead.pid);
    this.leave();
  }

  switchTo(pid: Pid): void {
    this.enter("scheduler");
    this.schedule(this.processes.get(pid));
    this.leave();
  }

  syscall(): void {
    this.enter("systemCall");
    this.leave();
  }

  /** The running process is interrupted: a driver works in the kernel, and what it does is done when this returns. */
  inKernel<T>(body: () => T): T {
    this.enter("systemCall");
    const result = body();
    this.leave();
    this.vcpu.drain();
    return result;
  }

  /** Another processor interrupts the program; what the kernel does about it is done when this returns. */
  interrupt(body: () => void): void {
    this.vcpu.drain();
    this.entry.exception(this.stack());
    this.entry.run("interrupt");
    body();
    this.leave();
    this.vcpu.drain();
  }

  host(event: HostEvent): number {
    this.vcpu.drain();
    return this.world.host(event);
  }

  measure(): void {
    this.vcpu.drain();
    this.world.onMeasure();
  }

  /** #PF. User code faults on its own pages; the kernel does when it stores to a user stack. */
  pageFault({ vpn, error }: PageFault): "retry" | "abandon" {
    this.vcpu.ledger.faultHandlerRuns += 1;
    const fromUser = (error & PF_USER) !== 0;
    if (fromUser) this.entry.exception(this.stack());
    this.entry.run("pageFault");

    const { space, pid } = this.current;
    const write = (error & PF_WRITE) !== 0;
    const vma = space.vmas.find(vpn);
    const gva = () => `GVA 0x${hexGva(vpn, 0, this.parts.options.levels)} of process ${pid}`;
    assert(vma !== undefined, () => `guest: #PF at ${gva()}, where nothing is mapped`);
    const fetch = (error & PF_FETCH) !== 0;
    let isSkipped = false;
    if (allows(vma, write, fetch)) {
      const resolved = resolveFault(this.parts, { space, vma, vpn, write });
      assert(resolved, () => `guest: spurious #PF (error ${error}) at ${gva()}`);
    } else {
      const { signals } = vma;
      const why = () => `guest: forbidden access (error ${error}) to ${gva()}`;
      assert(signals !== null && fromUser, why);
      this.signal(vpn, signals);
      isSkipped = signals === "skip";
    }
    // A fetch that faulted is fetched again by silicon; otherwise the program's code goes on.
    if (fromUser) this.entry.leave(this.stack(), fetch ? null : this.image);
    return isSkipped ? "abandon" : "retry";
  }

  /** The process that runs. */
  get pid(): Pid {
    return this.current.pid;
  }

  /** Frames that nobody holds. */
  get freeFrames(): number {
    return this.parts.frames.free;
  }

  /** SIGSEGV to the program's handler, which unprotects the page or does nothing, and comes back by sigreturn. */
  private signal(vpn: Vpn, handler: SignalHandler): void {
    this.entry.run("signal");
    // The kernel stores the signal frame on the user stack, through the user's own address.
    const frame = (this.user.stackEnd - 1) as Vpn;
    this.vcpu.write(frame);
    this.leave();
    if (handler === "unprotect") this.protect(vpn, 1, "read-write");
    this.enter("signal");
    this.vcpu.read(frame);
    this.vcpu.drain();
  }

  private insert(vpn: Vpn, pages: number, options: MapOptions): void {
    const { space } = this.current;
    space.vmas.insert(regionOf(vpn, pages, options));
    if (options.fill === "populate") populate(this.parts, space, { from: vpn, pages });
  }

  private createProcess(space: Process["space"]): Process {
    const stack = this.parts.frames.take(0, "kernel");
    this.parts.map.zero(stack);
    return this.processes.add(stack, space);
  }

  private schedule(next: Process): void {
    if (next === this.current) return;
    this.entry.run("scheduler");
    this.vcpu.ledger.contextSwitches += 1;
    // Another thread of the same process finds its tables loaded.
    if (next.space !== this.current.space) this.parts.contexts.load(next.space);
    this.current = next;
    this.vcpu.read(this.stack());
  }

  private stack(): Vpn {
    return this.parts.map.page(this.current.stack);
  }

  private enter(page: TextPage): void {
    this.vcpu.ledger.syscalls += 1;
    this.entry.systemCall(this.stack());
    if (page !== "systemCall") this.entry.run(page);
  }

  private leave(): void {
    this.entry.leave(this.stack(), this.image);
  }
}
