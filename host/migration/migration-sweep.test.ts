import { expect, it, test } from "vitest";
import { catalogue } from "../../bench/points/catalogue.ts";
import { migrationSweepNames, parseMigrationSweep, readMigrationSweep } from "./migration-sweep.ts";
import { defaultSettings } from "./settings.ts";

const head = "title: t\nengines: [ept-pml]\npresets: [skylake-sp]\nseeds: [1, 2]\n";
const body = `${head}workloads:\n  - workload: hot-write\n    params: [{ hotPercent: [5, 50] }]\n`;

const parse = (text: string) => parseMigrationSweep(text, "m.yaml", catalogue);

it("crosses points with settings, ids in the file's order", () => {
  const { points } = parse(
    `${body}migrations:\n  - bandwidth: [1Gbit, 2.5Gbit]\n    downtime: 50us\n  - autoConverge: true\n`,
  );
  expect(points.map(({ id }) => id)).toEqual(points.map((_, index) => index));
  expect(points).toHaveLength(2 * 2 * 3);
  const [first, second, third] = points.map(({ migration }) => migration);
  expect(first).toEqual({
    ...defaultSettings,
    bandwidthBitsPerSecond: 1e9,
    downtimeLimitMs: 0.05,
  });
  expect(second?.bandwidthBitsPerSecond).toBe(2.5e9);
  expect(third).toEqual({ ...defaultSettings, autoConverge: 1 });
});

const mistakes: readonly (readonly [name: string, text: string, expected: string])[] = [
  ["no settings", body, "m.yaml:1: migrations: missing: "],
  [
    "an unknown setting",
    `${body}migrations:\n  - bandwith: 1Gbit\n`,
    "m.yaml:9: migrations[0].bandwith: unknown. Did you mean bandwidth?",
  ],
  [
    "a bandwidth without a unit",
    `${body}migrations:\n  - downtime: 1ms\n    bandwidth: "10"\n`,
    'm.yaml:10: migrations[0].bandwidth: "10": must be a number and a unit, such as 10Gbit',
  ],
  [
    "an engine without a log",
    `${body.replace("ept-pml", "ept-pml, ept")}migrations:\n  - mode: precopy\n`,
    "m.yaml:2: engines: ept: keeps no dirty log, which rounds of pre-copy need. Allowed: ",
  ],
];

test.each(mistakes)("a wrong sweep of migrations: %s", (_, text, expected) => {
  let message = "no complaint";
  try {
    parse(text);
  } catch (error) {
    message = error instanceof Error ? error.message : String(error);
  }
  expect(message.slice(0, expected.length)).toBe(expected);
  expect(message).not.toContain("\n");
});

test.each(migrationSweepNames())("the shipped sweep %s can be run", (name) => {
  const { points, title } = readMigrationSweep(name, catalogue);
  expect(points.length).toBeGreaterThan(1);
  expect(title).not.toBe("");
});

test("a sweep of no known name and no file is answered with the names", () => {
  expect(() => readMigrationSweep("migraton", catalogue)).toThrow(
    /sweep "migraton": unknown\. Did you mean migration\? Allowed: .*migration.*, or the path of a \.yaml file/,
  );
});
