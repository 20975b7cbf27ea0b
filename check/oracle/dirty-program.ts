/**
 * For tests: one seeded guest program under dirty logging, and what each question must report, frame by frame.
 *
 * Guest and host do anything to a few frames: stores through two mappings, entries changed and flushed, pages
 * copied, logs over any range, gets, clears, frames taken away, on any vCPU. The expectation comes from the ops
 * alone (`DirtyExpectation`); no table is ever read.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import { freshPage } from "../../machine/formats/x86-entry.ts";
import type { DirtyLogOptions } from "../../hypervisor/dirty/dirty-log-options.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Preset } from "../../machine/presets.ts";
import { innermostEngine } from "../../engines/index.ts";
import { Prng } from "../../guest/prng.ts";
import { memoryFrames, type Space, tableKey } from "../fuzz/guest-image.ts";
import { entryTo } from "../fuzz/program.ts";
import { type CheckedGuest, type CheckedGuestOptions, checkedGuest } from "./checked-guest.ts";
import { DirtyExpectation } from "./dirty-expectation.ts";

export interface DirtyProgram {
  /** Of a guest in a guest, L1 keeps the log. */
  readonly engine: string;
  readonly dirtyLog?: Partial<DirtyLogOptions>;
  readonly preset: Preset;
  readonly seed: number;
  readonly ops: number;
  /** A planted bug. */
  readonly plant?: CheckedGuestOptions["plant"];
}

export interface DirtyOutcome {
  readonly gets: number;
  /** Frames over all reports. */
  readonly reported: number;
  /** Data frames that a report has and should not, or should and has not. */
  readonly dataDiffers: number;
  /** The same for frames of guest tables. */
  readonly tablesDiffer: number;
}

/** Data frames in use: both 2 MiB blocks, their edges, and neighbours. */
const dataFrames = [1024, 1025, 1026, 1087, 1088, 1200, 1534, 1535, 1536, 1537, 1700, 1900, 2047];
/** Edges of ranges: whole blocks, and cuts through them. */
const edges = [0, 512, 1024, 1026, 1200, 1536, 1700, memoryFrames];

/** Does the walker's look at a guest table count as a write there? */
function walksWrite(name: string): boolean {
  const engine = innermostEngine(name);
  return engine !== "ept-wp" && engine !== "ept-wp-manual" && engine !== "shadow-wp";
}

export function runDirtyProgram(program: DirtyProgram): DirtyOutcome {
  const prng = new Prng(program.seed);
  const vcpus = 1 + prng.below(3);
  const backing = prng.chance(50) ? "4k" : "2m";
  const { engine, preset, dirtyLog = {}, plant } = program;
  const guest = checkedGuest({
    engine,
    preset,
    vcpus,
    backing,
    dirtyLog,
    ...(plant === undefined ? {} : { plant }),
  });
  const run = new Run(guest, program, prng);
  for (let i = 0; i < program.ops; i++) run.step();
  run.host({ kind: "dirty-log-get" });
  return run.outcome;
}

class Run {
  readonly outcome = { gets: 0, reported: 0, dataDiffers: 0, tablesDiffer: 0 };
  private readonly guest: CheckedGuest;
  private readonly prng: Prng;
  private readonly expectation: DirtyExpectation;
  private readonly tables: ReadonlySet<number>;
  private readonly isWalkWrite: boolean;
  /** Frame and A/D bits of each user page's leaf, by space. */
  private readonly leaves: Map<Vpn, { gfn: number; isMarked: boolean; isDirty: boolean }>[];
  private readonly spaceOf: number[];
  private cpu = 0;

  constructor(guest: CheckedGuest, { engine, dirtyLog }: DirtyProgram, prng: Prng) {
    this.guest = guest;
    this.prng = prng;
    this.isWalkWrite = walksWrite(engine);
    const own = innermostEngine(engine) === "ept-wp-manual" ? "clear" : "get";
    this.expectation = new DirtyExpectation(dirtyLog?.armedBy ?? own);
    const { spaces, kernelTables, userPages } = guest.image;
    this.tables = new Set([
      ...kernelTables,
      ...spaces.flatMap(({ tables }) => [...tables.values()]),
    ]);
    this.spaceOf = guest.machine.vcpus.map(() => 0);
    this.leaves = spaces.map((_, space) => {
      return new Map(
        userPages.map((vpn, i) => {
          return [vpn, { gfn: 1024 + space * 64 + i, isMarked: false, isDirty: false }];
        }),
      );
    });
  }

