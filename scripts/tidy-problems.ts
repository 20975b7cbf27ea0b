/**
 * The repository's own rules, those that a formatter, a type checker and a linter leave unsaid.
 *
 * Everything is decided on the syntax tree, so `|` in a type, a word in a string and a regular
 * expression are never mistaken for code. Pure: it sees only the texts it is given.
 */
import { posix } from "node:path";
import { parseSync } from "oxc-parser";

interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

interface SourceFacts {
  readonly path: string;
  /** Files this one imports, type-only imports included. */
  readonly imports: ReadonlySet<string>;
  /** Files this one names in any way, such as a worker started by URL. */
  readonly references: ReadonlySet<string>;
  readonly problems: readonly string[];
}

const sourceLinesMax = 300;
const testLinesMax = 400;
const functionLinesMax = 70;
const clockFiles: ReadonlySet<string> = new Set(["bench/host-time.ts", "scripts/progress.ts"]);
const clockNames: ReadonlySet<string> = new Set(["Date", "Temporal", "hrtime", "performance"]);
/** The oracle decodes page-table entries by itself: reading them through `machine/` would prove nothing. */
const bitRooms = [
  "machine/",
  "hypervisor/",
  "engines/",
  "guest/",
  "linux/",
  "viommu/",
  "workloads/trace/",
  "check/oracle/",
  "bench/speed/",
];
const bitOperators: ReadonlySet<string> = new Set(["&", "|", "^", "~", "<<", ">>", ">>>"]);
const rootFiles: ReadonlySet<string> = new Set(["vitest.config.ts"]);

/** What a guest and its programs may ask of whoever is below. */
const contract = ["hypervisor/hypervisor", "hypervisor/host-events", "hypervisor/direct-memory"];
/** A simulated guest under an engine, and what drives it. */
const simulation = [
  "workloads/",
  "viommu/",
  "linux/",
  "engines/",
  "hypervisor/",
  "guest/",
  "machine/",
];
/** What every room of `bench/` may use: words to a user, the schema of results. */
const benchBase = ["bench/input/", "bench/results/", "bench/code-url.ts", "bench/host-time.ts"];
const points = ["bench/points/", "bench/files/", "bench/costs/", ...benchBase, "check/"];

/** What each room may import, a narrower room before the one around it. */
const mayImport: readonly (readonly [room: string, allowed: readonly string[]])[] = [
  ["machine/", ["machine/"]],
  ["guest/", ["guest/", ...contract, "machine/"]],
  ["hypervisor/", ["hypervisor/", "machine/"]],
  ["engines/", ["engines/", "hypervisor/", "machine/"]],
  ["linux/", ["linux/", "machine/"]],
  ["viommu/", ["viommu/", "linux/", "hypervisor/", "machine/"]],
  ["workloads/", ["workloads/", "guest/", ...contract, "machine/"]],
  ["check/", ["check/", ...simulation]],
  ["policies/", ["policies/", "bench/", "check/", ...simulation]],
  ["bench/input/", ["bench/input/", "workloads/", "machine/"]],
  ["bench/results/", ["bench/results/", "machine/"]],
  ["bench/costs/", ["bench/costs/", ...benchBase, "machine/"]],
  ["bench/files/", ["bench/files/", "bench/costs/", ...benchBase, "machine/"]],
  ["bench/points/", [...points, ...simulation]],
  ["bench/sweeps/", ["bench/sweeps/", ...points, ...simulation]],
  ["bench/shards/", ["bench/shards/", "bench/sweeps/", ...points, ...simulation]],
  ["bench/", ["bench/", "check/", ...simulation]],
  ["host/", ["host/", "bench/", "check/", ...simulation]],
  ["claims/", ["claims/", "host/", "bench/", "policies/", "check/", ...simulation]],
  [
    "report/explorer/",
    [
      "report/",
      "bench/costs/",
      "bench/results/",
      "engines/",
      "hypervisor/",
      "guest/",
      "machine/",
      "viommu/",
      "host/dma/",
      "policies/attack/",
    ],
  ],
  ["report/page/", ["report/", "bench/costs/", "bench/results/"]],
  ["report/", ["report/", "bench/results/"]],
  ["scripts/", ["scripts/", "report/", "claims/", "host/", "bench/", "policies/", "check/fuzz/"]],
];

