import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tidyProblems } from "./tidy-problems.ts";

const noEntries: ReadonlySet<string> = new Set();

/** Problems of one file; as a test file it needs no importer. */
function problemsOf(path: string, text: string): string[] {
  return tidyProblems(new Map([[path, text]]), noEntries);
}

function lines(count: number): string {
  return "f();\n".repeat(count);
}

describe("each rule fires on a planted offence", () => {
  test.each([
    ["an import against the directions", "machine/a.test.ts", 'import "../guest/b.ts";'],
    ["a type-only one", "guest/a.test.ts", 'import type { B } from "../engines/b.ts";'],
    ["a re-export", "engines/a.test.ts", 'export * from "../workloads/b.ts";'],
    ["a dynamic import", "workloads/a.test.ts", 'await import("../engines/b.ts");'],
    ["an import type", "bench/a.test.ts", 'type B = import("../report/b.ts").B;'],
    ["a worker's URL", "report/a.test.ts", 'new URL("../bench/run.ts", import.meta.url);'],
    ["a deeper room", "report/explorer/a.test.ts", 'import "../../workloads/b.ts";'],
    ["bits of entries", "guest/a.test.ts", 'import { P } from "../machine/entry.ts";'],
    ["a script that skips bench", "scripts/a.test.ts", 'import "../engines/b.ts";'],
  ])("direction: %s", (_name, path, text) => {
    expect(problemsOf(path, text)).toEqual([expect.stringContaining("may not import")]);
  });

  // Seen failing: the schema imported from what is argued from results and from migration, and no rule forbade it.
  test.each([
    ["the result schema", "bench/results/result.ts", 'export type { A } from "../points/a.ts";'],
    ["a part of it", "bench/results/answer.ts", 'import type { A } from "../sweeps/a.ts";'],
    ["a user space", "host/a.ts", 'import type { A } from "../claims/a.ts";'],
    ["a judge", "check/a.ts", 'import type { A } from "../bench/a.ts";'],
  ])("direction: %s that looks up into its own room", (_name, path, text) => {
    const files = new Map([[path, text]]);
    expect(tidyProblems(files, new Set([path]))).toEqual([
      expect.stringContaining("may not import"),
    ]);
  });

  test("code outside the rooms", () => {
    expect(problemsOf("utils/a.test.ts", "")).toEqual(["utils/a.test.ts:1: code lives in no room"]);
  });

  test("a type-only import cycle", () => {
    const files = new Map([
      ["machine/a.ts", 'import type { B } from "./b.ts";'],
      ["machine/b.ts", 'export { c } from "./c.ts";'],
      ["machine/c.ts", 'import { a } from "./a.ts";'],
      ["machine/d.test.ts", 'import "./a.ts";'],
    ]);
    expect(tidyProblems(files, noEntries)).toEqual([
      "machine/a.ts:1: import cycle: machine/a.ts -> machine/b.ts -> machine/c.ts -> machine/a.ts",
    ]);
  });

  test("a file that imports itself", () => {
    expect(problemsOf("machine/a.test.ts", 'import "./a.test.ts";')).toEqual([
      "machine/a.test.ts:1: import cycle: machine/a.test.ts -> machine/a.test.ts",
    ]);
  });

  test("a file that nobody imports, unless it is an entry", () => {
    const files = new Map([["scripts/a.ts", ""]]);
    expect(tidyProblems(files, noEntries)).toEqual(["scripts/a.ts:1: no file imports it"]);
    expect(tidyProblems(files, new Set(["scripts/a.ts"]))).toEqual([]);
  });

  test("a long file, where tests have more room", () => {
    expect(problemsOf("machine/a.test.ts", lines(401))[0]).toContain("401 lines, at most 400");
    expect(problemsOf("machine/a.test.ts", lines(400))).toEqual([]);
    expect(problemsOf("machine/a.ts", lines(301))[0]).toContain("301 lines, at most 300");
  });

  test("a long function, but not a factory of short ones", () => {
    const long = `const f = () => {\n${lines(69)}};`;
    const factory = `function f() {\n  return {\n    a() {\n${lines(60)}},\n    b() {\n${lines(60)}},\n  };\n}`;
    expect(problemsOf("bench/a.test.ts", long)[0]).toContain("function of 71 lines");
    expect(problemsOf("bench/a.test.ts", long.replace("f();\n", ""))).toEqual([]);
    expect(problemsOf("bench/a.test.ts", factory)).toEqual([]);
  });

  test.each(["a & b", "a | b", "a ^ b", "~a", "a << 1", "a >> 1", "a >>> 0"])(
    "bit operator: %s",
    (text) => {
      expect(problemsOf("bench/a.test.ts", text)).toEqual([
        expect.stringContaining("bit operator"),
      ]);
      expect(problemsOf("workloads/a.test.ts", text)).toHaveLength(1);
      expect(problemsOf("workloads/trace/a.test.ts", text)).toEqual([]);
      expect(problemsOf("machine/a.test.ts", text)).toEqual([]);
    },
  );

  test.each(["a &= b", "a |= b", "a ^= b", "a <<= 1", "a >>= 1", "a >>>= 0"])(
    "bit assignment: %s",
    (text) => {
      expect(problemsOf("scripts/a.test.ts", text)).toHaveLength(1);
    },
  );

  test.each(["Math.random()", 'Math["random"]()', "const { random } = Math", "globalThis.Math"])(
    "unseeded choice: %s",
    (text) => {
      expect(problemsOf("machine/a.test.ts", text)).toEqual([
        "machine/a.test.ts:1: Math.random, or Math taken apart: " +
          "every random choice comes from the seeded generator",
      ]);
    },
  );

  test.each([
    "new Date()",
    "Date.now()",
    "performance.now()",
    'import { performance } from "node:perf_hooks"',
    "globalThis.performance",
    "process.hrtime.bigint()",
  ])("clock: %s", (text) => {
    expect(problemsOf("bench/a.test.ts", text)).toEqual([expect.stringContaining("the clock")]);
    const timer = new Map([["bench/host-time.ts", text]]);
    expect(tidyProblems(timer, new Set(["bench/host-time.ts"]))).toEqual([]);
  });

  test.each(["TODO", "FIXME"])("unfinished work: %s", (note) => {
    expect(problemsOf("bench/a.test.ts", `\n/* ${note}: later */`)).toEqual([
      `bench/a.test.ts:2: ${note} in a comment: do it or drop it`,
    ]);
  });

  test("a text that does not parse", () => {
    expect(problemsOf("bench/a.test.ts", "const = 1")[0]).toContain("does not parse");
  });
});

