import { describe, expect, test } from "vitest";
import { presets } from "../../machine/presets.ts";
import { ConfigError } from "../input/config-error.ts";
import { filterPoints, parseSweep } from "./sweep.ts";
import type { Catalogue } from "../points/sweep-schema.ts";

const catalogue: Catalogue = {
  engineProblem: () => "made of what is not there",
  nodesProblem: (engine, { nodes }) =>
    nodes?.hypervisorTables === "replicated" && engine === "shadow" ? "has one tree" : undefined,
  engines: { native: 0, ept: 0, shadow: 0 },
  presets: { textbook: presets.textbook, skylake: presets.textbook },
  workloads: {
    uniform: {
      defaults: { pages: 16, accesses: 1000, size: "4k", pageSize: "4k", writePercent: 5 },
      guestFrames: ({ pages }) => Number(pages),
    },
    zipf: { defaults: { pages: 16, theta: 0.99 }, guestFrames: () => 1 },
  },
};

const head = "title: t\nengines: [native, ept]\npresets: [textbook]\nseeds: [1, 2]\n";

function parse(text: string, options = {}) {
  return parseSweep(head + text, "s.yaml", catalogue, options).points;
}

function complaint(text: string): string {
  try {
    parseSweep(text, "s.yaml", catalogue);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "no complaint";
}

describe("a sweep file", () => {
  test("says page sizes as people do, and means the same points", () => {
    const points = (size: string) =>
      parse(
        `backing: [${size}]\nworkloads:\n  - workload: uniform\n    params: [{ pageSize: ${size} }]\n`,
      );
    expect(points("2 MiB")).toEqual(points("2m"));
    expect(points("2M")[0]).toMatchObject({ backing: "2m", params: { pageSize: "2m" } });
  });

  test("means the product of its lists, engines innermost, defaults filled in", () => {
    const points = parse("workloads:\n  - workload: uniform\n    params: [{ pages: [1, 2] }]\n");
    expect(points).toHaveLength(8);
    expect(points.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(points[1]).toEqual({
      id: 1,
      engine: "ept",
      workload: "uniform",
      params: { accesses: 1000, pageSize: "4k", pages: 1, size: "4k", writePercent: 5 },
      preset: "textbook",
      backing: "4k",
      guestLevels: 4,
      nestedLevels: 4,
      seed: 1,
    });
    const names = Object.keys(points[1]?.params ?? {});
    expect(names).toEqual(names.toSorted());
    expect(points.map(({ params, seed }) => `${params["pages"]}/${seed}`)).toEqual([
      "1/1",
      "1/1",
      "1/2",
      "1/2",
      "2/1",
      "2/1",
      "2/2",
      "2/2",
    ]);
  });

  test("adds its grids up and lets a workload replace the common lists", () => {
    const points = parse(
      "workloads:\n  - workload: zipf\n    seeds: [5]\n    engines: [shadow]\n    backing: [4k, 2m]\n" +
        "    levels: [5-on-4]\n    params: [{ pages: 1 }, { theta: 0.5 }]\n",
    );
    expect(points.map(({ params, backing }) => [params["theta"], backing])).toEqual([
      [0.99, "4k"],
      [0.99, "2m"],
      [0.5, "4k"],
      [0.5, "2m"],
    ]);
    expect(points.every(({ engine, seed }) => engine === "shadow" && seed === 5)).toBe(true);
    expect(points[0]).toMatchObject({ guestLevels: 5, nestedLevels: 4 });
  });

  test("leaves excluded points out and gives the rest ids without holes", () => {
    const points = parse(
      "workloads: [{ workload: uniform }, { workload: zipf }]\n" +
        "exclude: [{ engine: ept, workload: zipf }]\n",
    );
    expect(points.map(({ id, engine, workload }) => `${id} ${engine} ${workload}`)).toEqual([
      "0 native uniform",
      "1 ept uniform",
      "2 native uniform",
      "3 ept uniform",
      "4 native zipf",
      "5 native zipf",
    ]);
  });

  test("may change a preset's machine and name the result", () => {
    const { machines, points } = parseSweep(
      head.replace("textbook", "textbook, mine") +
        "workloads: [{ workload: zipf }]\n" +
        "machines: { mine: { like: textbook, vpid: false, stlb: { entries: 1536, ways: 12 } } }\n",
      "s.yaml",
      catalogue,
    );
    expect(points.map(({ preset }) => preset).slice(3, 5)).toEqual(["textbook", "mine"]);
    expect(machines["mine"]?.like).toBe("textbook");
    expect(machines["mine"]?.preset).toMatchObject({
      ...presets.textbook,
      vpid: false,
      stlb: { sets: 128, ways: 12 },
      title: expect.anything() as unknown,
      sources: expect.anything() as unknown,
    });
  });

  test("runs what it does not name under `others`", () => {
    const points = parse(
      "workloads: [{ workload: zipf, seeds: [1] }, { workload: others, engines: [native, others], seeds: [1] }]\n",
    );
    expect(points.map(({ engine, workload }) => `${engine} ${workload}`)).toEqual([
      "native zipf",
      "ept zipf",
      "native uniform",
      "shadow uniform",
    ]);
  });

  test("keeps the ids of the whole sweep when it is filtered", () => {
    const points = filterPoints(parse("workloads: [{ workload: uniform }]\n"), {
      engines: ["ept"],
    });
    expect(points.map(({ id }) => id)).toEqual([1, 3]);
  });

  test("takes other seeds only where it repeats a point", () => {
    const text = "workloads: [{ workload: uniform }, { workload: zipf, seeds: [7] }]\n";
    const seeds = parse(text, { seeds: [4] }).map(({ workload, seed }) => `${workload} ${seed}`);
    expect([...new Set(seeds)]).toEqual(["uniform 4", "zipf 7"]);
  });
});

const one = "workloads: [{ workload: uniform }]\n";
const withMachine = (change: string) =>
  `${head}${one}machines:\n  mine:\n    like: textbook\n    ${change}\n`;
const withParams = (params: string) =>
  `${head}workloads:\n  - workload: uniform\n    params:\n      - ${params}\n`;

const mistakes: [what: string, text: string, complaint: string][] = [
  [
    "an unknown engine",
    `${head.replace("ept", "eptt")}${one}`,
    's.yaml:2: engines[1]: "eptt": unknown. Did you mean ept? Allowed: native, ept, shadow',
  ],
  [
    "an unknown preset",
    `${head.replace("textbook", "z80")}${one}`,
    's.yaml:3: presets[0]: "z80": unknown. Allowed: textbook, skylake',
  ],
  [
    "an unknown workload",
    `${head}workloads:\n  - workload: unifrom\n`,
    's.yaml:6: workloads[0].workload: "unifrom": unknown. Did you mean uniform? Allowed: uniform, zipf, others',
  ],
  [
    "an unknown field",
    `${head}${one}sed: 1\n`,
    "s.yaml:6: sed: unknown field. Allowed: title, machines, engines, presets, seeds, backing, levels, workloads, exclude",
  ],
  [
    "an unknown field below",
    `${head}workloads:\n  - workload: zipf\n    parms: {}\n`,
    "s.yaml:7: workloads[0].parms: unknown field. Allowed: workload, params, engines, presets, seeds, backing, levels",
  ],
  ["a missing field", `${head}`, "s.yaml:1: workloads: missing: must be a list"],
  [
    "an unknown parameter",
    withParams("{ page: 1 }"),
    "s.yaml:8: workloads[0].params[0].page: unknown. Did you mean pages? Allowed: pages, accesses, size, pageSize, writePercent",
  ],
  [
    "NaN",
    withParams("{ pages: .nan }"),
    "s.yaml:8: workloads[0].params[0].pages: NaN: must be a whole number from 1 to 1000000000000, such as 16",
  ],
  [
    "an infinity",
    withParams("{ pages: .inf }"),
    "s.yaml:8: workloads[0].params[0].pages: Infinity: must be a whole number from 1 to 1000000000000, such as 16",
  ],
  [
    "a negative number",
    withParams("{ pages: [4, -1] }"),
    "s.yaml:8: workloads[0].params[0].pages: -1: must be a whole number from 1 to 1000000000000, such as 16",
  ],
  [
    "a fraction",
    withParams("{ pages: 0.5 }"),
    "s.yaml:8: workloads[0].params[0].pages: 0.5: must be a whole number from 1 to 1000000000000, such as 16",
  ],
  [
    "a word for a number",
    withParams("{ pages: many }"),
    's.yaml:8: workloads[0].params[0].pages: "many": must be a whole number from 1 to 1000000000000, such as 16',
  ],
  [
    "a number for a word",
    withParams("{ size: 4 }"),
    "s.yaml:8: workloads[0].params[0].size: 4: must be a word, such as 4k",
  ],
  [
    "a word out of a few",
    withParams("{ pageSize: 8k }"),
    's.yaml:8: workloads[0].params[0].pageSize: "8k": must be 4k or 2m',
  ],
  [
    "more than all",
    withParams("{ writePercent: 101 }"),
    "s.yaml:8: workloads[0].params[0].writePercent: 101: must be a whole number from 0 to 100",
  ],
  [
    "more memory than a machine has",
    withParams("{ pages: 100000000 }"),
    "s.yaml:8: workloads[0].params[0]: 100000000 frames of guest memory: must be at most",
  ],
  [
    "a seed that is too large",
    `${head.replace("2]", "2147483648]")}${one}`,
    "s.yaml:4: seeds[1]: 2147483648: must be at most 2147483647",
  ],
  [
    "zero ways",
    withMachine("stlb: { entries: 64, ways: 0 }"),
    "s.yaml:9: machines.mine.stlb.ways: 0: must be at least 1",
  ],
  [
    "entries not divisible by ways",
    withMachine("stlb: { entries: 1000, ways: 12 }"),
    "s.yaml:9: machines.mine.stlb.entries: 1000: must be a multiple of ways (12)",
  ],
  [
    "sets that are no power of two",
    withMachine("pwc: { 2: { entries: 36, ways: 12 } }"),
    "s.yaml:9: machines.mine.pwc.2.entries: 36: must be ways (12) times a power of two",
  ],
  [
    "entries that are not a number",
    withMachine("nestedTlb: { entries: .nan, ways: 1 }"),
    "s.yaml:9: machines.mine.nestedTlb.entries: NaN: must be a number",
  ],
  [
    "an unknown structure",
    withMachine("sltb: null"),
    "s.yaml:9: machines.mine.sltb: unknown field. Allowed: like, l1Data, l1Code, stlb,",
  ],
  [
    "a machine like none",
    withMachine("vpid: false").replace("like: textbook", "like: z80"),
    's.yaml:8: machines.mine.like: "z80": unknown. Allowed: textbook, skylake',
  ],
  [
    "an empty list",
    `${head.replace("[native, ept]", "[]")}${one}`,
    "s.yaml:2: engines: must name at least one",
  ],
  [
    "a wrong level pair",
    `${head}${one}levels: [2-on-4]\n`,
    's.yaml:6: levels[0]: "2-on-4": must be 4-on-4 or 4-on-5 or 5-on-4 or 5-on-5',
  ],
  [
    "a repeated point",
    `${head}workloads:\n  - workload: zipf\n  - workload: zipf\n`,
    "s.yaml:7: workloads[1]: repeats point 0: ",
  ],
  [
    "nothing to run",
    `${head}${one}exclude: [{ workload: uniform }]\n`,
    "s.yaml:6: exclude: leaves no point to run",
  ],
  ["text that is not YAML", "title: [\n", "s.yaml:2: not YAML: "],
  // Seen failing: `title: missing`, nothing of the name.
  [
    "an unknown engine where fields are missing",
    "engines: [nope]\n",
    's.yaml:1: engines[0]: "nope": unknown. Allowed: native, ept, shadow',
  ],
  // Seen failing: the parser's message quoted all that it had read.
  ["text that is quoted", `a: |${"y".repeat(5000)}\n`, "s.yaml:1: not YAML: Block scalar header "],
  // Seen failing: a stack trace.
  ["an alias of nothing", `a: *${"y".repeat(5000)}\n`, "s.yaml: not YAML: Unresolved alias "],
  ["a list", "- 1\n", "s.yaml:1: must be a map of fields"],
];

// One line: file, line, field, value, what is allowed.
test.each(mistakes)("a wrong sweep file: %s", (_, text, expected) => {
  const message = complaint(text);
  expect(message.slice(0, expected.length)).toBe(expected);
  expect(message).not.toContain("\n");
  expect(message.length).toBeLessThan(400);
});

describe("nodes of a machine", () => {
  const text = (machine: string, engines = "[native, shadow]") =>
    `title: t\nmachines:\n  mine: ${machine}\nengines: ${engines}\npresets: [mine]\nseeds: [1]\nworkloads: [{ workload: uniform }]\n`;
  const cached: Catalogue = {
    ...catalogue,
    presets: { caches: presets["skylake-sp-caches"], textbook: presets.textbook },
  };

  test("are near tables unless something else is said", () => {
    const { machines } = parseSweep(text("{ like: caches, nodes: { count: 2 } }"), "s", cached);
    expect(machines["mine"]?.preset.nodes).toEqual({
      count: 2,
      isShown: true,
      guestTables: "local",
      hypervisorTables: "local",
    });
  });

  test.each([
    ["{ like: caches, nodes: { count: 3 } }", "s:3: machines.mine.nodes.count: 3: must be 2 or 4"],
    [
      "{ like: textbook, nodes: { count: 2 } }",
      "s:3: machines.mine.nodes: only data caches tell near memory from far: like must be skylake-sp-caches",
    ],
    [
      "{ like: caches, nodes: { count: 2, hypervisorTables: replicated } }",
      "s:7: workloads[0]: mine: has one tree",
    ],
  ])("%s is refused", (machine, message) => {
    expect(() => parseSweep(text(machine), "s", cached)).toThrow(new ConfigError(message));
  });
});
