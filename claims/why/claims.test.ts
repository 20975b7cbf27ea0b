import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { allGenerations, frontierOn } from "./experiments/frontier.ts";
import { pick } from "../../bench/input/config-error.ts";
import type { ParamValues } from "../../bench/points/params.ts";
import { type Workload } from "../../workloads/workload.ts";
import { workloads as registered } from "../../workloads/index.ts";
import { presetCosts } from "../../bench/costs/cost-file.ts";
import type { ResultRows } from "../../bench/results/result.ts";
import type { Experiment } from "./experiment.ts";
import { findingsOf } from "./findings.ts";
import { type Account, players } from "./players.ts";
import { repricedRow } from "./repriced-row.ts";
import type { WhyPoint } from "./plan.ts";
import { type NamedFinding, runWhy } from "./run-why.ts";
import { shadowOrEpt } from "./topics/shadow-or-ept.ts";

const { experiments } = shadowOrEpt;
const workloads: Readonly<Record<string, Workload>> = registered;

/** Programs so small that every direction just holds: numbers differ from the answer's, claims must not. */
const small: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  gups: { updateOps: 5000 },
  zipf: { accesses: 10_000 },
  btree: { lookups: 1000 },
  frontier: { pages: 16_384 },
  "key-value": { pages: 1024, requests: 400 },
  boot: { services: 2 },
  compile: { jobs: 1, imagePages: 64, headerPages: 64, heapPages: 96 },
  forkwait: { forks: 8 },
  "cow-snapshot": { pages: 256, requests: 600 },
  "mmap-churn": { churnOps: 20 },
  "mprotect-gc": { pages: 128, accesses: 1000 },
  "context-switch": { switches: 200 },
  syscalls: { calls: 200 },
  "hot-write": { pages: 1024, accesses: 2000 },
  uniform: { pages: 8192, accesses: 5000 },
  "trace:sqlite3": { accesses: 20_000 },
  "trace:perl": { accesses: 20_000 },
  "trace:cc1": { accesses: 20_000 },
};

/** Shrunk only, never grown; large pages in the guest must outreach the TLB in number. */
function shrunk(point: WhyPoint): WhyPoint {
  const usual: ParamValues = pick(workloads, point.workload, "workload").defaults;
  const given = { ...usual, ...point.params };
  const params = Object.entries(small[point.workload] ?? {}).map(([name, most]) => {
    const isLarge = name === "pages" && given["pageSize"] === "2m";
    const value = Number(given[name]);
    return [name, isLarge ? value : Math.min(most, value)] as const;
  });
  return { ...point, params: { ...point.params, ...Object.fromEntries(params) } };
}

function onSmallPrograms({ title, points, read }: Experiment): Experiment {
  return {
    title,
    points: points.map(shrunk),
    read: ({ row, native, costFor }) =>
      read({
        row: (point) => row(shrunk(point)),
        native: (point) => native(shrunk(point)),
        costFor,
      }),
  };
}

/** As `shadewalk why` runs them, but for smaller programs and a coarser map of fewer processors. */
const tested: Readonly<Record<string, Experiment>> = Object.fromEntries(
  Object.entries({
    ...experiments,
    frontier: frontierOn(
      { missesPermille: [1, 30, 900], updatesPerMillion: [300, 3000, 30_000] },
      allGenerations.filter(({ cost }) => cost === "p4-vtx" || cost === "skylake-sp"),
    ),
  }).map(([name, experiment]) => [name, onSmallPrograms(experiment)]),
);

const folder = () => mkdtempSync(join(tmpdir(), "why-"));

async function answer(chosen: Readonly<Record<string, Experiment>>, workers: number, out: string) {
  const signal = new AbortController().signal;
  return runWhy({ experiments: chosen, out, workers, signal, onFinished: () => undefined });
}

/** Names that have digits in them, and sizes that the experiments fix. */
const namesWithDigits =
  /CR3|PML4|L[12]\b|4 KiB|(?:32|128|256) MiB|2 MiB (?:host|guest|pages)|4 GiB|6\.1\/6\.12|Pentium 4|Core 2|, 20\d\d|sqlite3|cc1|32 small|skylake-sp/g;

