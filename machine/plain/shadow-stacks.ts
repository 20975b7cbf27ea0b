/**
 * Which pages are shadow stacks, in the plain unit.
 *
 * Source: SDM vol. 3A 4.6 "Access Rights", vol. 3C 29.3.3.2 "EPT Violations".
 */
import type { EntryFormat } from "../formats/format.ts";
import type { StackLeaf } from "./tree.ts";

/** By the guest's tables: W in all entries but the leaf, which has D. Ordinary stores set no D without W. */
export function isStackPage({ dirty }: EntryFormat, { rights, above, low }: StackLeaf): boolean {
  return above.write && !rights.write && (low & dirty) !== 0;
}

/** By the nested tables, for the supervisor's: W in all entries but the leaf, which has R and the bit. */
export function mayHoldStack(
  { supervisorStackHigh }: EntryFormat,
  { rights, above, high }: StackLeaf,
): boolean {
  return above.write && rights.read && (high & supervisorStackHigh) !== 0;
}
