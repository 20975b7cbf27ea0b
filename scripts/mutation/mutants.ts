/**
 * Every mutant that Stryker's instrumenter finds in some files, without running anything.
 *
 * A mutant is known by what it changes and not by a line number, so a list of mutants outlives edits elsewhere in a file.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";
import { messages } from "./stryker-plugin.ts";

const position = z.object({ line: z.number(), column: z.number() });
const location = z.object({ start: position, end: position });
export type Location = z.infer<typeof location>;

const foundMutant = z.object({
  fileName: z.string(),
  mutatorName: z.string(),
  replacement: z.string(),
  /** Stryker's mutants before the report: lines from 0. */
  location,
  status: z.string().optional(),
});

export interface Mutant {
  readonly file: string;
  readonly mutator: string;
  /** Lines from 1, columns from 0, the end not included. */
  readonly at: Location;
  readonly original: string;
  readonly replacement: string;
  /** The line, and the which-th of all the mutants that are equal in file, line, original and replacement. */
  readonly id: string;
}

interface Instrumenter {
  instrument(files: readonly object[], options: object): Promise<unknown>;
}
type InstrumenterClass = new (logger: object) => Instrumenter;

// By a name that the compiler does not follow: the package is only there once `npm run mutation` has fetched it.
const packageName = "@stryker-mutator/instrumenter";
const packageShape = z.looseObject({
  Instrumenter: z.custom<InstrumenterClass>((value) => typeof value === "function"),
});
const silent = {
  isDebugEnabled: () => false,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
};

export async function findMutants(files: readonly string[]): Promise<Mutant[]> {
  const loaded: unknown = await import(packageName);
  const instrumenter = new (packageShape.parse(loaded).Instrumenter)(silent);
  const sources = files.map((name) => ({
    name,
    mutate: true,
    content: readFileSync(name, "utf8"),
  }));
  const result = await instrumenter.instrument(sources, {
    plugins: null,
    excludedMutations: [],
    ignorers: [messages],
  });
  const { mutants } = z.object({ mutants: z.array(foundMutant) }).parse(result);
  const texts = new Map(sources.map(({ name, content }) => [name, content.split("\n")]));
  const counts = new Map<string, number>();
  return mutants
    .filter(({ status }) => status !== "Ignored")
    .map(({ fileName, mutatorName, replacement, location: { start, end } }) => {
      const at = {
        start: { line: start.line + 1, column: start.column },
        end: { line: end.line + 1, column: end.column },
      };
      const lines = texts.get(fileName) ?? [];
      const original = textAt(lines, at);
      const line = (lines[at.start.line - 1] ?? "").trim();
      const plain = [fileName, mutatorName, line, original, replacement].join("\n");
      const count = counts.get(plain) ?? 0;
      counts.set(plain, count + 1);
      const id = createHash("sha256").update(`${plain}\n${count}`).digest("hex").slice(0, 12);
      return { file: fileName, mutator: mutatorName, at, original, replacement, id };
    });
}

function textAt(lines: readonly string[], { start, end }: Location): string {
  const rows = lines.slice(start.line - 1, end.line);
  const last = rows.length - 1;
  return rows
    .map((row, index) =>
      row.slice(index === 0 ? start.column : 0, index === last ? end.column : undefined),
    )
    .join("\n");
}
