import {
  frameOf,
  marksOf,
  userLink,
  userPage,
  withoutMarks,
} from "../../../machine/formats/x86-entry.ts";
import type { GuestFrames } from "../../../viommu/guest-frames.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const accessedDirty: DmaScenario = {
  title:
    "A and D bits: silicon sets them in the guest's first-level tables, through the second level",
  run(see) {
    const { machine, device, api } = smallMachine("nested");
    const page = api.map([{ frame: 4096, pages: 1 }], "read-write")[0]?.page ?? 0;
    const { guest } = machine;
    const { frame, index } = leafOf(guest, page);
    // Linux presets them; a guest that does not sees what the device does.
    guest.write(
      frame,
      index,
      withoutMarks(guest.readLow(frame, index)),
      guest.readHigh(frame, index),
    );
    const marks = () => marksOf(guest.readLow(frame, index));
    machine.access(device, page, "read");
    see("after a read, A is set and D is not", marks() === marksOf(userLink));
    machine.access(device, page, "write");
    see("after a write, both are", marks() === marksOf(userPage));
  },
};

/** The only table whose entry there names the frame. */
function leafOf(guest: GuestFrames, page: number) {
  const index = page % 512;
  for (let frame = 1; frame < 1024; frame++) {
    const high = guest.readHigh(frame, index);
    if (frameOf(guest.readLow(frame, index), high) === 4096) return { frame, index };
  }
  throw new Error("bug: no leaf");
}
