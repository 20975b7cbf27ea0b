/**
 * What a newcomer on Node 20 sees first, as far as it can be seen without an installation: packages that npm would warn of,
 * and tests started under the wrong Node.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";

const repository = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(repository, file), "utf8");

interface Lock {
  readonly packages: Readonly<Record<string, { readonly engines?: { readonly node?: string } }>>;
}

// Seen failing: ">=22.18", which made npm print ten lines at the first `npx`.
test("the project asks for Node 20 and brings its own; npm does not compare the packages with the machine's", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as Lock;
  const wanted = JSON.parse(read("package.json")) as Lock["packages"][string];
  expect(wanted.engines?.node).toBe(">=20");
  expect(packages[""]?.engines?.node).toBe(">=20");
  expect(read(".npmrc")).toMatch(/^loglevel=error$/m);
  // No registry's host, so that any mirror serves.
  expect(read("package-lock.json")).not.toContain('"resolved": "http');
});

// Seen failing: three files of tests, with messages that had nothing to do with it.
test("the configuration of the tests refuses an older Node in one line", () => {
  const folder = mkdtempSync(join(tmpdir(), "shadewalk-old-node-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  // The configuration is run as Node 20 would run it: with another version number.
  const old = join(folder, "old.mjs");
  writeFileSync(
    old,
    `Object.defineProperty(process.versions, "node", { value: "20.20.2" });
await import(${JSON.stringify(join(repository, "vitest.config.ts"))});`,
  );
  const { status, stderr } = spawnSync(process.execPath, [old], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /^vitest: this is Node 20\.20\.2: start the tests with npm test [^\n]+\n$/,
  );
});
