import type { PhysicalMemory } from "../memory.ts";
import type { Preset } from "../presets.ts";

/** What a unit is assembled for: the memory it translates in, and the processor that it is part of. */
export declare const memory: PhysicalMemory;
export declare const preset: Preset;
export const { words, slotOf, next, pfnOfSlot } = memory;