/** What one room alone may import, whatever the table above allows: others have words for it. */
const walls: readonly (readonly [target: string, room: string, instead: string])[] = [
  ["machine/entry.ts", "machine/", "machine/formats/x86-entry.ts"],
];

/** One line per broken rule; `entries` are the files that something outside the code starts. */
export function tidyProblems(
  files: ReadonlyMap<string, string>,
  entries: ReadonlySet<string>,
): string[] {
  const facts = [...files].map(([path, text]) => readFacts(path, text));
  return [
    ...facts.flatMap(({ problems }) => problems),
    ...facts.flatMap(directionProblems),
    ...cycleProblems(facts),
    ...orphanProblems(facts, entries),
  ];
}

function readFacts(path: string, text: string): SourceFacts {
  const imports = new Set<string>();
  const references = new Set<string>();
  const problems: string[] = [];
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  const report = (offset: number, problem: string) =>
    problems.push(`${path}:${lineAt(offset)}: ${problem}`);

  const lines = text.trimEnd().split("\n").length;
  const linesMax = isTest(path) ? testLinesMax : sourceLinesMax;
  if (lines > linesMax) {
    report(0, `${lines} lines, at most ${linesMax}: split the idea`);
  }

  const { program, comments, errors } = parseSync(path, text);
  for (const { message } of errors) report(0, `does not parse: ${message}`);
  for (const comment of comments) {
    const note = /\b(?:FIXME|TODO)\b/.exec(comment.value);
    if (note !== null) report(comment.start, `${note[0]} in a comment: do it or drop it`);
  }
  if (isNode(program)) {
    walk(program, undefined, (node, parent) => {
      const target = relativeTarget(path, node);
      if (target !== undefined) {
        references.add(target);
        if (parent !== undefined && isImport(parent)) imports.add(target);
      }
      const problem =
        (bitRooms.some((room) => path.startsWith(room)) ? undefined : bitProblem(node)) ??
        (clockFiles.has(path) ? undefined : clockProblem(node, parent)) ??
        lengthProblem(node, lineAt) ??
        randomProblem(node, parent);
      if (problem !== undefined) report(node.start, problem);
    });
  }
  // An import specifier holds its name twice; one line is enough.
  return { path, imports, references, problems: [...new Set(problems)] };
}

function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}

function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"
  );
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  return Object.values(node).flat().filter(isNode);
}

function walk(
  node: SyntaxNode,
  parent: SyntaxNode | undefined,
  visit: (node: SyntaxNode, parent: SyntaxNode | undefined) => void,
): void {
  visit(node, parent);
  for (const child of childrenOf(node)) walk(child, node, visit);
}

function relativeTarget(path: string, node: SyntaxNode): string | undefined {
  if (node.type !== "Literal" || typeof node["value"] !== "string") return undefined;
  if (!/^\.\.?\/\S*\.ts$/.test(node["value"])) return undefined;
  return posix.join(posix.dirname(path), node["value"]);
}

function isImport({ type }: SyntaxNode): boolean {
  return /^(?:Import(?:Declaration|Expression)|Export(?:All|Named)Declaration|TSImportType)$/.test(
    type,
  );
}

function bitProblem(node: SyntaxNode): string | undefined {
  if (!/^(?:Binary|Unary|Assignment)Expression$/.test(node.type)) return undefined;
  const operator = String(node["operator"]);
  // `<=` and `>=` end in "=" too, but what is left of them is no bit operator.
  if (!bitOperators.has(operator) && !bitOperators.has(operator.replace(/=$/, ""))) {
    return undefined;
  }
  return `bit operator ${operator}: only ${bitRooms.join(", ")} handle bits`;
}

