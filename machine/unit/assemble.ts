/**
 * Joins the parts of the fast unit into the text of one function, and makes functions of it.
 *
 * V8 folds a closure's arrays and constants into its code as long as the function around it has run once: code that
 * two units share is three times slower and more (L1 hit 6.6 to 25.7 ns, 2D walk 139 to 453). So every unit gets a
 * function with a text of its own, which is collected with it. The parts are ordinary modules: typed, linted, searched.
 * Nothing is generated but what stands in them:
 * - parts are joined in the order in which they import one another, imports and `export` dropped;
 * - constants of modules outside this folder become constants of the function;
 * - a template (`*.t.ts`, one exported function) is written out at each of its calls, so that each call has code of
 *   its own, for the same reason.
 */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { walkLengthMax } from "../counters.ts";
import { createDataCache } from "../data-cache.ts";
import * as entry from "../entry.ts";
import { type PhysicalMemory, slotShift } from "../memory.ts";
import * as mmu from "../mmu.ts";
import type { Preset } from "../presets.ts";

/** What parts import from outside. */
const outside: Readonly<Record<string, unknown>> = {
  ...entry,
  ...mmu,
  createDataCache,
  slotShift,
  walkLengthMax,
};

/** Of the parts' own texts only this is taken apart; everything else the type stripper and V8 read. */
const importStatement = /^import (type )?\{([^}]*)\} from "([^"]+)";\n/gm;
const exported = /^export (?=(?:const|function|let) )/gm;

interface Joined {
  /** Texts of parts, those that others need first. */
  readonly parts: string[];
  /** Names from outside. */
  readonly names: Set<string>;
  readonly templates: Map<string, string>;
}

/** Makes a unit for a memory and a processor. */
export type UnitFactory = (memory: PhysicalMemory, preset: Preset) => mmu.ResettableMmu;

let joined: string | undefined;
let compiled = 0;

/** The body of a function of (memory, preset, given) that returns a unit. */
export function unitText(): string {
  joined ??= join("./unit.ts");
  return joined;
}

/** The factory of one unit, with code that no other unit runs. */
export function compileUnit(): UnitFactory {
  compiled += 1;
  // Functions of the same text would share their code.
  const text = `${unitText()}\n// ${compiled}\n//# sourceURL=machine/unit/${compiled}`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is that of the files beside this one
  const create = new Function("memory", "preset", "given", text) as (
    ...of: [...Parameters<UnitFactory>, typeof outside]
  ) => mmu.ResettableMmu;
  return (memory, preset) => create(memory, preset, outside);
}

function join(root: string): string {
  const into: Joined = { parts: [], names: new Set(), templates: new Map() };
  add(root, into, new Set());
  const given = [...into.names].map((name) => {
    const value = outside[name];
    return `const ${name} = ${typeof value === "number" ? value : `given.${name}`};`;
  });
  let text = into.parts.join("\n");
  for (const [name, template] of into.templates) {
    text = text.replaceAll(
      new RegExp(`(?<!function )\\b${name}(?=\\()`, "g"),
      () => `(${template})`,
    );
  }
  return `"use strict";\n${given.join("\n")}\n${text}\nreturn mmu;`;
}

/** Adds a part behind those that it imports. */
function add(part: string, into: Joined, seen: Set<string>): void {
  if (seen.has(part)) return;
  seen.add(part);
  const text = readPart(part);
  for (const [, isType, names, from] of text.matchAll(importStatement)) {
    if (isType !== undefined) continue;
    if (from!.startsWith("./")) add(from!, into, seen);
    else for (const name of valueNames(names!)) into.names.add(name);
  }
  const bare = text.replaceAll(importStatement, "").replaceAll(exported, "");
  if (/\.t\.[jt]s$/.test(part)) {
    const at = bare.indexOf("function ");
    into.templates.set(/function (\w+)/.exec(bare)![1]!, bare.slice(at).trimEnd());
  } else {
    into.parts.push(bare);
  }
}

function valueNames(list: string): string[] {
  const names = list.split(",").map((name) => name.trim());
  return names.filter((name) => name !== "" && !name.startsWith("type "));
}

/** In a packed copy parts are JavaScript already. */
function readPart(part: string): string {
  const isTyped = import.meta.url.endsWith(".ts");
  const file = isTyped ? part : part.replace(/\.ts$/, ".js");
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  return isTyped ? withoutTypes(text) : text;
}

/** As Node does it for every file that it loads, silently then; this call says once that it is experimental. */
function withoutTypes(text: string): string {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
