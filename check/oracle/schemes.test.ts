/**
 * Schemes of the literature under the oracle: random guests, policies made hasty, and bugs planted in each.
 *
 * Each plant is one that an implementation of the scheme would have: the two kinds of tables disagree, a switch leads to
 * where the guest's table was, a large table is entered at its first frame.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import { HostSide } from "../../engines/agile/host-side.ts";
import type { AgilePolicy } from "../../engines/agile/modes.ts";
import { AgileTables } from "../../engines/agile/tables.ts";
import { agilePolicy, createAgile } from "../../engines/agile.ts";
import { eptFlat } from "../../engines/ept-flat.ts";
import { eptFolded } from "../../engines/ept-folded.ts";
import { Choice, type ShspPolicy } from "../../engines/shsp/choice.ts";
import { BesideNested } from "../../engines/shsp/beside-nested.ts";
import { Processes } from "../../engines/shsp/processes.ts";
import { createShspProcess } from "../../engines/shsp-process.ts";
import { createShsp } from "../../engines/shsp.ts";
import { FrameMap } from "../../engines/shadow/frame-map.ts";
import { ShadowTables } from "../../engines/shadow/tables.ts";
import { Prng } from "../../guest/prng.ts";
import type { CreateEngine } from "../../hypervisor/engine.ts";
import type { FrameRange } from "../../hypervisor/dirty/frame-ranges.ts";
import type { Gfn } from "../../machine/address.ts";
import { ept } from "../../machine/formats/ept.ts";
import { PhysicalMemory } from "../../machine/memory.ts";
import type { Stage } from "../../machine/stages.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { plainMmu } from "../../machine/plain/mmu.ts";
import { PlainCache } from "../../machine/plain/cache.ts";
import { PlainTranslator } from "../../machine/plain/translate.ts";
import { drawProgram } from "../fuzz/draw-program.ts";
import { runPair } from "../fuzz/run-pair.ts";
import { runProgram, type Target } from "../fuzz/run-program.ts";
import { smallPresets } from "../fuzz/small-presets.ts";
import { patch } from "./patch-method.ts";

afterEach(() => vi.restoreAllMocks());

const opsPerProgram = 800;
/** Programs that a plant gets before it counts as missed. */
const programsMax = 150;
/** Programs that must pass without one. */
const programsOfControl = 12;

/** An interval that ends many times in a short program. */
const hasty = { ...agilePolicy, intervalAccesses: 20, worthCycles: -1 };
/** Finds the other mode cheaper more often than not. */
const fickle: ShspPolicy = {
  intervalAccesses: 10,
  exitCycles: 100,
  nestedReferenceCycles: 20,
  exitsPerFault: 1,
  gain: 0.1,
  sampleEvery: 1,
};
const agileWith =
  (policy: Partial<AgilePolicy>): CreateEngine =>
  (platform) =>
    createAgile(platform, { ...hasty, ...policy });

const schemes: Readonly<Record<string, CreateEngine>> = {
  "agile, tables without stores return": agileWith({}),
  "agile, all tables return": agileWith({ returns: "all" }),
  "agile, spaces begin shadowed": agileWith({ begins: "shadowed" }),
  "agile, no table returns": agileWith({ begins: "shadowed", intervalAccesses: 1e9 }),
  "agile, trials that fail": agileWith({
    worthCycles: 0,
    nestedReferenceCycles: 1,
    exitCycles: 1e6,
  }),
  "agile, CR3 writes exit": agileWith({ knownRoots: 0 }),
  "SHSP, changing to and fro": (platform) => createShsp(platform, fickle),
  "SHSP for each process, changing to and fro": (platform) =>
    createShspProcess(platform, { ...fickle, accessesMin: 1, idleMax: 4 }),
  "ept-flat": eptFlat.create,
  "ept-folded": eptFolded.create,
};

function targetOf(
  factory: CreateEngine,
  mmu: MmuFactory,
  preset: keyof typeof smallPresets,
): Target {
  return {
    engine: "scheme",
    factory,
    native: false,
    presetName: preset,
    preset: smallPresets[preset],
    nestedLevels: 4,
    mmu,
  };
}

/** What the oracle says about the first guest that it objects to, itself or its clone; null when none. */
function firstProblem(factory: CreateEngine, mmu: MmuFactory = fastMmu, programs = programsMax) {
  const prng = new Prng(3);
  for (let i = 0; i < programs; i++) {
    const target = targetOf(factory, mmu, i % 3 === 0 ? "tiny" : "roomy");
    const program = drawProgram(prng, opsPerProgram);
    const { problem } = runProgram(program, target);
    const inPair = problem ?? (i % 2 === 0 ? runPair(program, target, prng) : null);
    if (inPair !== null) return inPair;
  }
  return null;
}

