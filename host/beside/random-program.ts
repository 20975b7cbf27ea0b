/**
 * Programs at random on one processor, a system call or an access at a time: processes and threads that map, touch, protect,
 * unmap, fork and end, and go on where another processor left them.
 */
import type { Pid } from "../../guest/guest.ts";
import type { OperatingSystem } from "../../guest/operating-system.ts";
import type { Prng } from "../../guest/prng.ts";
import type { Vpn } from "../../machine/address.ts";

interface Region {
  readonly vpn: Vpn;
  readonly pages: number;
  isWritable: boolean;
}

const regionsMax = 6;
/** Beside those that run. */
const waitingMax = 3;

interface Task {
  /** Threads of a process have them in common. */
  readonly regions: Region[];
  isRunning: boolean;
}

/** What runs or could, on whichever processor. */
export type Tasks = Map<Pid, Task>;

export class RandomProgram {
  private readonly guest: OperatingSystem;
  private readonly prng: Prng;
  private readonly tasks: Tasks;
  private current: Task = { regions: [], isRunning: true };

  constructor(guest: OperatingSystem, prng: Prng, tasks: Tasks) {
    this.guest = guest;
    this.prng = prng;
    this.tasks = tasks;
    tasks.set(guest.pid, this.current);
  }

  /** A page of the running program that it may store to; null: there is none. */
  anyWritable(): Vpn | null {
    const region = this.any();
    return region?.isWritable === true ? this.pageOf(region) : null;
  }

  step(): void {
    const { prng, guest, regions } = this;
    const choice = prng.below(100);
    if (choice < 10 && regions.length < regionsMax) this.map();
    else if (choice < 14) this.unmap();
    else if (choice < 18) this.protect();
    else if (choice < 19)
      this.start(
        () => this.guest.fork(),
        () => this.regions.map((region) => ({ ...region })),
      );
    else if (choice < 20)
      this.start(
        () => this.guest.startThread(),
        () => this.regions,
      );
    else if (choice < 23) this.switch();
    else if (choice < 24) this.exit();
    else if (choice < 26) guest.syscall();
    else this.touch();
  }

  private get regions(): Region[] {
    return this.current.regions;
  }

  private any(): Region | undefined {
    return this.regions[this.prng.below(this.regions.length)];
  }

  private map(): void {
    const { prng, guest } = this;
    const pages = 1 + prng.below(48);
    const fill = prng.chance(50) ? "populate" : "demand";
    const vpn = guest.map(pages, { fill, pages: "4k", writable: true });
    this.regions.push({ vpn, pages, isWritable: true });
  }

  private unmap(): void {
    const [region] = this.regions.splice(this.prng.below(this.regions.length), 1);
    if (region !== undefined) this.guest.unmap(region.vpn, region.pages);
  }

  private protect(): void {
    const region = this.any();
    if (region === undefined) return;
    region.isWritable = this.prng.chance(60);
    this.guest.protect(region.vpn, region.pages, region.isWritable ? "read-write" : "read");
  }

  private start(start: () => Pid, regions: () => Region[]): void {
    if (this.waiting.length === waitingMax) return;
    this.tasks.set(start(), { regions: regions(), isRunning: false });
  }

  private get waiting(): Pid[] {
    return [...this.tasks].filter(([, { isRunning }]) => !isRunning).map(([pid]) => pid);
  }

  private switch(): void {
    this.goOn((next) => this.guest.switchTo(next));
  }

  private exit(): void {
    const { pid } = this.guest;
    if (this.goOn((next) => this.guest.exit(next))) this.tasks.delete(pid);
  }

  /** With a task that waits; false: none does. */
  private goOn(as: (next: Pid) => void): boolean {
    const { waiting } = this;
    const pid = waiting[this.prng.below(waiting.length)];
    const next = pid === undefined ? undefined : this.tasks.get(pid);
    if (pid === undefined || next === undefined) return false;
    as(pid);
    this.current.isRunning = false;
    next.isRunning = true;
    this.current = next;
    return true;
  }

  private pageOf({ vpn, pages }: Region): Vpn {
    return (vpn + this.prng.below(pages)) as Vpn;
  }

  private touch(): void {
    const { prng, guest } = this;
    for (let i = 0; i < 6; i++) {
      const region = this.any();
      if (region === undefined) return;
      const vpn = this.pageOf(region);
      if (region.isWritable && prng.chance(50)) guest.write(vpn, 8 * prng.below(512));
      else guest.read(vpn, 8 * prng.below(512));
    }
  }
}
