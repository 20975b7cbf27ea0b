/**
 * What-if machines: a sweep may change structures of a preset and give the result a name.
 *
 * Sizes are written as data sheets have them, entries and ways, and must make a power of two sets, for that
 * is how silicon picks a set. `null` switches a structure off.
 */
import { z } from "zod";
import { tablePolicies } from "../../machine/nodes.ts";
import type { Geometry, Preset } from "../../machine/presets.ts";

const size = z
  .int()
  .min(1)
  .max(2 ** 20);

const geometry = z
  .strictObject({ entries: size, ways: size })
  .superRefine(({ entries, ways }, context) => {
    const sets = entries / ways;
    const complain = (message: string) =>
      context.addIssue({ code: "custom", path: ["entries"], message });
    if (!Number.isInteger(sets)) complain(`must be a multiple of ways (${ways})`);
    else if (!isPowerOfTwo(sets)) complain(`must be ways (${ways}) times a power of two`);
  })
  .nullable()
  .optional();

const byLevel = z.strictObject({ 2: geometry, 3: geometry, 4: geometry, 5: geometry }).optional();

export const machineSchema = z.strictObject({
  /** The preset that everything not named here comes from; it prices the machine as well. */
  like: z.string(),
  l1Data: z.strictObject({ "4k": geometry, "2m": geometry, "1g": geometry }).optional(),
  l1Code: z.strictObject({ "4k": geometry, "2m": geometry }).optional(),
  stlb: geometry,
  stlb2m: z.boolean().optional(),
  stlb1g: geometry,
  pwc: byLevel,
  nestedPwc: byLevel,
  nestedTlb: geometry,
  /** `null` gives every walk reference one price. */
  dataCache: z.null().optional(),
  vpid: z.boolean().optional(),
  pcid: z.boolean().optional(),
  /** Nodes of memory, and where tables are; for presets with data caches. */
  nodes: z
    .strictObject({
      count: z.literal([2, 4], { error: "must be 2 or 4" }),
      isShown: z.boolean().default(true),
      guestTables: z.enum(tablePolicies).default("local"),
      hypervisorTables: z.enum(tablePolicies).default("local"),
    })
    .optional(),
});
export type MachineChange = z.infer<typeof machineSchema>;

/** `base` with what `change` names replaced. */
export function changedPreset(base: Preset, name: string, change: MachineChange): Preset {
  const { like, l1Data, l1Code, pwc, nestedPwc, dataCache, vpid, pcid } = change;
  const nodes = change.nodes ?? base.nodes;
  return {
    title: `${base.title}, changed as ${name}`,
    sources: [...base.sources, `changed from ${like} by the sweep`],
    l1Data: replaced(base.l1Data, l1Data),
    l1Code: replaced(base.l1Code, l1Code),
    stlb: sized(base.stlb, change.stlb),
    stlb2m: change.stlb2m ?? base.stlb2m,
    stlb1g: sized(base.stlb1g, change.stlb1g),
    pwc: replaced(base.pwc, pwc),
    nestedPwc: replaced(base.nestedPwc, nestedPwc),
    nestedTlb: sized(base.nestedTlb, change.nestedTlb),
    dataCache: dataCache === undefined ? base.dataCache : dataCache,
    vpid: vpid ?? base.vpid,
    pcid: pcid ?? base.pcid,
    ...(nodes ? { nodes } : {}),
  };
}

type Size = z.infer<typeof geometry>;

function sized(base: Geometry | null, change: Size): Geometry | null {
  if (change === undefined) return base;
  return change === null ? null : { sets: change.entries / change.ways, ways: change.ways };
}

/** Every structure of a group, each changed or not. */
function replaced<G extends Readonly<Record<PropertyKey, Geometry | null>>>(
  base: G,
  change: Readonly<Record<string, Size>> | undefined,
): G {
  const all = Object.entries(base).map(([name, one]) => [name, sized(one, change?.[name])]);
  return Object.fromEntries(all) as G;
}

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest % 2 === 0) rest /= 2;
  return rest === 1;
}
