/**
 * Devices in a sweep of points: a network card under every scheme for its DMA, small enough to run beside the rest.
 */
import { devicePrograms, dmaSchemeNames } from "./catalogue.ts";
import { type DmaRow, runDma } from "./run-dma.ts";

const program = "nic-ring";
const packets = 1000;

/** A strict guest under every scheme; under a second in all. */
export function smallDeviceSweep(): readonly DmaRow[] {
  return dmaSchemeNames.map((scheme) =>
    runDma({
      scheme,
      program,
      params: { ...devicePrograms[program].defaults, packets },
      flush: "strict",
      backing: "2m",
      preset: "vt-d",
      seed: 1,
      check: false,
    }),
  );
}
