/**
 * For tests: every command that a document or a help text tells people to type, and how it runs at small size.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { commands } from "./commands/index.ts";

const repository = join(import.meta.dirname, "..");

/** `npx shadewalk ...`, `npm run ...`, `npm ci && ...`, or one of them behind a pipe. */
const starts =
  /^(?:(?:npx shadewalk|npm run|npm ci|npm test)\b|(?:printf|zcat) .*\| npx shadewalk )/;

/** Commands as written, each once, with where they stand. */
export function documentCommands(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const add = (text: string, place: string) => {
    // Help texts explain behind two blanks, documents behind a hash.
    const command = text.trim().replace(/(?: {2,}| +# ).*/, "");
    if (starts.test(command) && command !== "npx shadewalk")
      found.set(command, found.get(command) ?? place);
  };
  for (const file of globSync(["README.md", "ARCHITECTURE.md", "docs/*.md"], { cwd: repository })) {
    const text = readFileSync(join(repository, file), "utf8");
    const isFenced = (index: number) => text.slice(0, index).split(/^```/m).length % 2 === 0;
    for (const match of text.matchAll(/^.*$/gm)) if (isFenced(match.index)) add(match[0], file);
    for (const [, code = ""] of text.matchAll(/`([^`\n]+)`/g)) add(code, file);
  }
  const addHelp = (command: Command, name: string) => {
    let text = "";
    command.configureOutput({ writeOut: (piece) => (text += piece) }).outputHelp();
    for (const line of text.split("\n")) add(line, `${name} --help`);
    for (const below of command.commands) addHelp(below as Command, `${name} ${below.name()}`);
  };
  for (const { create } of commands) {
    const command = create() as unknown as Command;
    addHelp(command, command.name());
  }
  return found;
}

/** What needs more than a minute, other programs or another tree, and who runs it instead. */
export const elsewhere: readonly (readonly [command: RegExp, where: string])[] = [
  [/^npm ci$|^npm ci && |^npm (?:run check|test)$/, ".ci/run"],
  [/^npm run (?:test:record|record-system)/, "scripts/test-record.sh"],
  [/^npm run (?:test:\w+)/, ".ci/run"],
  [/^npm run validate/, ".ci/run"],
  [/^npm run mutation/, "scripts/mutation/mutation.test.ts"],
  [/^npm run docs:model/, "scripts/model-choices.test.ts"],
  [/^npm run docs:data/, "scripts/data-dictionary.test.ts"],
  [/^npm run docs:linux/, "scripts/linux-tables.test.ts"],
  [/^npm run speed|^npx shadewalk speed/, "bench/speed/speed.test.ts"],
  [/submit .*--engine slurm/, "scripts/test-slurm.sh"],
  [/submit .*--engine parallel/, "scripts/test-parallel.sh"],
  [/ept-around|around\.yaml/, "scripts/registries.test.ts"],
  [/<name>/, "scripts/registries.test.ts"],
];

/** Large becomes small, a placeholder a file: what is replaced is all that differs from the command as written. */
const substitutions: readonly (readonly [what: RegExp, small: string])[] = [
  [/^npm run (why|report|bench|lab)(?: --)?/, "npx shadewalk $1"],
  [/^npx shadewalk (shard|merge|submit)$/, "npx shadewalk $1 --help"],
  [/^npx shadewalk bench linux$/, "npx shadewalk bench small.yaml"],
  [/^npx shadewalk bench reference --out new/, "npx shadewalk bench small.yaml --out new"],
  [/\[SWEEP\]|\bSWEEP\b|\bdefault\b(?=.*--out)|my-sweep\.yaml|\bquick\b(?! --out a)/, "small.yaml"],
  [/^npx shadewalk bench(?= --|$)/, "npx shadewalk bench small.yaml"],
  [/ \[RESULTS\]/, ""],
  [
    /compare (?:baseline|results\/reference|OLD) (?:new|NEW)/,
    "compare results/latest results/latest",
  ],
  [/\/shared\/run|\bDIR$/, "shared"],
  [/--index I --of N/, "--index 0 --of 1"],
  [/--of 2/, "--of 1"],
  [/--index 1/, "--index 0"],
  [/\/tmp\//, "./"],
  [/guest\/guest\.trace\.zst/, "program.trace.gz"],
  [/results\/(?=why|migration)/, "./"],
  [/\bpoints\.csv --cost FILE/, "results/latest/points.csv --cost zen2"],
  [/--from-perf FILE/, "--from-perf perf.txt --mhz 2500"],
  [/convert pinatrace\.out -o program\.trace/, "convert pinatrace.out -o converted.trace"],
  [/trace FILE/, "trace dialect.txt"],
  [/-b (?:1G|256M|64M)/, "-b 1M"],
  [/(fuzz --seed 7).*/, "$1 --ops 1500"],
  [/(fuzz --seeds) 200.*/, "$1 2 --ops 200 --workers 2"],
  [/fuzz-failure\.trace --engine NAME/, "program.trace.gz --engine ept"],
  [/(fuzz --migrations .*)/, "$1 --ops 300"],
  [/^(npx shadewalk run .*--workload uniform --levels.*)/, "$1 --param accesses=5000"],
  [/^(npx shadewalk share(?! --answers)[^>]*)/, "$1 -p pages=256 requests=400 "],
  [/^(npx shadewalk migrate .*-w hot-write[^-]*)/, "$1 -p pages=600 accesses=3000 "],
  [/^(npx shadewalk migrate .*-w key-value)/, "$1 -p pages=600 requests=600"],
  [/(leak bit-flips(?: --by bits)?)(?: --bits \d+)?$/, "$1 --bits 2"],
  [/dma --fuzz 4/, "dma nested --fuzz 1"],
  [/^(npx shadewalk dma$)/, "$1 -p packets=500"],
  [/^(npx shadewalk dma .*-w nvme-queue)/, "$1 -p requests=100"],
  [/(dma -w stream-reader -p pageSize=2m)/, "$1 pages=1024 reads=1000"],
  [/--sweep migration/, "--sweep moves.yaml"],
  [/why --only frontier,ablation/, "why --only walks"],
  [/ why$/, " why --only walks --out ./why"],
  [/why --topic devices/, "why --topic devices --only large-pages --out ./why-devices"],
  [/why --topic policy(?: --only remap)?/, "why --topic policy --only remap --out ./why-policy"],
  [/why --topic schemes/, "why --topic schemes --only table-shapes --out ./why-schemes"],
  [/why --topic migration/, "why --topic migration --only idle-log --out ./why"],
];

/** The command as it is run by the test. */
export function smallCommand(command: string): string {
  return substitutions.reduce((text, [what, small]) => text.replace(what, small), command);
}

/** Substitutions that no command needs any more. */
export function unusedSubstitutions(all: Iterable<string>): RegExp[] {
  const used = new Set<RegExp>();
  for (const command of all) {
    let text = command;
    for (const [what, small] of substitutions) {
      if (what.test(text)) used.add(what);
      text = text.replace(what, small);
    }
  }
  return substitutions.map(([what]) => what).filter((what) => !used.has(what));
}
