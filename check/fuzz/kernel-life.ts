/**
 * A random life of the guest's own kernel: system calls, accesses, and a host that takes pages away, all under the oracle.
 *
 * The fuzzer's other guests write x86-64 entries themselves. Here the kernel writes the tables, so a life means the same on
 * every ISA: whatever its entries look like, the oracle has nothing to say, and nothing stale is used.
 */
import { buildComputer } from "../../engines/computer.ts";
import type { Pid } from "../../guest/guest.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import type { OperatingSystem } from "../../guest/operating-system.ts";
import { Prng } from "../../guest/prng.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Gfn, HostPageSize, PagingLevels, Vpn } from "../../machine/address.ts";
import type { Machine, MmuFactory } from "../../machine/machine.ts";
import type { Preset } from "../../machine/presets.ts";
import { attachOracle, type Oracle } from "../oracle/oracle.ts";

export interface LifeOptions {
  readonly engine: Engine;
  readonly preset: Preset;
  readonly levels: PagingLevels;
  readonly nestedLevels: PagingLevels;
  readonly backing: HostPageSize;
  readonly seed: number;
  readonly steps: number;
  readonly mmu?: MmuFactory;
  /** Changes the machine or its hypervisor before the guest boots: a planted bug. */
  readonly plant?: (machine: Machine, hypervisor: Hypervisor) => void;
}

/** 128 MiB: what all processes can hold at once. */
const guestFrames = 32_768;
const regionPages = 700;
const processesMax = 4;
const anyUse = { writable: true, executable: true } as const;

interface Life {
  readonly guest: OperatingSystem;
  readonly hypervisor: Hypervisor;
  readonly prng: Prng;
  readonly pids: Pid[];
  /** Regions of every process: they share them by fork, and lose them by exec. */
  readonly regions: Map<Pid, Vpn[]>;
  current: Pid;
}

/** Throws an `OracleMismatch` at the first access that is not legal. */
export function liveKernelLife(options: LifeOptions): Oracle {
  const { engine, levels, seed, steps, plant } = options;
  const computer = buildComputer({ ...options, guestFrames });
  const { machine, vcpu } = computer;
  plant?.(machine, computer.hypervisor);
  const oracle = attachOracle(machine, { native: engine.family === "bare", isa: engine.isa });
  const hypervisor = oracle.watch(computer.hypervisor);
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: { ...kernelDefaults, levels, seed, pcid: options.preset.pcid },
    onMeasure: () => undefined,
  });
  const first = 1 as Pid;
  const life: Life = {
    guest,
    hypervisor,
    prng: new Prng(seed),
    pids: [first],
    regions: new Map([[first, []]]),
    current: first,
  };
  addRegion(life);
  for (let i = 0; i < steps; i++) step(life, engine.family !== "bare");
  machine.snapshot();
  oracle.sharing.checkTables();
  oracle.sharing.checkSnapshot();
  return oracle;
}

function regionsOf({ regions, current }: Life): Vpn[] {
  return regions.get(current) ?? [];
}

function addRegion(life: Life): void {
  const { guest, prng } = life;
  const fill = prng.chance(30) ? "populate" : "demand";
  const pages = prng.chance(50) ? "2m" : "4k";
  regionsOf(life).push(guest.map(regionPages, { ...anyUse, fill, pages }));
}

function step(life: Life, hasHost: boolean): void {
  const { guest, prng } = life;
  const what = prng.below(100);
  if (what < 70) return touch(life);
  const own = regionsOf(life);
  const start = own[prng.below(own.length)];
  if (start === undefined) return addRegion(life);
  const from = (start + prng.below(regionPages - 40)) as Vpn;
  const pages = 1 + prng.below(40);
  if (what < 74) {
    // Other frames behind pages that may be cached, a few of them, so that the kernel fences page by page.
    guest.mapAt(from, Math.min(pages, 8), { ...anyUse, fill: "demand", pages: "4k" });
    for (let i = 0; i < pages; i++) guest.read((from + i) as Vpn);
  } else if (what < 78) {
    guest.protect(from, pages, "read");
    for (let i = 0; i < pages; i += 7) guest.read((from + i) as Vpn);
    guest.protect(from, pages, "read-write");
  } else if (what < 82 && own.length > 1) {
    guest.unmap(start, regionPages);
    own.splice(own.indexOf(start), 1);
  } else if (what < 85 && own.length < 4) addRegion(life);
  else if (what < 95) changeProcess(life);
  else if (hasHost) actAsHost(life);
}

/** A burst of accesses to neighbours of one page. */
function touch(life: Life): void {
  const { guest, prng } = life;
  const own = regionsOf(life);
  const start = own[prng.below(own.length)];
  if (start === undefined) return;
  for (let i = 0; i < 12; i++) {
    const vpn = (start + ((prng.below(regionPages) * (1 + (i % 3))) % regionPages)) as Vpn;
    const kind = prng.below(5);
    if (kind < 2) guest.read(vpn);
    else if (kind < 4) guest.write(vpn);
    else guest.fetch(vpn);
  }
}

function changeProcess(life: Life): void {
  const { guest, prng, pids, regions } = life;
  const others = pids.filter((pid) => pid !== life.current);
  const next = others[prng.below(Math.max(1, others.length))];
  if (next === undefined || (prng.chance(40) && pids.length < processesMax)) {
    const child = guest.fork();
    pids.push(child);
    regions.set(child, [...regionsOf(life)]);
  } else if (prng.chance(20)) {
    guest.exit(next);
    regions.delete(life.current);
    pids.splice(pids.indexOf(life.current), 1);
    life.current = next;
  } else if (prng.chance(10)) {
    guest.exec(8);
    regions.set(life.current, []);
    addRegion(life);
  } else {
    guest.switchTo(next);
    life.current = next;
  }
}

/** Pages go to swap, tables of the guest's among them. */
function actAsHost({ guest, hypervisor, prng }: Life): void {
  const frames = 1 + prng.below(64);
  const start = prng.below(hypervisor.memory.frames - frames) as Gfn;
  guest.host({ kind: "evict", start, frames });
}
