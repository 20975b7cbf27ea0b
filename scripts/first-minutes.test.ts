/**
 * The first five minutes of five people, with commands that README has: each must end in the right answer.
 *
 * Sizes are smaller than theirs would be; the words are the same.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Finish, runCommand } from "./run-command.ts";

const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "shadewalk-minutes-"));
afterAll(() => rmSync(folder, { recursive: true }));

const sweep = `title: small
presets: [skylake-sp]
seeds: [1]
engines: [native, shadow, shadow-lazy, ept]
workloads:
  - { workload: gups, params: [{ pages: 4096, updateOps: 4000 }] }
  - { workload: forkwait, params: [{ pages: 64, forks: 10 }] }
`;
writeFileSync(join(folder, "small.yaml"), sweep);

/** Runs a command in the folder; it must be one of README's. */
async function say(words: string, input = ""): Promise<Finish> {
  const args = words.split(" ");
  expect(readme).toMatch(new RegExp(`(?:npx shadewalk|npm run|\`) ?${args[0] ?? ""}\\b`));
  return runCommand(args, { input, cwd: folder });
}

async function done(words: string, input = ""): Promise<string> {
  const { status, stdout, stderr } = await say(words, input);
  expect([words, status, stderr]).toEqual([words, 0, ""]);
  return stdout;
}

beforeAll(async () => {
  await done("bench small.yaml --quiet --out results/latest");
}, 60_000);

test("a student sees why one walk is 24 reads and the other 4, and who exits at a PTE write", async () => {
  expect(await done("walk 0x400000 -e ept --preset textbook")).toContain("24 references, 4 guest");
  expect(await done("walk 0x7ffd12345678 -e shadow --preset textbook")).toContain("4 references");
  writeFileSync(join(folder, "lesson.txt"), "PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n");
  const lesson = await done("trace lesson.txt -e shadow,ept");
  expect(lesson.match(/exits=\d+/g)).toEqual(["exits=1", "exits=0"]);
});

test("a hypervisor developer sees what dirty logging by PML saves over write protection", async () => {
  const exits = async (engine: string) => {
    const stdout = await done(
      `run -e ${engine} -w hot-write -p pages=600 accesses=3000 logRounds=2 --json`,
    );
    const { sections } = JSON.parse(stdout) as { sections: { ledger: { exits: number } }[] };
    return sections[1]?.ledger.exits ?? Number.NaN;
  };
  expect(await exits("ept-pml")).toBeLessThan((await exits("ept-wp")) / 10);
  const words = "migrate -e ept-pml,ept-wp -w hot-write -p pages=600 accesses=3000 --quiet";
  expect(await done(words)).toMatch(/ept-pml[\s\S]*ept-wp/);
});

test("a researcher reads the table, asks what if, and gets the same numbers from the library", async () => {
  const priced = await done("price results/latest/points.csv --cost nehalem --out older.csv");
  expect(priced).toMatch(/geometric means of slowdowns changed:\n {2}shadow: [\d.]+ -> [\d.]+/);
  const beside = await done("run -e shadow,ept -w forkwait -p pages=64 forks=10");
  const said = /^shadow ([\d.]+)x native, ept ([\d.]+)x native$/m.exec(beside);
  const { runPoint } = await import("./library.ts");
  const params = { pages: 64, forks: 10 };
  const cycles = ["native", "shadow", "ept"].map((engine) => {
    return runPoint({ engine, workload: "forkwait", params }).cyclesTotal;
  });
  const [native = 1, shadow = 0, ept = 0] = cycles;
  expect([said?.[1], said?.[2]]).toEqual([(shadow / native).toFixed(2), (ept / native).toFixed(2)]);
  // The answer: a program that changes its tables prefers EPT.
  expect(shadow / native).toBeGreaterThan(2 * (ept / native));
});

test("a lecturer gets a page with the answer on its first screen, and exercises that grade themselves", async () => {
  expect(await done("report results/latest --out page.html")).toMatch(/^page\.html: \d/);
  const page = readFileSync(join(folder, "page.html"), "utf8");
  expect(page).toMatch(/pays for every TLB miss[\s\S]*pays for every change of a page table/);
  expect(page).toMatch(/Over 2 programs a virtual machine is slower than bare metal/);
  const sheet = await done("lab --seed 7 --answers");
  const answers = Array.from(
    sheet.matchAll(/Answer: (\d+)\./g),
    ([, one], index) => `${index + 1}: ${one}\n`,
  );
  writeFileSync(join(folder, "answers.txt"), answers.join(""));
  expect(await done("lab --seed 7 --grade answers.txt")).toContain(`${answers.length} right`);
});

test("a CI owner keeps a baseline and hears of a count that moved, by exit code", async () => {
  await done("bench small.yaml --quiet --out new");
  expect(await done("compare results/latest new")).toBe("no difference\n");
  const moved = sweep.replace("forks: 10", "forks: 11");
  writeFileSync(join(folder, "moved.yaml"), moved);
  await done("bench moved.yaml --quiet --out moved");
  const { status, stdout } = await say("compare results/latest moved");
  expect(status).toBe(1);
  expect(stdout).toMatch(/8 rows only in the first:\n {2}native forkwait .*forks=10/);
});