describe("the answer", () => {
  let findings: readonly NamedFinding[] = [];
  let rows: ResultRows = { points: [], walks: [] };
  beforeAll(async () => {
    ({ findings, rows } = await answer(tested, 1, folder()));
  }, 300_000);

  it.each(Object.keys(tested))("%s: every direction of its claim holds", (name) => {
    const found = findings.find((finding) => finding.name === name);
    expect(found?.checks.length).toBeGreaterThan(0);
    expect(found?.checks.filter(({ holds }) => !holds)).toEqual([]);
  });

  // The planted faults: what the claims say must follow from the data, not from the text.
  it("gives a claim up when the data no longer says so", () => {
    const costFor = presetCosts();
    const usual = (preset: string) => costFor(preset.split(",")[0] ?? preset);
    const failures = (name: keyof typeof experiments, account: (one: Account) => Account) => {
      const points = rows.points.map((row) => {
        const { counters, cost } = account({ counters: row.counters, cost: usual(row.key.preset) });
        return { ...repricedRow({ ...row, counters }, cost), slowdown: row.slowdown };
      });
      const { checks } = onSmallPrograms(experiments[name]).read(
        findingsOf({ points, walks: [] }, usual),
      );
      return checks.filter(({ holds }) => !holds).length;
    };
    const { dimension, exitPrice } = players;
    for (const name of ["shadow-wins", "walks", "cycles"] as const) {
      expect(
        failures(name, (one) => one),
        name,
      ).toBe(0);
      expect(failures(name, dimension.account), name).toBeGreaterThan(0);
    }
    const withoutExits = (one: Account) => {
      const { counters, cost } = exitPrice.account(one);
      return { counters: { ...counters, exitsCr3Write: 0 }, cost };
    };
    expect(failures("cr3", withoutExits)).toBeGreaterThan(0);
  });

  it("has no number in claims and figures but those of the run", () => {
    for (const { claim, number, name } of findings) {
      const words = [...claim, ...number].filter((part) => typeof part === "string");
      const typed = words.map((word) => word.replaceAll(namesWithDigits, "")).join("");
      expect(typed, name).not.toMatch(/\d/);
    }
  });

  it("has a finite number wherever it has one", () => {
    for (const { claim, number, tables, name } of findings) {
      for (const part of [...claim, ...number]) {
        if (typeof part === "number") expect(Number.isFinite(part), name).toBe(true);
      }
      const cells = tables.flatMap((table) => table.rows.flatMap((row) => Object.values(row)));
      for (const cell of cells) {
        if (typeof cell === "number") expect(Number.isFinite(cell), name).toBe(true);
      }
    }
  });
});

describe("runWhy", () => {
  it("gives the same bytes with any number of workers", async () => {
    const points = ["shadow-lazy", "ept"].flatMap((engine) =>
      [1, 2, 3].map((forks) => ({ engine, workload: "forkwait", params: { forks } })),
    );
    const few: Experiment = {
      title: "few points",
      points,
      read: ({ row }) => ({
        claim: points.map((point) => row(point).cyclesTotal),
        number: [],
        evidence: [],
        change: [],
        checks: [],
        tables: [],
        figures: [],
      }),
    };
    const [one, two] = [folder(), folder()];
    const first = await answer({ few }, 1, one);
    const second = await answer({ few }, 2, two);
    expect(JSON.stringify(second.findings)).toBe(JSON.stringify(first.findings));
    for (const file of ["points.csv", "walks.csv", "manifest.json"]) {
      expect(readFileSync(join(two, file), "utf8")).toBe(readFileSync(join(one, file), "utf8"));
    }
  }, 120_000);

  it("names the point that failed", async () => {
    const broken: Experiment = {
      ...experiments.walks,
      points: [{ engine: "no-such-engine", workload: "uniform", params: { pages: 16 } }],
    };
    await expect(answer({ broken }, 1, folder())).rejects.toThrow(/no-such-engine/);
  });
});
