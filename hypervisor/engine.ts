/**
 * What every engine is: a name in words, a family, and how one is made for a platform.
 */
import type { Pfn, Vpn } from "../machine/address.ts";
import type { Isa } from "../machine/isa/isa.ts";
import type { DirtyLogOptions } from "./dirty/dirty-log-options.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Platform } from "./platform.ts";
import type { MemoryPolicy } from "./policy/memory-policy.ts";

/** What a user may ask of an engine; what is absent, its own policy decides. */
export interface EngineOptions {
  /** Shadow pages that the hypervisor may keep. */
  readonly shadowPagesMax?: number;
  /** How dirty logging works. KVM's engines keep their own rules. */
  readonly dirtyLog?: Partial<DirtyLogOptions>;
  /** Rules that it enforces on the guest's memory, if it can enforce any; absent: none, ever. */
  readonly policy?: MemoryPolicy;
}

export type CreateEngine = (platform: Platform, options?: EngineOptions) => Hypervisor;

export interface Engine {
  /** What it is, in a line, where engines are listed. */
  readonly title: string;
  /** What silicon walks: the guest's own tables, a shadow of them, or those and nested ones. */
  readonly family: "bare" | "shadow" | "nested";
  /** Needs it no virtualization hardware? Absent: it does. */
  readonly withoutHardware?: boolean;
  /** Can its tables follow a node plan, by copies or by moves? Absent: they stay where they were made. */
  readonly placesTables?: true;
  /** Whose entries the tables of its guests have; absent: x86-64's. */
  readonly isa?: Isa;
  readonly create: CreateEngine;
}

/** What a shadow engine shows to people: the frame that its tables give for a page, or null. */
export interface ShadowInspect {
  shadowEntry(vpn: Vpn): Pfn | null;
}
