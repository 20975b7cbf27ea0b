/**
 * What every engine is: a function from a machine to its hypervisor.
 */
import type { Pfn, Vpn } from "../machine/address.ts";
import type { Hypervisor } from "../machine/hypervisor.ts";
import type { Machine } from "../machine/machine.ts";

export interface EngineFactory {
  (machine: Machine): Hypervisor;
  /** What it is, in a line, where engines are listed. */
  readonly title?: string;
}

export function titled(title: string, create: (machine: Machine) => Hypervisor): EngineFactory {
  return Object.assign((machine: Machine) => create(machine), { title });
}

/** What a shadow engine shows to people: the frame that its tables give for a page, or null. */
export interface ShadowInspect {
  shadowEntry(vpn: Vpn): Pfn | null;
}
