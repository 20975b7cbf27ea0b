/**
 * Fuzzing devices beside a guest that runs: programs, ill-behaved drivers and devices, and a host that swaps, shares, merges,
 * takes and migrates, all on one memory in one order. Programs and drivers run on each processor of several; threads of a
 * process on more than one, and a page may be a program's and a device's at once. Two oracles judge: one the processors'
 * accesses, one the devices'; a migration compares what arrived with what is there. The kernel flushes as it should, so that
 * no access of a processor may need a stale translation.
 *
 * Drivers are worse than alone: they give frames back to the kernel that a device may still reach.
 */
import { DmaFuzz, type FuzzSite } from "../../check/dma/fuzz.ts";
import type { DmaMismatch } from "../../check/dma/oracle.ts";
import { problemOf } from "../../check/fuzz/run-program.ts";
import { programHardware } from "../../check/fuzz/program-hardware.ts";
import { smallPresets } from "../../check/fuzz/small-presets.ts";
import { engines } from "../../engines/index.ts";
import type { KernelProcessor } from "../../guest/kernel.ts";
import { Prng } from "../../guest/prng.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { FrameRun } from "../../linux/iommu/core.ts";
import type { Gfn } from "../../machine/address.ts";
import { MigrationOver } from "../migration/migrator.ts";
import {
  type BesideScheme,
  type ComputerBeside,
  computerBeside,
  dirtyMethodsOf,
} from "./computer-beside.ts";
import { drawMigration, type MigrationBeside } from "./migration-beside.ts";
import { RandomProgram, type Tasks } from "./random-program.ts";
import { loggingEngines } from "../migration/engines.ts";

const guestFrames = 8192;
/** Frames that drivers have for buffers: single ones, and some that follow each other. */
const singles = 192;
const rowPages = 64;
const rows = 4;
const processorsMax = 3;

export interface BesideOutcome {
  /** Accesses that each oracle judged. */
  readonly deviceAccesses: number;
  readonly cpuAccesses: number;
  /** Processors of the guest. */
  readonly vcpus: number;
  /** Flushes of one processor that interrupted another. */
  readonly shootdowns: number;
  readonly maps: number;
  readonly staleReached: number;
  readonly hostEvents: number;
  readonly migrated: boolean;
  /** What went wrong, or null. */
  readonly problem: string | null;
}

export interface BesideFuzzOptions {
  readonly scheme: BesideScheme;
  readonly engine: string;
  readonly flush: "strict" | "lazy";
  readonly seed: number;
  readonly operations: number;
  readonly accessesEach: number;
}

/** Engines with a host that are no guests of guests. */
export const besideEngines: readonly string[] = loggingEngines.filter(
  (name) => !name.includes("@"),
);

export function fuzzBeside(options: BesideFuzzOptions): BesideOutcome {
  return new BesideFuzz(options).run(options.operations);
}

class BesideFuzz implements FuzzSite {
  readonly machine;
  readonly apis;
  readonly oracle;
  private readonly prng: Prng;
  private readonly computer: ComputerBeside;
  private readonly fuzz: DmaFuzz;
  private readonly programs: readonly RandomProgram[];
  private readonly migration: MigrationBeside | null;
  private readonly frames: number[];
  private readonly rowsAt: readonly number[];
  private hostEvents = 0;

  constructor({ scheme, engine, flush, seed, accessesEach }: BesideFuzzOptions) {
    const prng = new Prng(seed);
    const methods = dirtyMethodsOf(scheme);
    const dirty = methods[prng.below(methods.length)] ?? "pinned";
    this.prng = prng;
    this.computer = computerBeside({
      engine: engineOf(engine),
      engineName: engine,
      hardware: {
        ...programHardware(),
        guestFrames,
        seed,
        nestedLevels: 4,
        preset: prng.chance(50) ? smallPresets.tiny : smallPresets.roomy,
        backing: prng.chance(50) ? "4k" : "2m",
      },
      kernel: { kpti: prng.chance(30), pcid: prng.chance(50) },
      scheme,
      flush,
      dirty,
      devices: 2,
      vcpus: 1 + prng.below(processorsMax),
      ats: prng.chance(40),
      onMeasure: () => undefined,
    });
    const { dma, guest, oracle, processors } = this.computer;
    const [{ driver }] = processors;
    this.machine = dma;
    this.apis = guest.apis;
    this.oracle = oracle;
    this.frames = Array.from({ length: singles }, () => driver.take());
    this.rowsAt = Array.from({ length: rows }, () => driver.takeRow(rowPages));
    this.fuzz = new DmaFuzz(this, prng, accessesEach);
    const tasks: Tasks = new Map();
    this.programs = processors.map(({ system }) => new RandomProgram(system, prng, tasks));
    this.migration = prng.chance(50) ? drawMigration(this.computer, prng) : null;
  }

