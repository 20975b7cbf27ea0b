/**
 * Boots a machine, an engine and the guest kernel for a claim, with nothing measured yet.
 */
import { buildComputer } from "../../engines/computer.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { kernelLayout } from "../../guest/layout.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { type KernelOptions, kernelDefaults } from "../../guest/options.ts";
import type { OperatingSystem } from "../../guest/operating-system.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { VmExit } from "../../machine/exits.ts";
import type { Hardware } from "../../machine/hardware.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { watched } from "../../hypervisor/watched.ts";
import type { Machine } from "../../machine/machine.ts";
import type { TablePolicy } from "../../machine/nodes.ts";
import { type Preset, presets } from "../../machine/presets.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import type { Snapshot } from "../../machine/region.ts";

/** A processor and the cost file that prices it. */
export interface Host {
  readonly preset: Preset;
  readonly cost: string;
}

/** The first VT-x parts, whose preset Core 2 shares: both lack EPT, VPID and PCID. */
const p4 = presets["p4-vtx"];
const { zen2 } = presets;
const skylake = presets["skylake-sp"];
const skylakeCaches = presets["skylake-sp-caches"];
const lastWalkUncached: Preset = { ...skylakeCaches, nestedTlb: null, lastWalkUncached: true };

export const hosts = {
  textbook: { preset: presets.textbook, cost: "skylake-sp" },
  "p4-vtx": { preset: p4, cost: "p4-vtx" },
  core2: { preset: p4, cost: "core2" },
  nehalem: { preset: presets.nehalem, cost: "nehalem" },
  "skylake-sp": { preset: skylake, cost: "skylake-sp" },
  "cascade-lake": { preset: skylake, cost: "cascade-lake" },
  "skylake-sp-caches": { preset: skylakeCaches, cost: "skylake-sp" },
  "skylake-sp-caches, VPID off": { preset: { ...skylakeCaches, vpid: false }, cost: "skylake-sp" },
  "skylake-sp-caches, walk caches doubled": {
    preset: withDoubledWalkCaches(skylakeCaches),
    cost: "skylake-sp",
  },
  "skylake-sp-caches, last walk uncached": {
    preset: lastWalkUncached,
    cost: "skylake-sp",
  },
  "skylake-sp-caches, last walk uncached, walk caches doubled": {
    preset: withDoubledWalkCaches(lastWalkUncached),
    cost: "skylake-sp",
  },
  "skylake-sp-caches, nothing nested kept": {
    preset: { ...skylakeCaches, nestedTlb: null, nestedPwc: presets.textbook.nestedPwc },
    cost: "skylake-sp",
  },
  "EMT's caches": {
    preset: {
      ...skylakeCaches,
      dataCache: {
        ...skylakeCaches.dataCache,
        l2: { sets: 1024, ways: 8, lineBytes: 64 },
        llc: { sets: 16_384, ways: 16, lineBytes: 64 },
      },
    },
    cost: "skylake-sp",
  },
  "two nodes": onNodes("local", "local"),
  "two nodes, guest tables far": onNodes("remote", "local"),
  "two nodes, nested tables far": onNodes("local", "remote"),
  "two nodes, both tables far": onNodes("remote", "remote"),
  "two nodes, both tables moved": onNodes("migrated", "migrated"),
  zen2: { preset: zen2, cost: "zen2" },
  "zen2, no nested TLB": { preset: { ...zen2, nestedTlb: null }, cost: "zen2" },
  "zen2, guest walk cache only": {
    preset: { ...zen2, nestedTlb: null, nestedPwc: presets.textbook.nestedPwc },
    cost: "zen2",
  },
} as const satisfies Record<string, Host>;
export type HostName = keyof typeof hosts;

function onNodes(guestTables: TablePolicy, hypervisorTables: TablePolicy): Host {
  const nodes = { count: 2, isShown: true, guestTables, hypervisorTables } as const;
  return { preset: { ...skylakeCaches, nodes }, cost: "skylake-sp" };
}

function withDoubledWalkCaches(preset: Preset): Preset {
  return { ...preset, pwc: doubled(preset.pwc), nestedPwc: doubled(preset.nestedPwc) };
}

function doubled(caches: Preset["pwc"]): Preset["pwc"] {
  const twice = (level: 2 | 3 | 4 | 5) => {
    const cache = caches[level];
    return cache === null ? null : { ...cache, ways: 2 * cache.ways };
  };
  return { 2: twice(2), 3: twice(3), 4: twice(4), 5: twice(5) };
}

export interface BootRequest {
  /** One of the registry, or made for the claim. */
  readonly engine: EngineName | Engine;
  readonly host: HostName;
  readonly guestFrames: number;
  readonly backing?: "4k" | "2m";
  readonly kernel?: Partial<KernelOptions>;
  /** Memory and translation units; without, new ones whose code is shared. */
  readonly hardware?: Partial<Hardware>;
  /** Sees each exit before the engine answers it. */
  readonly watch?: (exit: VmExit) => void;
}

export interface BootedMachine {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly vcpu: Vcpu;
  readonly guest: OperatingSystem;
  readonly directMap: ReturnType<typeof kernelLayout>["directMap"];
  /** Counts when the guest said that its set-up is done; null before. */
  readonly atMeasure: () => Snapshot | null;
}

export type Counts = Readonly<Ledger>;

export function bootMachine(request: BootRequest): BootedMachine {
  const { engine, host, guestFrames, backing = "4k", kernel = {}, hardware, watch } = request;
  const { preset } = hosts[host];
  const scheme = typeof engine === "string" ? engines[engine] : engine;
  const computer = buildComputer({ engine: scheme, preset, guestFrames, backing, ...hardware });
  const { machine, vcpu, hypervisor: bare } = computer;
  const hypervisor = watch === undefined ? bare : watched(bare, { exits: watch });
  const options = { ...kernelDefaults, ...kernel };
  let measured: Snapshot | null = null;
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: { ...options, pcid: options.pcid && preset.pcid },
    nodes: machine.nodes,
    onMeasure: () => {
      hypervisor.host({ kind: "balance-tables" });
      measured = machine.snapshot();
    },
  });
  return {
    machine,
    hypervisor,
    vcpu,
    guest,
    directMap: kernelLayout(options.levels).directMap,
    atMeasure: () => measured,
  };
}
