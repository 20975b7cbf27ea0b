import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { ConfigError } from "../input/config-error.ts";
import { fixedCost, presetCosts } from "../costs/cost-file.ts";
import { madeUpResult } from "../results/made-up-results.ts";
import { reprice, resultRows } from "../costs/price-rows.ts";
import { readJsonObject, readPoints, readResults } from "./read-results.ts";
import { pointColumns } from "./result-columns.ts";
import { hashFile, writePointsFile, writeResults } from "./result-files.ts";
import type { PointResult } from "../results/result.ts";

const root = mkdtempSync(join(tmpdir(), "shadewalk-results-"));
let folder = root;
let count = 0;

beforeEach(() => {
  folder = join(root, String(count++));
});

afterAll(() => rmSync(root, { recursive: true }));

const manifest = { config: { title: "made up" }, seeds: [1, 2], inputs: [] };
const costFor = presetCosts();

function twelveResults(): PointResult[] {
  const results: PointResult[] = [];
  for (const workload of ["uniform", "fork, exec"]) {
    for (const seed of [1, 2]) {
      for (const [index, engine] of ["native", "shadow", "ept"].entries()) {
        const id = results.length;
        results.push(madeUpResult({ id, engine, workload, seed }, (index + 1) * (seed + 9)));
      }
    }
  }
  return results;
}

function write(results: readonly PointResult[]) {
  return writeResults({ folder, results, costFor, manifest });
}

function bytes(name: string): string {
  return readFileSync(join(folder, name), "utf8");
}

test("rows read back are the rows that were written", async () => {
  const rows = await write(twelveResults());
  expect(await readResults(folder)).toEqual(rows);
});

// Seen failing with `resultRows` not sorting by id.
test("files have the same bytes whatever order the points finished in", async () => {
  const results = twelveResults();
  await write(results);
  const points = bytes("points.csv");
  const walks = bytes("walks.csv");
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(results, { minLength: results.length }),
      async (shuffled) => {
        await write(shuffled);
        expect(bytes("points.csv")).toBe(points);
        expect(bytes("walks.csv")).toBe(walks);
      },
    ),
    { numRuns: 10 },
  );
});

test("a line has key, parameters, counters, cycles that sum to their total, and a slowdown", async () => {
  await write(twelveResults());
  const [header = "", , , setup = ""] = bytes("points.csv").split("\n");
  expect(header.startsWith("id,engine,workload,params,preset,backing,")).toBe(true);
  expect(header).toContain(",region,param_accesses,param_order,param_pages,accesses,stores,");
  expect(header.endsWith(",cycles_host,cycles_total,slowdown,label")).toBe(true);
  expect(setup.startsWith('1,shadow,uniform,"{""accesses"":1000,""order"":""random"",')).toBe(true);
  for (const { cycles, cyclesTotal } of await readPoints(join(folder, "points.csv"))) {
    expect(Object.values(cycles).reduce((sum, value) => sum + value, 0)).toBe(cyclesTotal);
  }
});

test("slowdown is relative to native of the same program, seed and region", async () => {
  const { points } = await write(twelveResults());
  const slowdowns = points.map(({ key, region, slowdown }) => [
    key.engine,
    region,
    Math.round(100 * (slowdown ?? 0)),
  ]);
  // Counts are in proportion 1, 2, 3, and so are all cycles, up to rounding.
  for (const [engine, , percent] of slowdowns) {
    expect(percent).toBe(engine === "native" ? 100 : engine === "shadow" ? 200 : 300);
  }
  expect(slowdowns.length).toBe(24);
});

test("native that ran for one host page size only is the baseline of the other too", () => {
  const results = [
    madeUpResult({ id: 0, engine: "native", backing: "4k" }, 1),
    madeUpResult({ id: 1, engine: "ept", backing: "2m" }, 2),
  ];
  const { points } = resultRows(results, costFor);
  expect(points.map(({ slowdown }) => Math.round(slowdown ?? 0))).toEqual([1, 1, 2, 2]);
});

test("without a native run there is no slowdown, and its cell is empty", async () => {
  await write([madeUpResult({ engine: "ept" })]);
  const [row] = await readPoints(join(folder, "points.csv"));
  expect(row?.slowdown).toBeNull();
  expect(bytes("points.csv").split("\n")[1]?.endsWith(",,")).toBe(true);
});

