/** The registry of device programs: a new one is its file and a line here. */
import type { DeviceProgram } from "./device-program.ts";
import { nicRing } from "./nic-ring.ts";
import { nvmeQueue } from "./nvme-queue.ts";
import { streamReader } from "./stream-reader.ts";

export const devicePrograms = {
  "nic-ring": nicRing,
  "nvme-queue": nvmeQueue,
  "stream-reader": streamReader,
} as const satisfies Record<string, DeviceProgram>;

export type DeviceProgramName = keyof typeof devicePrograms;
