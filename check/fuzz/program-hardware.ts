/**
 * The hardware that programs run on: per thread one memory, per processor a few translation units, made once and
 * reset for each program. Making them anew took a third of a fuzzer's time.
 *
 * Every frame of the memory may hold bytes. So no program is too large for it, whatever its host keeps, shares and
 * swaps: running out of slots would be this harness's failure, reported as an engine's.
 */
import { assert } from "../../machine/assert.ts";
import { ownMmu } from "../../machine/fast.ts";
import { type MemorySize, PhysicalMemory } from "../../machine/memory.ts";
import type { ResettableMmu } from "../../machine/mmu.ts";
import type { Preset } from "../../machine/presets.ts";
import type { Hardware } from "../../machine/hardware.ts";
import { memoryFrames } from "./guest-image.ts";

/** A guest and its clone. */
const guestsMax = 2;
/** What a machine sets apart for its hypervisor's tables and for pages that left their place. */
const tableFrames = 65_536;

const roomSize: MemorySize = {
  guestFrames: guestsMax * memoryFrames,
  tableFrames: guestsMax * tableFrames,
  slotsMax: 1 + guestsMax * (memoryFrames + tableFrames),
};

let kept: Hardware | null = null;

/** The thread's hardware. One machine at a time may use it, or one guest and its clone. */
export function programHardware(): Hardware {
  kept ??= makeHardware();
  return kept;
}

function makeHardware(): Hardware {
  const room = new PhysicalMemory(roomSize);
  const units = new Map<Preset, ResettableMmu[]>();
  /** How many units of the processor the machine of now has. */
  let inUse = 0;
  return {
    memory(size) {
      assert(room.holds(size), () => `fuzz: ${size.guestFrames} guest frames are too many`);
      room.reset(size);
      inUse = 0;
      return room;
    },
    mmu(memory, preset) {
      assert(memory === room, "fuzz: a unit for another memory");
      const ofPreset = units.get(preset) ?? [];
      units.set(preset, ofPreset);
      const known = ofPreset[inUse];
      inUse += 1;
      if (known !== undefined) {
        known.reset();
        return known;
      }
      const made = ownMmu(room, preset);
      ofPreset.push(made);
      return made;
    },
  };
}
