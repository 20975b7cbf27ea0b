/**
 * The kinds of exercise: exits of an op list, references of a walk, exits of a full log buffer.
 */
import { pageSizeWords } from "../../machine/address.ts";
import type { Prng } from "../../guest/prng.ts";
import type { Ledger } from "../../machine/counters.ts";
import { levelPairNames, levelsOf } from "../../bench/points/levels.ts";
import { exitCauses } from "../../bench/results/result.ts";
import { showWalk } from "../../bench/points/show-walk.ts";
import { type Exercise, oneOf } from "./exercise.ts";
import { entryAddress, entryValue, guestHeader, runOps } from "./run-ops.ts";

export const exerciseKinds = [exits, references, pml] as const;

type PageSize = "4k" | "2m";

const pagesUsed = 4;
const firstPage = 0x10;

/** How many VM exits does this op list take? */
function exits(prng: Prng): Exercise {
  const engine = oneOf(prng, ["shadow", "shadow-vtlb", "ept", "native"]);
  const pages = Array.from({ length: pagesUsed }, (_, index) => firstPage + index);
  // The page of the entries as well, or its own first touch would be counted.
  const before = [...pages.map((page) => `w ${gva(page)}`), `r ${entryAddress(firstPage)}`];
  const lines = opList(prng, 6 + prng.below(5));
  const ledger = runOps({ engine, before, ops: lines.map(({ op }) => op) });
  return {
    question: [
      `How many VM exits does the second block take under \`${engine}\`? There are no caches (preset textbook).`,
      "Tables map 12 MiB one to one; the entry of page n lies at GVA 203000 + 8n. All numbers are hexadecimal.",
      ...indented([...guestHeader, ...before, "p before"]),
      ...indented([...lines.map(({ op, note }) => `${op.padEnd(22)}# ${note}`), "p counted"]),
    ].join("\n"),
    answer: ledger.exits,
    counted: exitsText(ledger),
  };
}

interface OpLine {
  readonly op: string;
  readonly note: string;
}

/** Stores to entries, flushes and accesses that a careful kernel could have executed: none of them faults. */
function opList(prng: Prng, length: number): OpLine[] {
  const readOnly = new Set<number>();
  return Array.from({ length }, (): OpLine => {
    const page = firstPage + prng.below(pagesUsed);
    const name = `page ${page.toString(16)}`;
    const kind = prng.below(5);
    if (kind < 2) {
      const access = readOnly.has(page) ? "writable" : "read-only";
      if (access === "writable") readOnly.delete(page);
      else readOnly.add(page);
      const op = `s ${entryAddress(page)} ${entryValue(page, access)}`;
      return { op, note: `the entry of ${name}: now ${access}` };
    }
    if (kind === 2) return { op: `i ${gva(page)}`, note: `INVLPG of ${name}` };
    if (kind === 3) return { op: "c 200000", note: "load CR3 with the same root" };
    return { op: `r ${gva(page)}`, note: `read ${name}` };
  });
}

/** How many references does this walk take? */
function references(prng: Prng): Exercise {
  const pair = oneOf(prng, [levelPairNames[0] ?? "4-on-4", ...levelPairNames.slice(1)]);
  const engine = oneOf(prng, ["ept", "npt", "shadow", "native", "ept", "npt"]);
  const pages = oneOf<PageSize>(prng, ["4k", "2m"]);
  const backing = oneOf<PageSize>(prng, ["4k", "2m"]);
  const request = { engine, pages, backing, preset: "textbook", gva: "0x40000000" };
  const { steps } = showWalk({ ...request, ...levelsOf(pair) });
  const guest = steps.filter(({ dimension }) => dimension === "guest").length;
  return {
    question: [
      `How many references does a walk take under \`${engine}\` without any cache?`,
      `Levels ${pair} (guest on nested), guest pages of ${pageSizeWords[pages]}, host pages of ${pageSizeWords[backing]}.`,
    ].join("\n"),
    answer: steps.length,
    counted: `${guest} in the tables that the guest dimension walks, ${steps.length - guest} nested`,
  };
}

const loggedFirst = 0x400;
const loggedMost = 0x800;

/** How often does the buffer of page-modification logging overflow? */
function pml(prng: Prng): Exercise {
  const written = 300 + prng.below(loggedMost - 300);
  const rounds = 1 + prng.below(3);
  const pages = Array.from({ length: written }, (_, index) => `w ${gva(loggedFirst + index)}`);
  const log = `h dirty-log-on ${gva(loggedFirst)} ${(loggedMost * 4096).toString(16)}`;
  const before = [...pages, log];
  const ops = Array.from({ length: rounds }, () => pages).flat();
  const ledger = runOps({ engine: "ept-pml", before, ops });
  return {
    question: [
      "Under `ept-pml` a guest has written all its pages once; then the hypervisor turns dirty logging on.",
      `Now the guest writes ${written} different pages (decimal), one after the other, ${rounds} times over.`,
      "How many VM exits say that the log buffer is full? No other exit happens meanwhile.",
    ].join("\n"),
    answer: ledger.exitsPmlFull,
    counted: `${ledger.pmlAppends} entries appended; ${exitsText(ledger)}`,
  };
}

function gva(page: number): string {
  return (page * 4096).toString(16);
}

function indented(lines: readonly string[]): string[] {
  return ["", ...lines.map((line) => `    ${line}`)];
}

function exitsText(ledger: Ledger): string {
  const parts = exitCauses
    .map((cause) => [cause, ledger[`exits${cause}`]] as const)
    .filter(([, count]) => count > 0)
    .map(([cause, count]) => `${count} ${cause}`);
  return parts.length === 0 ? "no exits" : `exits: ${parts.join(", ")}`;
}
