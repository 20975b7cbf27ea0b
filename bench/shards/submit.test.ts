import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { EnvironmentError } from "../input/config-error.ts";
import { submitParallel } from "./submit-parallel.ts";
import { ranges, submitSlurm } from "./submit-slurm.ts";
import { shellQuote, type Submission, submitLocal } from "./submit.ts";

afterEach(() => void vi.unstubAllEnvs());

// Seen failing: `number - 1` taken for `number - 2`.
test("ranges name the same numbers in fewer words", () => {
  expect(ranges([0, 1, 2, 3, 7, 9, 10])).toBe("0-3,7,9-10");
  const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), {
    minLength: 1,
    maxLength: 50,
    size: "max",
  });
  fc.assert(
    fc.property(numbers, (list) => {
      const sorted = list.toSorted((a, b) => a - b);
      const read = ranges(sorted)
        .split(",")
        .flatMap((run) => {
          const [first = 0, last = first] = run.split("-").map(Number);
          return Array.from({ length: last - first + 1 }, (_, index) => first + index);
        });
      expect(read).toEqual(sorted);
    }),
  );
});

// Seen failing: `$` among the characters that need no quotes; an apostrophe left as it is.
test("bash reads every quoted word as it was", () => {
  // A process a case would be slow: all words go through one.
  const word = fc
    .string({ unit: "binary", minLength: 1, maxLength: 20 })
    .filter((text) => !text.includes("\0"));
  const [words = []] = fc.sample(fc.array(word, { minLength: 100, maxLength: 150 }), 1);
  const awkward = ["", "it's", "$HOME", "a b", "`ls`", "x\ny", '"', "\\", "*", "{1,2}", "~", "-n"];
  // Unpaired halves of a character do not survive UTF-8, whatever the shell does.
  const all = [...awkward, ...words].map((text) => text.toWellFormed());
  const text = execFileSync("bash", ["-c", `printf '%s\\0' ${all.map(shellQuote).join(" ")}`]);
  expect(text.toString().split("\0").slice(0, -1)).toEqual(all);
});