test.each(Object.entries(schemes))("%s: no random guest sees a difference", (_name, factory) => {
  expect(firstProblem(factory, fastMmu, programsOfControl)).toBeNull();
  expect(firstProblem(factory, plainMmu, 4)).toBeNull();
});

/** The two kinds of tables disagree, or one is stale. */
const stale =
  /reached pfn|took #PF|found old data|stored to pfn|exits for ever|snapshot of gfn|bug:/;

describe("agile paging: a planted bug is found:", () => {
  test("stores to a table go through the nested leaf while it is still shadowed", () => {
    vi.spyOn(HostSide.prototype, "forbidStores").mockReturnValue(false);
    expect(firstProblem(schemes["agile, spaces begin shadowed"]!)).toMatch(stale);
  });

  test("an entry goes on switching to where the guest's table was", () => {
    // The host takes the frame, and nobody remembers which entries lead there.
    patch<[Gfn, FrameRange], number>(
      ShadowTables.prototype,
      "dropFrame",
      (drop, self, gfn, range) => {
        const tables: { switches: FrameMap } = self;
        const { switches } = tables;
        tables.switches = new FrameMap();
        const neighbours = drop(gfn, range);
        tables.switches = switches;
        return neighbours;
      },
    );
    expect(firstProblem(schemes["agile, spaces begin shadowed"]!)).toMatch(stale);
  });

  test("a vCPU runs on from a root whose frame the host has taken", () => {
    vi.spyOn(AgileTables.prototype, "settle").mockImplementation(function settle(
      this: AgileTables,
    ) {
      this.shadow.flushNeeded = true;
      this.flush();
    });
    expect(firstProblem(schemes["agile, tables without stores return"]!)).toMatch(stale);
  });

  test("silicon ignores the switch: the guest's table is walked as a shadow", () => {
    interface Switched {
      readonly atHost: (frame: number) => object;
    }
    patch<unknown[], Switched>(PlainTranslator.prototype, "guestTree", (tree, _, ...parts) => {
      const made = tree(...parts);
      return { ...made, atHost: (frame) => ({ ...made.atHost(frame), isSwitched: false }) };
    });
    expect(firstProblem(schemes["agile, spaces begin shadowed"]!, plainMmu)).toMatch(stale);
  });
});

describe("agile paging's silicon: a planted bug is found:", () => {
  test("a walk cache forgets that the walk had switched", () => {
    interface Kept {
      readonly table?: { readonly isSwitched: boolean };
    }
    patch<[Kept], void>(PlainCache.prototype, "insert", (insert, _, entry) => {
      const { table } = entry;
      insert(table === undefined ? entry : { ...entry, table: { ...table, isSwitched: false } });
    });
    expect(firstProblem(schemes["agile, spaces begin shadowed"]!, plainMmu)).toMatch(stale);
  });
});

describe("SHSP: a planted bug is found:", () => {
  test("the shadow is kept while nested tables are on, and does not hear of stores", () => {
    patch<[Gfn], void>(ShadowTables.prototype, "unshadow", () => undefined);
    expect(firstProblem(schemes["SHSP, changing to and fro"]!)).toMatch(stale);
  });

  test("neither kind of tables hears that the host takes a frame", () => {
    const factory: CreateEngine = (platform) => {
      const memory = createShsp(platform, fickle);
      return { ...memory, host: (event) => (event.kind === "reclaim" ? [] : memory.host(event)) };
    };
    expect(firstProblem(factory)).toMatch(/found old data|does not hold its contents/);
  });

  test("the books say that the mode has changed, and silicon goes on as before", () => {
    patch<unknown[], boolean>(Choice.prototype, "sawFault", (saw, self, ...nothing) => {
      const choice = self as { mode: string };
      choice.mode = "shadow";
      return saw(...nothing);
    });
    expect(firstProblem(schemes["SHSP, changing to and fro"]!)).toMatch(stale);
  });

  test("it does change", () => {
    const modes: string[] = [];
    patch<unknown[], void>(Choice.prototype, "endInterval", (end, self, ...counts) => {
      end(...counts);
      const { mode }: Choice = self;
      if (modes.at(-1) !== mode) modes.push(mode);
    });
    expect(firstProblem(schemes["SHSP, changing to and fro"]!, fastMmu, 5)).toBeNull();
    expect(modes.length).toBeGreaterThan(20);
  });
});

