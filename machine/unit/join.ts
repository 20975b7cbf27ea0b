/**
 * The parts of the fast unit as the text of one function.
 *
 * Nothing is generated but what stands in them: parts are joined in the order in which they import one another, imports
 * and `export` dropped, constants of modules outside this folder become the function's; `expand.ts` says what else.
 */
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { assert } from "../assert.ts";
import {
  type FunctionText,
  nameLocally,
  onlyFunction,
  placeInline,
  placeTemplates,
} from "./expand.ts";
import { outside } from "./outside.ts";

/** Functions with nested loops, and those that run most. */
const loops = ["run", "nested", "findPwc", "lookAhead", "findL1"];

/** Of the parts' own texts only this is taken apart; everything else the type stripper and V8 read. */
const importStatement = /^import (type )?\{([^}]*)\} from "([^"]+)";\n/gm;
const exported = /^export (?=(?:const|function|let) )/gm;

interface Joined {
  /** Texts of parts, those that others need first. */
  readonly parts: string[];
  /** Names from outside. */
  readonly names: Set<string>;
  readonly templates: FunctionText[];
  /** Those that others call last. */
  readonly inlines: FunctionText[];
}

/** The body of a function of (given, imported) that returns a unit. */
export function unitText(): string {
  return join("./unit.ts");
}

function join(root: string): string {
  const into: Joined = { parts: [], names: new Set(), templates: [], inlines: [] };
  add(root, into, new Set());
  const constants = [...into.names].map((name) => {
    const value = outside[name];
    assert(value !== undefined, () => `unit: ${name} comes from a module that is not given`);
    return `const ${name} = ${typeof value === "number" ? value : `imported.${name}`};`;
  });
  const joinedText = [...constants, ...into.parts].join("\n");
  const expanded = placeInline(
    placeTemplates(joinedText, into.templates),
    into.inlines.toReversed(),
  );
  const names = constantsOf(expanded);
  const named = loops.reduce((text, name) => nameLocally(text, name, names), expanded);
  return `"use strict";\n${named}\nreturn mmu;`;
}

/** Names that the closure itself declares, but for its functions. */
function constantsOf(text: string): Set<string> {
  const plain = [...text.matchAll(/^const (\w+) = /gm)].map(([, name]) => name!);
  const taken = [...text.matchAll(/^const \{([^}]*)\} = /gm)].flatMap(([, list]) =>
    list!.split(",").map((name) => name.replace(/^.*:/s, "").trim()),
  );
  return new Set([...plain, ...taken].filter((name) => name !== ""));
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
  if (/\.t\.[jt]s$/.test(part)) into.templates.push(onlyFunction(bare));
  else if (/\.inline\.[jt]s$/.test(part)) into.inlines.push(onlyFunction(bare));
  else into.parts.push(bare);
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
