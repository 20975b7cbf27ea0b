import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

async function json(...words: readonly string[]): Promise<unknown> {
  const { status, stdout, stderr } = await runCommand([...words, "--json"]);
  expect(`${status} ${stderr}`).toBe("0 ");
  return JSON.parse(stdout);
}

// Each of them has a table for people; a program gets the same figures under the names of the code.
test("attack, dma, share and migrate print JSON and nothing else", async () => {
  expect(await json("attack", "--scheme", "ept-frame", "--attack", "remap")).toMatchObject([
    { scheme: "ept-frame", attack: "remap", isBroken: true, exits: 0, steps: [{}, {}, {}] },
  ]);
  expect(await json("dma", "nested", "-p", "packets=16")).toMatchObject([
    { scheme: "nested", mismatches: 0 },
  ]);
  const small = ["-w", "hot-write", "-p", "pages=64", "accesses=2000"];
  expect(await json("share", "snapshot", "-e", "ept", ...small)).toMatchObject([
    { scenario: "snapshot", engine: "ept" },
  ]);
  expect(await json("migrate", "-e", "ept-pml", ...small, "--quiet")).toMatchObject({
    shrink: 1,
    migrations: [{ key: { engine: "ept-pml" } }],
  });
});

test("leak prints its rows by channel", async () => {
  const rows = (await json("leak", "fault-trace", "--bits", "4")) as Record<string, unknown[]>;
  const [first] = rows["fault-trace"] ?? [];
  expect(first).toMatchObject({
    scheme: "hypervisor, shadow",
    recovered: "4 of 4",
    exitsPerBit: 2,
  });
});

// Seen failing: columns that bear the titles of the schemes, 155 characters wide.
test("the attack matrix fits a terminal of 100 columns", async () => {
  const { stdout } = await runCommand(["attack"]);
  const lines = stdout.trimEnd().split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(stdout).toMatch(/^ {2}ept-frame +EPT, frame locked$/m);
  expect(stdout).toMatch(/^ept-frame +held 1 +held 1 +BROKEN 0 /m);
});
