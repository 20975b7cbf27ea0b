/**
 * What the oracle says when silicon or a hypervisor was wrong: enough to act on without a debugger.
 */
import { hexGva, type Vpn } from "../../machine/address.ts";
import { FETCH, STORE, USER } from "../../machine/mmu.ts";
import {
  allows,
  isMarked,
  type LegalWalks,
  type Outcome,
  type Query,
  tableIndex,
} from "./legal-walks.ts";

/** A translation, a fault, a bit or a version that the architecture does not allow. Always our bug. */
export class OracleMismatch extends Error {
  override readonly name = "OracleMismatch";
}

/** `user store`, `supervisor fetch`, ... */
function describeKind(high: number): string {
  const mode = (high & USER) !== 0 ? "user" : "supervisor";
  if ((high & STORE) !== 0) return `${mode} store`;
  return (high & FETCH) !== 0 ? `${mode} fetch` : `${mode} load`;
}

/** One line per level of the guest's tables as they are now, root first. */
export function describeWalk(walks: LegalWalks, { cr3, registers, vpn }: Query): string {
  const lines: string[] = [];
  let table: number = cr3.root;
  for (let level: number = registers.levels; level >= 1; level--) {
    const index = tableIndex(vpn, level);
    const { low, high } = walks.entry(table, index);
    const value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    lines.push(`  level ${level}: gfn ${hex(table)} entry ${index} = ${value.toString(16)}`);
    if ((low & 1) === 0 || (level > 1 && (low & 0x80) !== 0)) break;
    table = ((low >>> 12) | (high << 20)) >>> 0;
  }
  return lines.join("\n");
}

/** The distinct legal outcomes in words, at most eight. */
export function describeLegal(walks: LegalWalks, query: Query): string {
  const texts = new Set<string>();
  for (const outcome of walks.outcomes(query)) {
    texts.add(describeOutcome(outcome, query));
    if (texts.size === 8) break;
  }
  return texts.size === 0 ? "nothing" : [...texts].join("; ");
}

function describeOutcome(outcome: Outcome, query: Query): string {
  if (outcome.kind === "broken")
    return outcome.reserved ? "#PF (reserved bit)" : "#PF (not present)";
  if (!allows(outcome, query)) return `#PF (protection; gfn ${hex(outcome.gfn)})`;
  const unmarked = isMarked(outcome, query.high) ? "" : " once its A and D bits are set";
  return `gfn ${hex(outcome.gfn)}${unmarked}`;
}

export function describeAccess({ vpn, high, cr3, registers }: Query): string {
  const gva = hexGva(vpn as Vpn, 0, registers.levels);
  return `${describeKind(high)} at GVA ${gva} (vpn ${hex(vpn)}), PCID ${cr3.pcid}`;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