test("a walk histogram keeps the lengths that occurred", async () => {
  await write([madeUpResult({ engine: "ept" })]);
  const lines = bytes("walks.csv").trim().split("\n");
  expect(lines.slice(1).map((line) => line.split(",").slice(-3))).toEqual([
    ["setup", "2", "3"],
    ["measured", "1", "5"],
    ["measured", "4", "7"],
  ]);
});

test("the manifest says what went in and holds no host fact", async () => {
  await write(twelveResults());
  expect(JSON.parse(bytes("manifest.json"))).toEqual({
    schemaVersion: 1,
    points: 12,
    costs: ["skylake-sp"],
    ...manifest,
  });
});

test("an input's hash is its SHA-256", async () => {
  const path = join(root, "input");
  writeFileSync(path, "abc");
  expect(await hashFile("my input", path)).toEqual({
    name: "my input",
    sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  });
});

test("a number that no file can hold leaves the old files alone and no scraps", async () => {
  await write(twelveResults());
  const before = bytes("points.csv");
  const broken = madeUpResult({ engine: "ept" });
  broken.regions.measured.ledger.accesses = Number.NaN;
  await expect(write([broken])).rejects.toThrow(/column accesses: NaN is not a number/);
  expect(bytes("points.csv")).toBe(before);
  expect(readdirSync(folder).toSorted()).toEqual([
    "checksums.sha256",
    "manifest.json",
    "points.csv",
    "walks.csv",
  ]);
});