/** True where an identifier only names a member, as in `row.Date` or `{ Date: 1 }`. */
function isMemberName(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (parent === undefined || parent["computed"] === true) return false;
  return parent["property"] === node || parent["key"] === node;
}

function isGlobalObject(value: unknown): boolean {
  return isNode(value) && /^(?:globalThis|window|self)$/.test(String(value["name"]));
}

function clockProblem(node: SyntaxNode, parent: SyntaxNode | undefined): string | undefined {
  const name = node.type === "Identifier" ? String(node["name"]) : "";
  if (!clockNames.has(name)) return undefined;
  const isOther = isMemberName(node, parent) && !isGlobalObject(parent?.["object"]);
  if (isOther && name !== "hrtime") return undefined;
  return `${name}: only ${[...clockFiles].join(" and ")} read the clock`;
}

function randomProblem(node: SyntaxNode, parent: SyntaxNode | undefined): string | undefined {
  if (node.type !== "Identifier" || node["name"] !== "Math") return undefined;
  const isOther = isMemberName(node, parent) && !isGlobalObject(parent?.["object"]);
  if (isOther) return undefined;
  const property = parent?.["object"] === node && !parent["computed"] && parent["property"];
  // Anything but a plain `Math.name` could hide the generator, so it is refused as well.
  if (isNode(property) && property["name"] !== "random") return undefined;
  return "Math.random, or Math taken apart: every random choice comes from the seeded generator";
}

function lengthProblem(node: SyntaxNode, lineAt: (offset: number) => number): string | undefined {
  if (!isFunction(node)) return undefined;
  const linesOf = ({ start, end }: SyntaxNode) => lineAt(end) - lineAt(start);
  // A factory's methods have their own limit, so a function is what is left without inner ones.
  const inner = innerFunctions(node).reduce((sum, child) => sum + linesOf(child), 0);
  const lines = linesOf(node) + 1 - inner;
  if (lines <= functionLinesMax) return undefined;
  return `function of ${lines} lines, at most ${functionLinesMax}`;
}

function isFunction({ type }: SyntaxNode): boolean {
  return /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type);
}

function innerFunctions(node: SyntaxNode): SyntaxNode[] {
  return childrenOf(node).flatMap((child) => (isFunction(child) ? [child] : innerFunctions(child)));
}

function directionProblems({ path, references }: SourceFacts): string[] {
  if (rootFiles.has(path)) return [];
  const rule = mayImport.find(([room]) => path.startsWith(room));
  if (rule === undefined) return [`${path}:1: code lives in no room`];
  const [room, allowed] = rule;
  const behindWalls = walls.flatMap(([target, from, instead]) =>
    references.has(target) && !path.startsWith(from)
      ? [`${path}:1: ${room} may not import ${target}: ${instead} has words for it`]
      : [],
  );
  return [...references]
    .filter((target) => !allowed.some((prefix) => target.startsWith(prefix)))
    .map((target) => `${path}:1: ${room} may not import ${target}`)
    .concat(behindWalls);
}

function cycleProblems(facts: readonly SourceFacts[]): string[] {
  const importsOf = new Map(facts.map(({ path, imports }) => [path, imports]));
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const first = trail.indexOf(path);
    if (first >= 0) {
      problems.push(`${path}:1: import cycle: ${[...trail.slice(first), path].join(" -> ")}`);
      return;
    }
    if (done.has(path)) return;
    for (const target of importsOf.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of facts) visit(path, []);
  return problems;
}

function orphanProblems(facts: readonly SourceFacts[], entries: ReadonlySet<string>): string[] {
  const named = new Set(
    facts.flatMap(({ path, references }) => [...references].filter((target) => target !== path)),
  );
  return facts
    .filter(({ path }) => !isTest(path) && !entries.has(path) && !named.has(path))
    .map(({ path }) => `${path}:1: no file imports it`);
}
