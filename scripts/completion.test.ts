import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

/** What bash would offer behind these words, the last of them begun. */
async function offered(...words: string[]): Promise<string[]> {
  const { stdout: script } = await runCommand(["completion", "bash"]);
  const line = ["shadewalk", ...words].map((word) => `'${word}'`).join(" ");
  const body = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _shadewalk; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", body], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.trim().split("\n");
}

test("bash completes commands, options, engines behind a comma, sweeps and topics", async () => {
  expect(await offered("mi")).toEqual(["migrate"]);
  expect(await offered("run", "--wor")).toEqual(["--workload"]);
  expect(await offered("run", "-e", "shadow-l")).toEqual(["shadow-lazy"]);
  expect(await offered("run", "-e", "ept,shadow-l")).toEqual(["ept,shadow-lazy"]);
  expect(await offered("bench", "qu")).toEqual(["quick"]);
  expect(await offered("why", "--topic", "mig")).toEqual(["migration"]);
  expect(await offered("attack", "--scheme", "ept-fr")).toEqual(["ept-frame"]);
  expect(await offered("share", "over")).toEqual(["overcommit"]);
  expect(await offered("walk", "0x1000", "--guest-pages", "2")).toEqual(["2m"]);
});

test("zsh and fish get the same names, and no other shell any", async () => {
  const zsh = await runCommand(["completion", "zsh"]);
  expect(zsh.stdout).toMatch(/^autoload -U \+X bashcompinit/);
  const fish = await runCommand(["completion", "fish"]);
  expect(fish.stdout).toContain("complete -c shadewalk -n __fish_use_subcommand -a compare -d '");
  expect(fish.stdout).toMatch(/__fish_seen_subcommand_from run' -s e -l engines -x -a '.*ept-pml/);
  // No apostrophe of a description ends the quote.
  for (const line of fish.stdout.trim().split("\n")) {
    expect(line.replaceAll("\\'", "").split("'").length % 2, line).toBe(1);
  }
  const none = await runCommand(["completion", "tcsh"]);
  expect([none.status, none.stderr]).toEqual([
    2,
    'shadewalk: shell "tcsh": unknown. Allowed: bash, zsh, fish\n',
  ]);
});
