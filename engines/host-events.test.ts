/**
 * A host event that an engine does not know is an error of the compiler, not something that engine ignores: two are
 * planted in a copy of the sources, one for engines to answer, one for the memory behind them.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = new URL("..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "shadewalk-events-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Text `before` of a file gets `planted` in front. */
function plant(path: string, before: string, planted: string): void {
  const [head, tail, ...more] = readFileSync(join(folder, path), "utf8").split(before);
  expect(more, path).toEqual([]);
  expect(tail, path).toBeDefined();
  writeFileSync(join(folder, path), `${head}${planted}${before}${tail}`);
}

// Seen failing: chains of `if` in shadow, shadow-vtlb, kvm-tdp and native, and a memory that took what is left for a limit.
test("a new host event does not compile until every engine, and the memory behind them, answers it", () => {
  for (const room of ["machine", "hypervisor", "engines"]) {
    const filter = (path: string) => !path.endsWith(".test.ts");
    cpSync(join(root, room), join(folder, room), { recursive: true, filter });
  }
  for (const file of ["package.json", "tsconfig.json"])
    cpSync(join(root, file), join(folder, file));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const events = ["for-engines", "for-memory"].map((kind) => {
    return `| { readonly kind: "${kind}"; readonly frames: number }\n  `;
  });
  plant("hypervisor/host-events.ts", '| { readonly kind: "dirty-log-get" }', events.join(""));
  plant("hypervisor/memory/host-memory.ts", '"evict",\n', '"for-memory",\n  ');
  const tsc = join(root, "node_modules/.bin/tsc");
  const { stdout } = spawnSync(tsc, ["--noEmit", "--pretty", "false"], {
    cwd: folder,
    encoding: "utf8",
  });
  const files = [...stdout.matchAll(/^(\S+)\(\d+,\d+\): error/gm)].map(([, file]) => file!);
  expect([...new Set(files)].toSorted()).toEqual([
    "engines/agile.ts",
    "engines/kvm/host-events.ts",
    "engines/kvm/tdp-host.ts",
    "engines/native.ts",
    "engines/nested/host-side.ts",
    "engines/shadow-vtlb.ts",
    "engines/shadow/host-events.ts",
    "hypervisor/memory/host-memory.ts",
  ]);
}, 120_000);