describe("SHSP for each process: a planted bug is found:", () => {
  const name = "SHSP for each process, changing to and fro";

  test("the shadow of a process that has exited is used by the next one of its root", () => {
    patch<[Gfn], void>(ShadowTables.prototype, "unshadow", () => undefined);
    expect(firstProblem(schemes[name]!)).toMatch(stale);
  });

  test("a nested process stores to a table that is shadowed for another one", () => {
    vi.spyOn(BesideNested.prototype, "shadowed").mockReturnValue(undefined);
    expect(firstProblem(schemes[name]!)).toMatch(stale);
  });

  test("the change is forgotten at a CR3 write: silicon walks on as in the process before", () => {
    const factory: CreateEngine = (platform) => {
      const hypervisor = schemes[name]!(platform);
      return {
        ...hypervisor,
        exit(exit, vcpu) {
          if (exit.reason !== "cr3-write") return hypervisor.exit(exit, vcpu);
          const setControls = vi.spyOn(vcpu, "setControls").mockReturnValue();
          const resolution = hypervisor.exit(exit, vcpu);
          setControls.mockRestore();
          return resolution;
        },
      };
    };
    expect(firstProblem(factory)).toMatch(stale);
  });

  test("it does change, and has both kinds at once", () => {
    let changes = 0;
    let mixed = 0;
    patch<[readonly Gfn[]], readonly Gfn[]>(
      Processes.prototype,
      "endInterval",
      (end, self, running) => {
        const processes = self as Processes;
        const before = running.map((root) => processes.isShadowed(root));
        const left = end(running);
        running.forEach((root, i) => (changes += processes.isShadowed(root) === before[i] ? 0 : 1));
        mixed +=
          processes.isListening && running.some((root) => !processes.isShadowed(root)) ? 1 : 0;
        return left;
      },
    );
    expect(firstProblem(schemes[name]!, fastMmu, 8)).toBeNull();
    expect(changes).toBeGreaterThan(20);
    expect(mixed).toBeGreaterThan(20);
  });
});

describe("tables of other shapes: a planted bug is found:", () => {
  test("the part of a table of several frames is taken from the wrong index", () => {
    // Every table of the hypervisor's that is one of many is entered at the first frame of eight.
    patch<[number, number, boolean], unknown>(
      PlainTranslator.prototype,
      "existing",
      (existing, _, frame, pfn, may) => existing(frame, pfn >= 4096 ? pfn - (pfn % 8) : pfn, may),
    );
    expect(firstProblem(schemes["ept-flat"]!, plainMmu)).toMatch(stale);
    expect(firstProblem(schemes["ept-folded"]!, plainMmu)).toMatch(stale);
  });

  /** Silicon that takes the nested tables to be of another kind than they are. */
  function mistaken(change: (stage: Stage) => Partial<Stage>): void {
    patch<[Stage], object>(PlainTranslator.prototype, "nestedTree", (tree, _, stage) =>
      tree({ ...stage, ...change(stage) }),
    );
  }

  test("a wide root is indexed by 9 bits", () => {
    // Of a folded root a guest this small has entry 0 alone.
    mistaken(({ shape }) => ({ shape: { ...shape, rootExtraBits: 0 } }));
    expect(firstProblem(schemes["ept-flat"]!, plainMmu)).toMatch(stale);
  });

  test("a table of two levels gets one frame where it needs 512", () => {
    let tables = 0;
    patch<[number], number | null>(
      PhysicalMemory.prototype,
      "allocateTables",
      (allocate, _, frames) => {
        tables += 1;
        return tables % 2 === 1 ? allocate(frames) : allocate(1);
      },
    );
    expect(firstProblem(schemes["ept-folded"]!)).toMatch(stale);
  });

  test("the link to a table of two levels is taken for one to a table of one", () => {
    mistaken(() => ({ format: ept }));
    expect(firstProblem(schemes["ept-folded"]!, plainMmu)).toMatch(stale);
  });

  test("a kept root stays when the host takes its frame", () => {
    let kept: unknown = null;
    const keepRoot: MmuFactory = (memory, preset) => {
      const mmu = plainMmu(memory, preset);
      const { translator } = mmu as unknown as { readonly translator: PlainTranslator };
      Object.defineProperty(translator, "keptRoot", {
        get: () => kept,
        set(root: unknown) {
          kept = root ?? kept;
        },
      });
      return mmu;
    };
    expect(firstProblem(schemes["ept-flat"]!, keepRoot)).toMatch(stale);
  });
});
