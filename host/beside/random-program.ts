/**
 * A program at random, a system call or an access at a time: processes that map, touch, protect, unmap, fork and end.
 */
import type { Guest, Pid } from "../../guest/guest.ts";
import type { Prng } from "../../guest/prng.ts";
import type { Vpn } from "../../machine/address.ts";

interface Region {
  readonly vpn: Vpn;
  readonly pages: number;
  isWritable: boolean;
}

const regionsMax = 6;
const processesMax = 3;

export class RandomProgram {
  private readonly guest: Guest;
  private readonly prng: Prng;
  private readonly processes = new Map<Pid, Region[]>([[1 as Pid, []]]);
  private current = 1 as Pid;

  constructor(guest: Guest, prng: Prng) {
    this.guest = guest;
    this.prng = prng;
  }

  step(): void {
    const { prng, guest, regions } = this;
    const choice = prng.below(100);
    if (choice < 10 && regions.length < regionsMax) this.map();
    else if (choice < 14) this.unmap();
    else if (choice < 18) this.protect();
    else if (choice < 20) this.fork();
    else if (choice < 23) this.switch();
    else if (choice < 24) this.exit();
    else if (choice < 26) guest.syscall();
    else this.touch();
  }

  private get regions(): Region[] {
    return this.processes.get(this.current) ?? [];
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

  private fork(): void {
    if (this.processes.size === processesMax) return;
    const child = this.guest.fork();
    this.processes.set(
      child,
      this.regions.map((region) => ({ ...region })),
    );
  }

  private other(): Pid | undefined {
    const others = [...this.processes.keys()].filter((pid) => pid !== this.current);
    return others[this.prng.below(others.length)];
  }

  private switch(): void {
    const next = this.other();
    if (next === undefined) return;
    this.guest.switchTo(next);
    this.current = next;
  }

  private exit(): void {
    const next = this.other();
    if (next === undefined) return;
    this.processes.delete(this.current);
    this.guest.exit(next);
    this.current = next;
  }

  private touch(): void {
    const { prng, guest } = this;
    for (let i = 0; i < 6; i++) {
      const region = this.any();
      if (region === undefined) return;
      const vpn = (region.vpn + prng.below(region.pages)) as Vpn;
      if (region.isWritable && prng.chance(50)) guest.write(vpn, 8 * prng.below(512));
      else guest.read(vpn, 8 * prng.below(512));
    }
  }
}