test("lookalikes are no offence", () => {
  const text = [
    "type A = { a: 1 } & ({ b: 2 } | { c: 3 });",
    "const text = `a | b & c ^ ~d << 1 Math.random() Date TODO ${a && b}`;",
    "const pattern = /a|b&c^~/u;",
    "// a | b, Math.random(), new Date(), performance",
    "const row = { Date: 1, performance: 2, ...other };",
    "const all = (a && b) || (c ?? row.Date) || row.performance <= 1 || a >= 2;",
    "all &&= a; all ||= b; all ??= c;",
    "const root = Math.sqrt(Math.max(a, b)) ** 2;",
  ];
  expect(problemsOf("bench/a.test.ts", text.join("\n"))).toEqual([]);
});

test("allowed directions pass", () => {
  const text = [
    'import "../../machine/a.ts";',
    'import "../../guest/a.ts";',
    'import "../../engines/a.ts";',
    'import "../../bench/results/result.ts";',
    'import "../charts/a.ts";',
  ];
  expect(problemsOf("report/explorer/a.test.ts", text.join("\n"))).toEqual([]);
  expect(problemsOf("report/a.test.ts", 'import "../bench/results/result.ts";')).toEqual([]);
  const schema = 'import "./exit-names.ts"; import "./answer.ts"; import "../../machine/a.ts";';
  expect(
    tidyProblems(
      new Map([["bench/results/result.ts", schema]]),
      new Set(["bench/results/result.ts"]),
    ),
  ).toEqual([]);
});

// Seen failing: `check --> host` in the picture, and a table that lets machine/ import hypervisor/.
test("the picture of the rooms in ARCHITECTURE.md is what the table allows, and goes one way", () => {
  const text = readFileSync(join(import.meta.dirname, "../ARCHITECTURE.md"), "utf8");
  const picture = /```mermaid\n(.*?)```/s.exec(text)?.[1] ?? "";
  const roomOf = (node: string) => /\["(.+)"\]/.exec(node)?.[1] ?? node;
  const arrows = picture
    .split("\n")
    .map((line) => line.trim().split(" --> "))
    .flatMap((rooms) => rooms.slice(1).map((to, i) => [rooms[i] ?? "", to].map(roomOf)));
  expect(arrows.length).toBeGreaterThan(10);
  const imports = (from = "", to = "") => {
    const up = "../".repeat(from.split("/").length);
    const file =
      to === "hypervisor" ? "hypervisor/hypervisor" : to === "check" ? "check/fuzz/a" : `${to}/a`;
    return problemsOf(`${from}/a.test.ts`, `import "${up}${file}.ts";`);
  };
  for (const [from, to] of arrows) {
    expect(imports(from, to)).toEqual([]);
    expect(imports(to, from)).toEqual([expect.stringContaining("may not import")]);
  }
});
