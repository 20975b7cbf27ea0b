/**
 * INVPCID: what each of its types drops, and how far it reaches.
 *
 * Source: SDM vol. 2A, INVPCID.
 */
import type { Vpn } from "./address.ts";
import { GeneralProtection } from "./general-protection.ts";
import type { Registers } from "./registers.ts";
import type { InvpcidType } from "./exits.ts";
import type { Mmu } from "./mmu.ts";
import type { Invalidation } from "./observer.ts";

interface Descriptor {
  readonly pcid: number;
  readonly vpn: Vpn;
}

export function invalidateBy(mmu: Mmu, type: InvpcidType, { pcid, vpn }: Descriptor): void {
  if (type === "address") mmu.invalidatePageOf(vpn, pcid);
  else if (type === "context") mmu.flushContext(pcid);
  else if (type === "all") mmu.flushNonGlobal();
  else mmu.flushLinear();
}

export function invpcidScope(type: InvpcidType, { pcid, vpn }: Descriptor): Invalidation {
  if (type === "address") return { kind: "page", vpn, pcid, globals: false };
  if (type === "context") return { kind: "context", pcid };
  return { kind: "all", globals: type === "all-with-globals" };
}

/** Throws `GeneralProtection` where silicon raises it. */
export function checkInvpcid(type: InvpcidType, pcid: number, registers: Registers): void {
  const isScoped = type === "address" || type === "context";
  if (!isScoped || pcid === 0 || registers.pcid) return;
  throw new GeneralProtection("INVPCID", "PCID 0 while CR4.PCIDE is clear (#GP on silicon)");
}