  step(): void {
    const { prng } = this;
    const choice = prng.below(1000);
    if (choice < 300) this.data(this.pick(dataFrames), "write");
    else if (choice < 400) this.data(this.pick(dataFrames), "read");
    else if (choice < 650) this.user(this.pick(this.guest.image.userPages), "write");
    else if (choice < 750) this.user(this.pick(this.guest.image.userPages), "read");
    else if (choice < 800) this.remap(this.pick(this.guest.image.userPages), this.pick(dataFrames));
    else if (choice < 830) this.copy(this.pick(dataFrames), this.pick(dataFrames));
    else if (choice < 870) this.switchSpace();
    else if (choice < 900) this.switchCpu();
    else if (choice < 950) this.host({ kind: "dirty-log-get" });
    else if (choice < 980) this.host({ kind: "dirty-log-clear", ...this.range() });
    else if (choice < 985) this.host({ kind: "dirty-log-on", ...this.range() });
    else if (choice < 987) this.host({ kind: "dirty-log-off" });
    else {
      const kind = choice < 994 ? "reclaim" : "evict";
      this.host({ kind, start: this.pick(dataFrames) as Gfn, frames: 1 });
    }
  }

  host(event: HostEvent): void {
    for (const vcpu of this.guest.machine.vcpus) vcpu.drain();
    const reported = this.guest.hypervisor.host(event);
    const expected = this.expectation.answer(event);
    if (event.kind !== "dirty-log-get") return;
    this.outcome.gets += 1;
    this.outcome.reported += reported.length;
    const known: ReadonlySet<number> = new Set(reported);
    for (const gfn of new Set([...known, ...expected])) {
      if (known.has(gfn) === expected.has(gfn)) continue;
      if (this.tables.has(gfn)) this.outcome.tablesDiffer += 1;
      else this.outcome.dataDiffers += 1;
    }
  }

  private data(gfn: number, access: "read" | "write"): void {
    const vpn = this.guest.direct(gfn);
    if (access === "write") this.vcpu.write(vpn);
    else this.vcpu.read(vpn);
    this.walked(vpn);
    if (access === "write") this.expectation.wrote(gfn);
  }

  private user(vpn: Vpn, access: "read" | "write"): void {
    const leaf = this.leaves[this.space]!.get(vpn)!;
    if (access === "write") this.vcpu.write(vpn);
    else this.vcpu.read(vpn);
    this.walked(vpn);
    if (!leaf.isMarked || (access === "write" && !leaf.isDirty)) {
      this.expectation.wrote(this.spaceNow.tables.get(tableKey(1, vpn))!);
    }
    leaf.isMarked = true;
    if (access === "read") return;
    leaf.isDirty = true;
    this.expectation.wrote(leaf.gfn);
  }

  /** The entry is changed and flushed everywhere, as an orderly kernel does. */
  private remap(vpn: Vpn, gfn: number): void {
    const table = this.spaceNow.tables.get(tableKey(1, vpn))!;
    const { low, high } = entryTo(gfn, freshPage);
    this.vcpu.store(this.guest.direct(table), indexAt(vpn, 1), low, high);
    this.walked(this.guest.direct(table));
    this.expectation.wrote(table);
    this.leaves[this.space]!.set(vpn, { gfn, isMarked: false, isDirty: false });
    for (const vcpu of this.guest.machine.vcpus) {
      vcpu.drain();
      vcpu.invlpg(vpn);
      if (!vcpu.registers.pcid) vcpu.writeCr3(vcpu.cr3.root, 0, false);
    }
  }

  private copy(to: number, from: number): void {
    this.vcpu.copyPage(this.guest.direct(to), this.guest.direct(from));
    this.walked(this.guest.direct(from));
    this.walked(this.guest.direct(to));
    this.expectation.wrote(to);
  }

  private switchSpace(): void {
    const space = this.prng.below(this.guest.image.spaces.length);
    this.spaceOf[this.cpu] = space;
    this.vcpu.writeCr3(this.spaceNow.root, 0, false);
  }

  private switchCpu(): void {
    this.vcpu.drain();
    this.cpu = this.prng.below(this.guest.machine.vcpus.length);
    this.guest.hypervisor.host({ kind: "vcpu-run", vcpu: this.cpu });
  }

  /** Without any cache each access looks at every table on its way. */
  private walked(vpn: Vpn): void {
    if (!this.isWalkWrite) return;
    const { image } = this.guest;
    this.expectation.wrote(this.spaceNow.root);
    if (vpn < image.directMap) {
      for (const level of [3, 2, 1]) {
        this.expectation.wrote(this.spaceNow.tables.get(tableKey(level, vpn))!);
      }
      return;
    }
    const block = Math.floor((vpn - image.directMap) / 512);
    for (const index of [0, 1, 2 + block]) this.expectation.wrote(image.kernelTables[index]!);
  }

  private range(): { start: Gfn; frames: number } {
    const [first, second] = [this.prng.below(edges.length), this.prng.below(edges.length)];
    const start = edges[Math.min(first, second)]!;
    return { start: start as Gfn, frames: edges[Math.max(first, second)]! - start };
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.prng.below(list.length)]!;
  }

  private get vcpu() {
    return this.guest.machine.vcpus[this.cpu]!;
  }

  private get space(): number {
    return this.spaceOf[this.cpu]!;
  }

  private get spaceNow(): Space {
    return this.guest.image.spaces[this.space]!;
  }
}
