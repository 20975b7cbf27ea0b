/**
 * The lab as a class uses it, and every command that its handout tells students to type.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const folder = await mkdtemp(join(tmpdir(), "shadewalk-lab-"));
afterAll(() => rm(folder, { recursive: true }));
const choice = ["--seed", "7", "--count", "4"];

test("answers are hidden until asked for, and grade as right", async () => {
  const hidden = await runCommand(["lab", ...choice]);
  expect(hidden.stdout).not.toContain("Answer");
  const { stdout } = await runCommand(["lab", ...choice, "--answers"]);
  const answers = [...stdout.matchAll(/Answer: (\d+)\./g)].map(([, answer]) => answer);
  const file = join(folder, "answers.txt");
  await writeFile(file, answers.map((answer, index) => `${index + 1}: ${answer}`).join("\n"));
  const graded = await runCommand(["lab", ...choice, "--grade", file]);
  expect(graded).toMatchObject({ status: 0, stderr: "" });
  expect(graded.stdout).toMatch(/4 of 4 right\n$/);
  await writeFile(file, "1: 123456\n");
  const wrong = await runCommand(["lab", ...choice, "--grade", file]);
  expect(wrong.status).toBe(1);
  expect(wrong.stdout).toBe(
    "1: wrong: 123456\n2: not answered\n3: not answered\n4: not answered\n0 of 4 right\n",
  );
});

test("an exercise's op list, saved as a file, runs to the exits that its answer says", async () => {
  const { stdout } = await runCommand(["lab", "--seed", "7", "--count", "1", "--answers"]);
  const engine = /under `([^`]+)`/.exec(stdout)?.[1] ?? "";
  const answer = /Answer: (\d+)/.exec(stdout)?.[1] ?? "";
  const lines = [...stdout.matchAll(/^ {4}(.*)$/gm)].map(([, line]) => line);
  const file = join(folder, "exercise.trace");
  await writeFile(file, `${lines.join("\n")}\n`);
  const run = ["run", "--trace", file, "--engine", engine, "--preset", "textbook", "--json"];
  const { stdout: json } = await runCommand(run);
  const { sections } = JSON.parse(json) as {
    sections: { name: string; ledger: { exits: number } }[];
  };
  expect(sections.map(({ name }) => name)).toEqual(["before", "counted"]);
  expect(String(sections[1]?.ledger.exits)).toBe(answer);
});

test("every command of the second lab works", async () => {
  const handout = await readFile(join(import.meta.dirname, "../docs/lab.md"), "utf8");
  const commands = [...handout.matchAll(/^npx shadewalk ((?:run|walk) .*)$/gm)].map(
    ([, words]) => words ?? "",
  );
  expect(commands.length).toBeGreaterThan(8);
  for (const command of commands) {
    const { status, stderr } = await runCommand(command.split(" "));
    expect({ command, status, stderr }).toEqual({ command, status: 0, stderr: "" });
  }
});
