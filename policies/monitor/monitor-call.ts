/**
 * A guest's kernel that calls a monitor at an event: one outside the guest, by an exit, or one inside, behind a gate: in an
 * address space of its own, taken by MOV to CR3, or in a view of its own, taken by VMFUNC.
 *
 * The monitor does as good as nothing: what is timed is the call. Both address spaces have the kernel in them; the
 * monitor's has its own pages too, which the program's has not. With views one address space has all, and the programs'
 * view shows nothing of the monitor's stack and data.
 *
 *     frame 16        the program's root; 17 the monitor's
 *     frames 18..20   tables of the kernel's pages, in both; 21..23 tables of the monitor's
 *     frames 32..     the kernel's pages: gate, code, stack, data; 40.. the monitor's: code, stack, data
 *
 * Source: Sharif, Lee, Cui, Lanzi, "Secure In-VM Monitoring Using Hardware Virtualization" (CCS 2009), sections 4 and 6.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import { kernelPage } from "../../machine/formats/x86-entry.ts";
import { type Ledger, subtract } from "../../machine/counters.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { monitorView, programsView } from "../../engines/ept-views.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import { assert } from "../../machine/assert.ts";
import { BootImage, entryTo } from "../../check/fuzz/program.ts";
import { attachOracle } from "../../check/oracle/oracle.ts";
import { type HostName, hosts } from "../../bench/points/boot-machine.ts";
import { buildComputer } from "../../engines/computer.ts";

/** How the monitor is reached. */
export type MonitorWay = "exit" | "cr3" | "view";

const pagesPerTop = 512 ** 3;
const [programRoot, monitorRoot] = [16 as Gfn, 17 as Gfn];
const kernelBase = (256 * pagesPerTop) as Vpn;
const monitorBase = (300 * pagesPerTop) as Vpn;
const [gate, code, stack, data] = [0, 1, 2, 3].map((page) => (kernelBase + page) as Vpn) as [
  Vpn,
  Vpn,
  Vpn,
  Vpn,
];
const [monitorCode, monitorStack, monitorData] = [0, 1, 2].map(
  (page) => (monitorBase + page) as Vpn,
) as [Vpn, Vpn, Vpn];

export interface MonitorCalls {
  readonly engine: Engine;
  readonly host: HostName;
  readonly calls: number;
  readonly way: MonitorWay;
  /** Is every access held against the oracle? */
  readonly check?: boolean;
}

export interface CountedCalls {
  /** What the first call took, in a guest that has used nothing before. */
  readonly first: Ledger;
  /** What so many more took. */
  readonly calls: Ledger;
}

export function countMonitorCalls({
  engine,
  host,
  calls,
  way,
  check = false,
}: MonitorCalls): CountedCalls {
  const vcpu = bootGuest(engine, host, { way, check });
  const call = ways[way];
  const booted = vcpu.snapshot().ledger;
  call(vcpu);
  const before = vcpu.snapshot().ledger;
  for (let i = 0; i < calls; i++) call(vcpu);
  return { first: subtract(before, booted), calls: subtract(vcpu.snapshot().ledger, before) };
}

/** The kernel's own work at an event: it runs, and uses its stack and its data. */
function event(vcpu: Vcpu): void {
  vcpu.fetch(code);
  vcpu.write(stack);
  vcpu.read(data);
}

function throughGate(vcpu: Vcpu, enter: () => void, leave: () => void): void {
  event(vcpu);
  vcpu.fetch(gate);
  enter();
  vcpu.fetch(gate);
  vcpu.fetch(monitorCode);
  vcpu.write(monitorStack);
  vcpu.read(monitorData);
  vcpu.fetch(gate);
  leave();
  vcpu.fetch(gate);
}

const ways: Readonly<Record<MonitorWay, (vcpu: Vcpu) => void>> = {
  exit(vcpu) {
    event(vcpu);
    vcpu.otherExit("hypercall");
  },
  cr3: (vcpu) =>
    throughGate(
      vcpu,
      () => vcpu.writeCr3(monitorRoot),
      () => vcpu.writeCr3(programRoot),
    ),
  view: (vcpu) =>
    throughGate(
      vcpu,
      () => vcpu.vmfunc(monitorView),
      () => vcpu.vmfunc(programsView),
    ),
};

/** The monitor's code and the gate run in its view; its stack and data are seen there alone. */
const rules: readonly PolicyRule[] = [
  { kind: "monitor-code", start: 32 as Gfn, frames: 1 },
  { kind: "monitor-code", start: 40 as Gfn, frames: 1 },
  { kind: "monitor-frames", start: 41 as Gfn, frames: 2, programs: "nothing" },
];

function buildImage(way: MonitorWay): BootImage {
  const image = new BootImage();
  const map = (roots: readonly Gfn[], base: Vpn, [table, frame]: readonly [number, number]) => {
    for (const root of roots) image.set(root, indexAt(base, 4), entryTo(table, kernelPage));
    image.set(table as Gfn, 0, entryTo(table + 1, kernelPage));
    image.set((table + 1) as Gfn, 0, entryTo(table + 2, kernelPage));
    for (let page = 0; page < 4; page++) {
      image.set((table + 2) as Gfn, page, entryTo(frame + page, kernelPage));
    }
  };
  map([programRoot, monitorRoot], kernelBase, [18, 32]);
  map(way === "view" ? [programRoot] : [monitorRoot], monitorBase, [21, 40]);
  return image;
}

function bootGuest(
  engine: Engine,
  host: HostName,
  { way, check }: { readonly way: MonitorWay; readonly check: boolean },
): Vcpu {
  const { preset } = hosts[host];
  const policy = way === "view" ? new MemoryPolicy(rules) : undefined;
  const { machine, vcpu, hypervisor } = buildComputer({
    engine,
    preset,
    guestFrames: 512,
    ...(policy === undefined ? {} : { policy }),
  });
  const memory = hostMemoryOf(hypervisor);
  assert(memory !== null, () => `published: ${engine.title}: no host`);
  const oracle = check ? attachOracle(machine, { native: false }) : null;
  if (policy !== undefined) oracle?.police(policy);
  for (const { gfn, index, count, low, high } of buildImage(way).fills()) {
    for (let i = 0; i < count; i++) memory.write(gfn, index + i, low + i * 4096, high);
  }
  vcpu.boot(
    oracle?.watch(hypervisor) ?? hypervisor,
    { root: programRoot, pcid: 0, keep: false },
    { writeProtect: true, globalPages: false, pcid: false, levels: 4 },
  );
  return vcpu;
}