  run(operations: number): BesideOutcome {
    const { computer, oracle, fuzz, migration } = this;
    let problem: string | null = null;
    try {
      for (let i = 0; i < operations && oracle.mismatchCount === 0; i++) this.step();
      migration?.programEnded();
      computer.cpuOracle.sharing.checkTables();
      computer.cpuOracle.sharing.checkSnapshot();
    } catch (error) {
      if (!(error instanceof MigrationOver)) problem = problemOf(error);
    }
    const [first] = oracle.mismatches;
    const { stale } = computer.cpuOracle;
    // What else went wrong is its consequence then.
    if (stale > 0) problem = `${stale} accesses of processors used stale translations`;
    return {
      deviceAccesses: oracle.checked,
      cpuAccesses: computer.cpuOracle.checked,
      vcpus: computer.processors.length,
      shootdowns: computer.shootdowns(),
      maps: fuzz.maps,
      staleReached: oracle.staleReached,
      hostEvents: this.hostEvents,
      migrated: migration?.isOver ?? false,
      problem: first === undefined ? problem : describe(first),
    };
  }

  private step(): void {
    const { prng, programs, computer } = this;
    const { processors } = computer;
    for (let turns = 1 + prng.below(2 * processors.length); turns > 0; turns--) {
      const at = prng.below(processors.length);
      const [program, processor] = [programs[at], processors[at]];
      if (program === undefined || processor === undefined) continue;
      for (let i = prng.below(4); i > 0; i--) program.step();
      processor.vcpu.drain();
      if (prng.chance(60)) computer.drive(processor, () => this.drive(processor, program));
    }
    if (prng.chance(15)) this.act();
    this.migration?.passed(1);
  }

  anyRuns(prng: Prng): FrameRun[] {
    if (prng.chance(40)) {
      const pages = 1 + prng.below(rowPages);
      const row = this.rowsAt[prng.below(rows)] ?? 0;
      return [{ frame: row + prng.below(rowPages - pages + 1), pages }];
    }
    const pages = 1 + prng.below(prng.chance(50) ? 3 : 24);
    return Array.from({ length: pages }, () => ({
      frame: this.frames[prng.below(singles)] ?? 0,
      pages: 1,
    }));
  }

  /** The host acts between operations, not within one. */
  move(): void {}

  /** The driver uses its buffers, and gives some back that it has not unmapped. */
  private drive({ driver, hold }: KernelProcessor, program: RandomProgram): void {
    const { prng, computer, frames } = this;
    for (let i = prng.below(4); i > 0; i--) this.fuzz.step();
    for (let i = prng.below(8); i > 0; i--) {
      const gfn = frames[prng.below(singles)] ?? 0;
      if (prng.chance(50)) driver.read(gfn);
      else driver.write(gfn);
    }
    // A driver that copies at unmap would overwrite what the kernel has made of such a frame: the guest's own mistake.
    if (!prng.chance(20) || computer.guest.counts().pagesCopied > 0) return;
    const at = prng.below(singles);
    const given = frames[at] ?? 0;
    const page = prng.chance(60) ? program.anyWritable() : null;
    frames[at] = page === null ? driver.take() : hold(page);
    driver.release(given);
  }

  private act(): void {
    const { prng, computer } = this;
    this.hostEvents += 1;
    const start = prng.below(guestFrames) as Gfn;
    const count = Math.min(1 + prng.below(prng.chance(80) ? 64 : 2048), guestFrames - start);
    const choice = prng.below(6);
    if (choice === 0) {
      computer.balloon.resize(prng.below(1024));
      return;
    }
    const events: readonly HostEvent[] = [
      { kind: "evict", start, frames: count },
      { kind: "snapshot", start, frames: count },
      { kind: "snapshot-drop" },
      { kind: "merge" },
      { kind: "memory-limit", frames: guestFrames / 2 + prng.below(guestFrames) },
    ];
    const event = events[choice - 1];
    if (event !== undefined && !this.isTwoAtOnce(event)) computer.hypervisor.host(event);
  }

  /** A host that is about to lose its guest takes no snapshots of it and merges nothing. */
  private isTwoAtOnce({ kind }: HostEvent): boolean {
    return this.migration !== null && /^snapshot|^merge/.test(kind);
  }
}

function engineOf(name: string) {
  const engine = Object.entries(engines).find(([known]) => known === name)?.[1];
  if (engine === undefined) throw new Error(`bug: beside: no engine ${name}`);
  return engine;
}

const describe = ({ kind, source, page, access, pfn }: DmaMismatch): string =>
  `${kind}: ${access} of IO page ${page} by device ${source} went to frame ${pfn ?? "none"}`;