/** What is wrong with a written folder after `edit` of one of its files. */
async function complaintOf(
  name: string,
  edit: (text: string) => string,
  read: () => unknown,
): Promise<string> {
  await write(twelveResults());
  const path = join(folder, name);
  const text = bytes(name);
  const changed = edit(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
  const attempt = async () => read();
  const error: unknown = await attempt().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  const { message } = error as ConfigError;
  expect(message).not.toContain("\n");
  return message.replaceAll(`${folder}/`, "");
}

const wasChanged = (name: string) =>
  `${name}: was changed since it was written: its SHA-256 is not that of checksums.sha256: ` +
  "make it anew, or remove checksums.sha256 to read it as it is";

// Seen failing without checksums: every one of these gave tables.
test.each<[string, string, (text: string) => string, string]>([
  [
    "a count",
    "points.csv",
    (text) => text.replace('"",""pages"":64}",', '"",""pages"":65}",'),
    "points.csv",
  ],
  ["a label", "points.csv", (text) => text.replace(/,\n$/, ",mood\n"), "points.csv"],
  ["a walk", "walks.csv", (text) => text.replace(/3\n/, "4\n"), "walks.csv"],
])("%s that was changed is found", async (_, name, edit, expected) => {
  const read = () => readResults(folder);
  expect(await complaintOf(name, edit, read)).toBe(wasChanged(expected));
});

test("a manifest that was changed, or is none, is found", async () => {
  const read = () => readJsonObject(join(folder, "manifest.json"));
  const edit = (text: string) => text.replace('"points": 12', '"points": 13');
  expect(await complaintOf("manifest.json", edit, read)).toBe(wasChanged("manifest.json"));
  for (const text of ["", "[]", "null", '{"a":', "\0"]) {
    await write(twelveResults());
    rmSync(join(folder, "checksums.sha256"));
    const path = join(folder, "manifest.json");
    writeFileSync(path, text);
    expect(() => readJsonObject(path)).toThrow(`${path}: is no JSON object: make it anew`);
  }
});

test("checksums are those of sha256sum, follow a file that is written again, and may be removed", async () => {
  await write(twelveResults());
  const first = bytes("checksums.sha256");
  const { sha256: hash } = await hashFile("points", join(folder, "points.csv"));
  expect(first).toContain(`${hash}  points.csv\n`);
  // As `price --out points.csv` does.
  const repriced = reprice(await readPoints(join(folder, "points.csv")), fixedCost("nehalem"));
  await writePointsFile(folder, "points.csv", repriced);
  expect(bytes("checksums.sha256")).not.toBe(first);
  expect((await readResults(folder)).points).toEqual(repriced);
  rmSync(join(folder, "checksums.sha256"));
  writeFileSync(join(folder, "points.csv"), bytes("points.csv").replace(/,\n$/, ",mood\n"));
  expect((await readPoints(join(folder, "points.csv"))).at(-1)?.label).toBe("mood");
  // Nobody asked for them again.
  await writePointsFile(folder, "points.csv", repriced);
  expect(readdirSync(folder)).not.toContain("checksums.sha256");
});

test("checksums that are none are refused", async () => {
  const read = () => readResults(folder);
  const edit = (text: string) => text.slice(0, -20);
  expect(await complaintOf("checksums.sha256", edit, read)).toMatch(
    /^checksums\.sha256:3: is no checksum and file name: remove the file$/,
  );
});

test("walks of another run are no walks of these points", async () => {
  await write(twelveResults());
  rmSync(join(folder, "checksums.sha256"));
  writeFileSync(join(folder, "walks.csv"), bytes("walks.csv").replace(/,1,setup,/, ",7,setup,"));
  await expect(readResults(folder)).rejects.toThrow(
    /walks\.csv: id: 0: no such point in points\.csv/,
  );
});

test("repricing a file equals pricing its run that way", async () => {
  const results = twelveResults();
  await write(results);
  const older = fixedCost("p4-vtx");
  const repriced = reprice(await readPoints(join(folder, "points.csv")), older);
  expect(repriced).toEqual(resultRows(results, older).points);
  expect(repriced[0]?.cyclesTotal).not.toBe(reprice(repriced, costFor)[0]?.cyclesTotal);
  await writePointsFile(folder, "repriced.csv", repriced);
  const again = readFileSync(join(folder, "repriced.csv"), "utf8");
  await writeResults({ folder, results, costFor: older, manifest });
  expect(bytes("points.csv")).toBe(again);
});

async function complaintAbout(edit: (text: string) => string): Promise<string> {
  await write(twelveResults());
  const path = join(folder, "points.csv");
  const text = bytes("points.csv");
  const changed = edit(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
  const error: unknown = await readPoints(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).not.toContain("\n");
  return (error as ConfigError).message.replace(path, "points.csv");
}

test.each([
  ["a word in a number's place", /^1,/m, "one,", '4: id: "one": must be a number, 0 or more'],
  ["a negative count", /^1,/m, "-1,", '4: id: "-1": must be a number, 0 or more'],
  ["a broken count", /^1,/m, "1.5,", '4: id: "1.5": must be a whole number up to 2^53'],
  ["an unknown region", /,setup,/, ",warmup,", 'region: "warmup": must be one of setup, measured'],
  ["broken parameters", /\{""acc/, "{acc", "must be a JSON object of numbers and words"],
  ["a missing column", "id,engine,", "id,motor,", "1: column engine is missing"],
  ["a strange column", ",label", ",label,mood", '1: column "mood": unknown to this version'],
  ["a truncated line", /,\n$/, "\n", "Invalid Record Length"],
  // Seen failing: every one of these gave tables.
  ["a line twice", /([^\n]*\n)$/, "$1$1", "26: id 11, region measured: again, after line 25"],
  ["a lost line", /\n[^\n]*\n$/, "\n", "points.csv: id: 11: has no line of region measured"],
  ["a column twice", ",label", ",cost", "1: column label is missing"],
  [
    "a changed cost",
    /,\d+,1,\n/,
    ",7,1,\n",
    'cycles_total: "7": must be the sum of the line\'s cycles',
  ],
  ["a hexadecimal count", /^1,/m, "0x1,", '4: id: "0x1": must be a number, 0 or more'],
])(
  "%s is refused with file, line, column, value and what is allowed",
  async (_, from, to, problem) => {
    const message = await complaintAbout((text) => text.replace(from, to));
    expect(message).toContain("points.csv:");
    expect(message).toContain(problem);
  },
);

test("a file of nothing but a header is refused", async () => {
  const path = join(root, "empty.csv");
  writeFileSync(path, `${pointColumns.join(",")}\n`);
  await expect(readPoints(path)).rejects.toThrow(/empty\.csv:1: no lines of results/);
});

test("a missing file is reported, not thrown past everybody", async () => {
  await expect(readPoints(join(root, "nowhere.csv"))).rejects.toThrow(
    /nowhere\.csv": no such file/,
  );
});