/** Programs that write down what they were called with instead of doing it. */
function fakes(scripts: Readonly<Record<string, string>>) {
  const path = mkdtempSync(join(tmpdir(), "shadewalk-submit-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  const log = join(path, "calls");
  writeFileSync(log, "");
  for (const [name, script] of Object.entries(scripts)) {
    const text = `#!/bin/bash\necho "${name} $*" >>${log}\n${script}\n`;
    writeFileSync(join(path, name), text, { mode: 0o755 });
  }
  vi.stubEnv("PATH", `${path}:${process.env["PATH"]}`);
  const steps: string[] = [];
  const submission: Submission = {
    out: join(path, "out"),
    cwd: path,
    shards: 12,
    missing: [3, 4, 5, 9],
    program: [join(path, "program")],
    shardWords: ["shard", "a sweep.yaml", "--of", "12"],
    mergeWords: ["merge", "a sweep.yaml"],
    workers: 2,
    hosts: "one,two",
    wait: false,
    onStep: (line) => steps.push(line),
  };
  return { submission, steps, path, calls: () => readFileSync(log, "utf8").trim().split("\n") };
}

test("slurm gets an array of what is missing, its size in the command, and a dependent merge", () => {
  const { submission, steps, path, calls } = fakes({ sbatch: "echo '17;cluster'" });
  const said = submitSlurm(submission);
  const submitted = join(path, "out", "submit");
  expect(calls()).toEqual([
    "sbatch --parsable --requeue --job-name=shadewalk --open-mode=append --array=3-5,9 " +
      `--cpus-per-task=2 --output=${submitted}/shard-%A_%a.log ${submitted}/shard-slurm.sh`,
    "sbatch --parsable --job-name=shadewalk-merge --dependency=afterok:17 " +
      `--kill-on-invalid-dep=yes --output=${submitted}/merge-%j.log ${submitted}/merge-slurm.sh`,
  ]);
  expect(steps).toEqual(["array job 17 computes 4 of 12 shards"]);
  expect(said).toBe(`job 17 merges into ${path}/out/`);
  const task = readFileSync(join(submitted, "shard-slurm.sh"), "utf8");
  expect(task).toContain(`shard 'a sweep.yaml' --of 12 --index "$SLURM_ARRAY_TASK_ID"\n`);
  expect(task).not.toContain("TASK_COUNT");
});

test.each([
  [1, undefined, "requeue"],
  [1, "1", "requeue"],
  [1, "2", "gives up"],
  [2, undefined, "gives up"],
  [0, undefined, "is done"],
])("a task that ends with %i after %s restarts: %s", (status, restarts, outcome) => {
  const requeue = { sbatch: "echo 17", program: `exit ${status}`, scontrol: "", sleep: "" };
  const { submission, path, calls } = fakes(requeue);
  submitSlurm(submission);
  vi.stubEnv("SLURM_ARRAY_JOB_ID", "17");
  vi.stubEnv("SLURM_ARRAY_TASK_ID", "4");
  vi.stubEnv("SLURM_RESTART_COUNT", restarts);
  const script = join(path, "out", "submit", "shard-slurm.sh");
  const run = () => execFileSync("bash", [script]);
  if (status === 0) run();
  else expect(run).toThrow();
  expect(calls().includes("scontrol requeue 17_4")).toBe(outcome === "requeue");
  expect(calls()).toContain("program shard a sweep.yaml --of 12 --index 4");
});

test("slurm's merge is not taken for done when it was cancelled, though sbatch says so", () => {
  const show = (state: string) => ({ sbatch: "echo 17", scontrol: `echo "JobState=${state} x"` });
  const cancelled = fakes(show("CANCELLED")).submission;
  const wait = () => submitSlurm({ ...cancelled, wait: true });
  expect(wait).toThrow(EnvironmentError);
  expect(wait).toThrow(/^job 17, which merges, ended as CANCELLED: .*, submit again for the rest$/);
  const done = fakes(show("COMPLETED")).submission;
  expect(submitSlurm({ ...done, wait: true })).toMatch(/^job 17 merged into /);
});

test("with nothing missing, only the merge is submitted", () => {
  const { submission, calls } = fakes({ sbatch: "echo 17" });
  submitSlurm({ ...submission, missing: [] });
  expect(calls()).toHaveLength(1);
  expect(calls()[0]).not.toContain("--dependency");
});

test("parallel gets hosts and indices, and then the merge runs here", () => {
  const { submission, path, calls } = fakes({ parallel: "", program: "" });
  submitParallel(submission);
  const submitted = join(path, "out", "submit");
  expect(calls()).toEqual([
    `parallel --will-cite --jobs 1 --retries 3 --joblog ${submitted}/parallel.log ` +
      `--sshlogin one,two bash ${submitted}/shard-parallel.sh ::: 3 4 5 9`,
    "program merge a sweep.yaml",
  ]);
});

test("the loop runs each missing shard, and the first failure ends it", () => {
  const good = fakes({ program: "" });
  submitLocal(good.submission);
  expect(good.calls()).toEqual([
    ...[3, 4, 5, 9].map((index) => `program shard a sweep.yaml --of 12 --index ${index}`),
    "program merge a sweep.yaml",
  ]);
  const bad = fakes({ program: "exit 3" });
  expect(() => submitLocal(bad.submission)).toThrow(/program: exit code 3; .*, submit again/);
  expect(bad.calls()).toHaveLength(1);
});

test("a scheduler that is not there is one line", () => {
  const { submission } = fakes({});
  vi.stubEnv("PATH", "/nowhere");
  expect(() => submitSlurm(submission)).toThrow(EnvironmentError);
  expect(() => submitSlurm(submission)).toThrow(/^sbatch: cannot be started: .*ENOENT/);
});
