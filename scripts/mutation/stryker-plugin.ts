/**
 * Two plug-ins that Stryker loads: messages are no behaviour, and of a chosen range only the chosen mutants run.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";

interface Node {
  readonly type: string;
  readonly [field: string]: unknown;
}

interface Path {
  readonly node: Node;
  readonly key: unknown;
  readonly parentPath: Path | null;
}

interface RangedMutant {
  readonly id: string;
  readonly fileName: string;
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: { readonly start: Place; readonly end: Place };
}

interface Place {
  readonly line: number;
  readonly column: number;
}

/** The text of an error or an assertion: wrong words fail nobody's experiment. */
export const messages = {
  shouldIgnore({ node, key, parentPath }: Path): string | undefined {
    if (!/^(?:StringLiteral|TemplateLiteral|ArrowFunctionExpression)$/.test(node.type)) {
      return undefined;
    }
    const parent = parentPath?.node;
    if (parent === undefined) return undefined;
    const isError =
      parent.type === "NewExpression" && /Error$|^OutsideMemory$/.test(calleeOf(parent));
    const isAssert = parent.type === "CallExpression" && calleeOf(parent) === "assert" && key !== 0;
    return isError || isAssert ? "a message" : undefined;
  },
};

function calleeOf({ callee }: Node): string {
  const named = z.looseObject({ name: z.string() }).safeParse(callee);
  return named.success ? named.data.name : "";
}

/** A mutant's place and change as one word; `line` counts from 1. */
export function placeWord(
  file: string,
  mutator: string,
  replacement: string,
  { start, end }: RangedMutant["location"],
): string {
  return JSON.stringify([
    file,
    mutator,
    replacement,
    start.line,
    start.column,
    end.line,
    end.column,
  ]);
}

/** A range that holds a chosen mutant holds those of every smaller expression as well: they do not run. */
class Chosen {
  static readonly inject = ["options"] as const;
  private readonly words: ReadonlySet<string>;

  constructor(options: unknown) {
    const { chosenFile } = z.looseObject({ chosenFile: z.string() }).parse(options);
    const words: unknown = JSON.parse(readFileSync(chosenFile, "utf8"));
    this.words = new Set(z.array(z.string()).parse(words));
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  check(mutants: readonly RangedMutant[]): Promise<Record<string, object>> {
    return Promise.resolve(
      Object.fromEntries(mutants.map((mutant) => [mutant.id, this.statusOf(mutant)])),
    );
  }

  private statusOf({ fileName, mutatorName, replacement, location }: RangedMutant): object {
    const file = fileName.replace(`${process.cwd()}/`, "");
    const word = placeWord(file, mutatorName, replacement, location);
    return this.words.has(word)
      ? { status: "passed" }
      : { status: "compileError", reason: "not chosen" };
  }
}

export const strykerPlugins = [
  { kind: "Ignore", name: "messages", value: messages },
  { kind: "Checker", name: "chosen", injectableClass: Chosen },
];
