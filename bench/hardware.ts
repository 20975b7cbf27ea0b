/**
 * The hardware that points run on: per thread and processor one memory and one translation unit, kept and reset.
 *
 * V8 folds a unit's arrays into its code as long as the factory has run once in its module instance, so every
 * unit gets an instance of its own (a query string makes one). Compiling it costs more than most points, so
 * points of one processor share it: nothing of an earlier point is left after `reset`.
 */
import { fastMmu, type ResettableMmu } from "../machine/fast.ts";
import type { MachineOptions } from "../machine/machine.ts";
import { PhysicalMemory } from "../machine/memory.ts";
import type { Preset } from "../machine/presets.ts";
import { codeUrl } from "./code-url.ts";

/** What a machine is built from. */
export type Hardware = Required<Pick<MachineOptions, "mmu" | "memory">>;

/** Room for guests up to 16 GiB; typed arrays are committed as they are touched, so it costs nothing. */
const roomFrames = 2 ** 23;

const kept = new Map<string, Promise<Hardware>>();
let instances = 0;

/** The thread's hardware for a processor. One machine at a time may use it. */
export function hardwareFor(preset: Preset): Promise<Hardware> {
  const name = JSON.stringify(preset);
  const known = kept.get(name);
  if (known !== undefined) return known;
  const made = makeHardware(preset);
  kept.set(name, made);
  return made;
}

/** A factory of translation units whose code nobody shares: for one unit. */
export async function ownMmu(): Promise<typeof fastMmu> {
  instances += 1;
  const { href } = codeUrl(new URL(`../machine/fast.ts?i=${instances}`, import.meta.url));
  const copy = (await import(href)) as { fastMmu: typeof fastMmu };
  return copy.fastMmu;
}

async function makeHardware(preset: Preset): Promise<Hardware> {
  const factory = await ownMmu();
  const room = new PhysicalMemory({ guestFrames: roomFrames / 2, tableFrames: roomFrames / 2 });
  let unit: ResettableMmu | null = null;
  let isFree = false;
  return {
    memory(size) {
      // A larger guest than anybody runs here gets memory of its own, and shared code.
      if (!room.holds(size)) return new PhysicalMemory(size);
      room.reset(size);
      isFree = true;
      return room;
    },
    mmu(memory) {
      // So do the further vCPUs of a machine.
      if (memory !== room || !isFree) return fastMmu(memory, preset);
      isFree = false;
      if (unit === null) unit = factory(room, preset);
      else unit.reset();
      return unit;
    },
  };
}
