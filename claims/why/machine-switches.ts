/**
 * Translation hardware that an experiment takes away from a processor, or gives it without limit.
 */
import type { NodePlan } from "../../machine/nodes.ts";
import type { Geometry, Preset } from "../../machine/presets.ts";

export type MachineSwitch = keyof typeof switches;

/** Large enough for every program here; larger only costs time, for each flush empties all of it. */
const unlimited: Geometry = { sets: 512, ways: 16 };
const off = { 2: null, 3: null, 4: null, 5: null } as const;
const all = { 2: unlimited, 3: unlimited, 4: unlimited, 5: unlimited } as const;

const switches = {
  "no VPID": (preset: Preset): Preset => ({ ...preset, vpid: false }),
  "no PCID": (preset: Preset): Preset => ({ ...preset, pcid: false }),
  "no walk caches": (preset: Preset): Preset => ({ ...preset, pwc: off, nestedPwc: off }),
  "no nested TLB": (preset: Preset): Preset => ({ ...preset, nestedTlb: null }),
  "two nodes": (preset: Preset): Preset => placed(preset, {}),
  "guest tables far": (preset: Preset): Preset => placed(preset, { guestTables: "remote" }),
  "host tables far": (preset: Preset): Preset => placed(preset, { hypervisorTables: "remote" }),
  "tables moved": (preset: Preset): Preset =>
    placed(preset, { guestTables: "migrated", hypervisorTables: "migrated" }),
  "tables copied": (preset: Preset): Preset =>
    placed(preset, { guestTables: "replicated", hypervisorTables: "replicated" }),
  "unlimited walk caches": (preset: Preset): Preset => ({
    ...preset,
    pwc: all,
    nestedPwc: all,
    nestedTlb: unlimited,
  }),
} as const;

/** On two nodes, tables where they are made unless something else is said of them. */
function placed(preset: Preset, change: Partial<NodePlan>): Preset {
  const near = {
    count: 2,
    isShown: true,
    guestTables: "local",
    hypervisorTables: "local",
  } as const;
  return { ...preset, nodes: { ...(preset.nodes ?? near), ...change } };
}

export function switchedPreset(preset: Preset, changes: readonly MachineSwitch[]): Preset {
  return changes.reduce((changed, name) => switches[name](changed), preset);
}

/** `skylake-sp, no VPID, no PCID`: what results call the machine. */
export function switchedName(preset: string, changes: readonly MachineSwitch[]): string {
  return [preset, ...changes].join(", ");
}
