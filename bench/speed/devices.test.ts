/** What is timed side by side is the same work. */
import { expect, test } from "vitest";
import { fastMmu } from "../../machine/fast.ts";
import { deviceStreams, measureDevices } from "./devices.ts";

// Seen failing: a buffer of frames that follow each other, which the guest maps by large leaves (19 references nested).
test.each(deviceStreams.map((stream) => [stream]))(
  "device and processor miss and walk alike: %j",
  (stream) => {
    const { device, processor } = measureDevices(stream, 1, fastMmu);
    expect(device.missesPerAccess).toBeCloseTo(processor.missesPerAccess, 3);
    expect(device.referencesPerAccess).toBeCloseTo(processor.referencesPerAccess, 2);
    const cold = stream.scheme === "nested" ? 24 : 4;
    if (stream.preset === "textbook") expect(device.referencesPerAccess).toBe(cold);
    expect(device.nanosecondsPerAccess).toBeGreaterThan(0);
  },
);
