/** What a user can name: schemes for a guest's DMA, device programs with their parameters, IOMMUs. */
import { ConfigError, pick } from "../../bench/input/config-error.ts";
import { type ParamValues, readParams } from "../../bench/points/params.ts";
import { iommuPresets } from "../../machine/iommu/presets.ts";
import { dmaSchemes, type DmaSchemeName } from "../../viommu/index.ts";
import type { DeviceProgram } from "../../workloads/devices/device-program.ts";
import { devicePrograms, type DeviceProgramName } from "../../workloads/devices/index.ts";

export { devicePrograms, type DeviceProgramName, dmaSchemes, type DmaSchemeName };

export const dmaSchemeNames = Object.keys(dmaSchemes) as DmaSchemeName[];
export const deviceProgramNames = Object.keys(devicePrograms) as DeviceProgramName[];
export type IommuPresetName = keyof typeof iommuPresets;
export const iommuPresetNames = Object.keys(iommuPresets) as IommuPresetName[];

/** IO pages lie below 4 GiB: half of them, with room for what is aligned. */
const bufferPagesMax = 2 ** 19;

/** Reads `name=value` words for a device program, defaults for the rest. */
export function readDeviceParams(name: DeviceProgramName, words: readonly string[]): ParamValues {
  const program: DeviceProgram = pick(devicePrograms, name, "workload");
  const params = readParams({ defaults: program.defaults, guestFrames: () => 0 }, words);
  const pages = program.bufferPages(params);
  if (pages > bufferPagesMax) {
    throw new ConfigError(`--param: ${pages} pages of buffers: must be at most ${bufferPagesMax}`);
  }
  return params;
}
