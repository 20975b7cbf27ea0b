/**
 * Text of parts, taken a little apart: what makes one function of many files cost nothing.
 *
 * Three tricks, none of which changes what a program means:
 * - a template (`*.t.ts`, one exported function) stands at each of its calls, so that each call has code of its own;
 * - an inline part (`*.inline.ts`, one exported function) stands as a block in place of each call, since V8 keeps no
 *   register across a call and inlines only so much (2D walk: 9 %, 2M nested 17 %). It may change what it declares
 *   with `declare let`: the caller's variables of that name;
 * - in a function with nested loops, arrays of the closure get local names, which V8 14.6 folds in loops and the
 *   others not (L1 hit 11.4 to 6.8 ns, STLB hit 38 to 30).
 *
 * Texts are as prettier formats them and the type stripper leaves them. A call that cannot be expanded throws.
 */
import { assert } from "../assert.ts";

/** One function, taken apart. */
export interface FunctionText {
  readonly name: string;
  readonly parameters: readonly string[];
  /** Between its braces. */
  readonly body: string;
  /** `function ...` to its closing brace. */
  readonly whole: string;
}

/** The exported function of a template or an inline part. */
export function onlyFunction(text: string): FunctionText {
  const found = /^function (\w+)\(/m.exec(text);
  assert(found !== null, "unit: a template without a function");
  return functionNamed(text, found[1]!);
}

function functionNamed(text: string, name: string): FunctionText {
  const at = text.indexOf(`function ${name}(`);
  const end = text.indexOf("\n}", at);
  assert(at >= 0 && end >= 0, () => `unit: no function ${name}`);
  const whole = text.slice(at, end + 2);
  const open = whole.indexOf("(");
  const close = closing(whole, open);
  const start = whole.indexOf("{\n", close);
  const parameters = splitList(whole.slice(open + 1, close));
  return { name, parameters, body: whole.slice(start + 2, -2), whole };
}

/** Index of the bracket that closes the one at `open`. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if ("([{".includes(text[at]!)) depth += 1;
    if (")]}".includes(text[at]!)) depth -= 1;
    if (depth === 0) return at;
  }
  throw new Error("bug: unit: a bracket is never closed");
}

/** Parts of a list between commas that stand in no bracket. */
function splitList(list: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let depth = 0;
  for (let at = 0; at <= list.length; at++) {
    if ("([{".includes(list[at] ?? " ")) depth += 1;
    if (")]}".includes(list[at] ?? " ")) depth -= 1;
    if ((at === list.length || list[at] === ",") && depth === 0) {
      parts.push(list.slice(from, at).trim());
      from = at + 1;
    }
  }
  return parts.filter((part) => part !== "");
}

/** Every call of a template becomes a call of a function that stands there. */
export function placeTemplates(text: string, templates: readonly FunctionText[]): string {
  let placed = text;
  for (const { name, whole } of templates) {
    placed = placed.replaceAll(
      new RegExp(`(?<!function )\\b${name}(?=\\()`, "g"),
      () => `(${whole})`,
    );
  }
  return placed;
}

/** Every call of an inline part becomes a block, those in inline parts too. */
export function placeInline(text: string, inlines: readonly FunctionText[]): string {
  let placed = text;
  let serial = 0;
  for (const inline of inlines) {
    const call = new RegExp(
      `^( *)(?:(const|let) )?(?:(\\w+) = )?${inline.name}\\(([^;]*?)\\);$`,
      "gm",
    );
    placed = placed.replaceAll(
      call,
      (_, indent: string, kind: string | undefined, target: string | undefined, list: string) => {
        serial += 1;
        const declared = kind === undefined ? "" : `${indent}let ${target ?? ""};\n`;
        return (
          declared + blockOf(inline, `${inline.name}${serial}`, target, splitList(list), indent)
        );
      },
    );
    const left = new RegExp(`\\b${inline.name}\\(`).exec(placed);
    assert(left === null, () => `unit: a call of ${inline.name} that is no statement of its own`);
  }
  return placed;
}

function blockOf(
  { name, parameters, body }: FunctionText,
  label: string,
  target: string | undefined,
  given: readonly string[],
  indent: string,
): string {
  assert(given.length === parameters.length, () => `unit: ${name} takes ${parameters.join(", ")}`);
  // A parameter named like what is given for it is that variable; other names must not hide what is given.
  const bound = parameters.flatMap((parameter, i) => {
    const value = given[i]!;
    if (value === parameter) return [];
    const hidden = parameters.find((other) => new RegExp(`\\b${other}\\b`).test(value));
    assert(hidden === undefined, () => `unit: ${name}: ${value} means another ${hidden}`);
    return [`const ${parameter} = ${value};`];
  });
  const left = body.replaceAll(
    /^( *)return(?: ([^;]*))?;$/gm,
    (_, inner: string, value?: string) => {
      const set = value === undefined || target === undefined ? "" : `${target} = ${value}; `;
      return `${inner}{ ${set}break ${label}; }`;
    },
  );
  const held = left.replaceAll(
    /^( *)(if \(.*\)) return(?: ([^;]*))?;$/gm,
    (_, inner: string, test: string, value?: string) => {
      const set = value === undefined || target === undefined ? "" : `${target} = ${value}; `;
      return `${inner}${test} { ${set}break ${label}; }`;
    },
  );
  assert(
    !/\breturn\b/.test(held.replaceAll(/\/\/.*|\/\*[^]*?\*\//g, "")),
    () => `unit: ${name}: a return that is no statement`,
  );
  return `${indent}${label}: {\n${bound.map((line) => `${indent}${line}\n`).join("")}${held}\n${indent}}`;
}

/** Gives what the function `name` uses of `names` a local name. */
export function nameLocally(text: string, name: string, names: ReadonlySet<string>): string {
  const { whole, body } = functionNamed(text, name);
  const used = new Set<string>();
  const renamed = body.replaceAll(/(?<![.\w$])[A-Za-z_]\w*/g, (word) => {
    if (!names.has(word)) return word;
    used.add(word);
    return `${word}$`;
  });
  const locals = [...used].map((word) => `const ${word}$ = ${word};`).join("\n");
  return text.replace(whole, () => whole.replace(body, () => `${locals}\n${renamed}`));
}
