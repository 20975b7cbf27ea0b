/**
 * What version 4 says beside a guest's ops: accesses that the recorder left out, and exits that memory has no part in.
 */
import type { Ledger } from "../../machine/counters.ts";
import { otherExits, type RareOp } from "./ops.ts";
import type { Tokens } from "./tokens.ts";

/** 2^48: more than anybody records. */
const countMax = 2 ** 48;

/** Reads `e CAUSE` and `n ACCESSES INSTRUCTIONS`; null for a line of another name. */
export function readNewest(tokens: Tokens, name: string): RareOp | null {
  if (name === "e") {
    tokens.exactly(2);
    const cause = otherExits.find((one) => one === tokens.word(1));
    if (cause !== undefined) return { op: "other-exit", cause };
    return tokens.fail("exit", tokens.word(1), otherExits.join(" "));
  }
  if (name !== "n") return null;
  tokens.exactly(3);
  const accesses = tokens.small(1, "accesses", [0, countMax]);
  return { op: "skipped", accesses, instructions: tokens.small(2, "instructions", [0, countMax]) };
}

/** The same from a comment, as a recorder wrote it before there was a line for it; null for any other comment. */
export function skippedIn(comment: string): RareOp | null {
  const said = /^# loads and stores not listed: (\d+), instructions: (\d+)\s*$/.exec(comment);
  if (said === null) return null;
  return { op: "skipped", accesses: Number(said[1]), instructions: Number(said[2]) };
}

/** Accesses that the recorder left out because nothing could have changed their translation: hits of the first TLB. */
export function countSkipped(
  { ledger }: { readonly ledger: Ledger },
  { accesses, instructions }: { readonly accesses: number; readonly instructions: number },
): void {
  ledger.accesses += accesses;
  ledger.l1Hits += accesses;
  ledger.computeOps += instructions;
}
