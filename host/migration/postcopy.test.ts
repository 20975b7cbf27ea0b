import { describe, expect, it } from "vitest";
import { engines } from "../../engines/index.ts";
import type { CreateEngine } from "../../hypervisor/engine.ts";
import { fastMmu } from "../../machine/fast.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { vacated } from "../../machine/memory.ts";
import { loggingEngines } from "./engines.ts";
import { migrateSmall, type TestMigration } from "./test-migration.ts";

/** L2, moved by L1. */
const nested = ["ept-wp@ept", "shadow-lazy@npt", "pvm@ept"];

/** 4 MiB of data, some milliseconds of stores, over a link that takes about as long. */
const writer = {
  workload: "hot-write",
  params: { pages: 1024, hotPercent: 10, accesses: 20_000, logRounds: 4 },
  settings: { mode: "postcopy", bandwidthBitsPerSecond: 40e9 },
} as const satisfies Omit<TestMigration, "engine">;

const atOnce = { ...writer.settings, postcopyAfterRounds: 0 };

describe("post-copy", () => {
  it.each([...loggingEngines, ...nested])(
    "%s: every page that was left behind follows, unchanged",
    (engine) => {
      const { outcome, rounds } = migrateSmall({ ...writer, engine, check: true });
      expect(outcome.verdict).toBe("moved");
      expect(outcome.pagesPulled).toBeGreaterThan(0);
      // The last round sends what the discarded pages were, and nothing else.
      const [stop, last] = rounds.slice(-2);
      expect(stop?.phase).toBe("stop-and-copy");
      expect(last?.pagesSent).toBe(stop?.pagesLeft);
      expect(last?.pagesLeft).toBe(0);
    },
  );

  it.each(["ept", "npt", "shadow", "shadow-vtlb", "ept-pml", "npt@npt"])(
    "%s: moves at once",
    (engine) => {
      const { outcome } = migrateSmall({ ...writer, engine, settings: atOnce });
      expect(outcome.pagesSent).toBe(outcome.framesChecked);
      expect(outcome.pagesResent).toBe(0);
      expect(outcome.downtimeMs).toBeLessThan(0.01);
    },
  );

  it("has a guest wait for each page that it touches first, a round trip and the page's own time", () => {
    const roundTripMs = 0.1;
    const settings = { ...atOnce, roundTripMs };
    const { outcome } = migrateSmall({ ...writer, engine: "ept", settings });
    const pageMs = 4104 / (40e9 / 8 / 1000);
    const waitMs = outcome.pullWaitMs / outcome.pagesPulled;
    // Some were on their way when they were asked for; others had one page in front of them on the wire.
    expect(waitMs).toBeGreaterThanOrEqual(roundTripMs);
    expect(waitMs).toBeLessThan(roundTripMs + 2 * pageMs);
  });

  it("stops the guest for a shorter time than pre-copy, and sends less", () => {
    const engine = "ept-pml";
    const post = migrateSmall({ ...writer, engine }).outcome;
    const pre = migrateSmall({ ...writer, engine, settings: { bandwidthBitsPerSecond: 40e9 } });
    expect(post.downtimeMs * 10).toBeLessThan(pre.outcome.downtimeMs);
    expect(post.pagesSent).toBeLessThan(pre.outcome.pagesSent);
  });

  // Planted: the flush that taking a page away owes the guest is forgotten, so it writes to the source's page.
  it("finds a guest that goes on with a page that is not there", () => {
    const mmu: MmuFactory = (memory, preset) => {
      const unit = fastMmu(memory, preset);
      return { ...unit, flushNested() {} };
    };
    expect(() => migrateSmall({ ...writer, engine: "ept", settings: atOnce, mmu })).toThrow(
      /migration: gfn 0x[0-9a-f]+ got version \d+ before it arrived/,
    );
  });

  // Planted: pages come back as zeros.
  it("finds a page that arrives with other contents", () => {
    const forgetful: CreateEngine = (machine) => {
      const { memory } = machine;
      const fill = memory.fill.bind(memory);
      // Guests copy pages by `fill` too, but not into frames whose contents are elsewhere.
      memory.fill = (pfn, contents) => {
        const isAway = memory.stampOf(pfn) === vacated;
        fill(pfn, isAway ? { words: null, stamp: 0 } : contents);
      };
      return engines.ept.create(machine);
    };
    const variant = {
      title: "post-copy that forgets",
      family: "nested",
      create: forgetful,
    } as const;
    const run = { ...writer, engine: "forgetful", engineVariants: { forgetful: variant } };
    expect(() => migrateSmall({ ...run, settings: atOnce })).toThrow(/migration: gfn 0x[0-9a-f]+ /);
  });
});
