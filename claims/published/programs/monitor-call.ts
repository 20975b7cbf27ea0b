/**
 * A guest's kernel that calls a monitor at an event: one outside the guest, by an exit, or one inside, in an address space
 * of its own that the kernel enters and leaves by MOV to CR3 at a gate.
 *
 * The monitor does as good as nothing: what is timed is the call. Both address spaces have the kernel in them; the
 * monitor's has its own pages too, which the program's has not.
 *
 *     frame 16        the program's root; 17 the monitor's
 *     frames 18..20   tables of the kernel's pages, in both; 21..23 tables of the monitor's
 *     frames 32..     the kernel's pages: gate, code, stack, data; 40.. the monitor's: code, stack, data
 *
 * Source: Sharif, Lee, Cui, Lanzi, "Secure In-VM Monitoring Using Hardware Virtualization" (CCS 2009), sections 4 and 6.
 */
import { type Gfn, indexAt, type Vpn } from "../../../machine/address.ts";
import { kernelPage } from "../../../machine/formats/x86-entry.ts";
import { type Ledger, subtract } from "../../../machine/counters.ts";
import type { Vcpu } from "../../../machine/vcpu.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { hostMemoryOf } from "../../../hypervisor/memory/host-memory.ts";
import { assert } from "../../../machine/assert.ts";
import { BootImage, entryTo } from "../../../check/fuzz/program.ts";
import { attachOracle } from "../../../check/oracle/oracle.ts";
import { type HostName, hosts } from "../../../bench/points/boot-machine.ts";
import { buildComputer } from "../../../engines/computer.ts";

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
  readonly monitor: "outside" | "inside";
  /** Is every access held against the oracle? */
  readonly check?: boolean;
}

/** What so many calls take, after as many to warm up. */
export function countMonitorCalls({ engine, host, calls, monitor, check }: MonitorCalls): Ledger {
  const vcpu = bootGuest(engine, host, check ?? false);
  const call = monitor === "outside" ? callOutside : callInside;
  for (let i = 0; i < calls; i++) call(vcpu);
  const before = vcpu.snapshot().ledger;
  for (let i = 0; i < calls; i++) call(vcpu);
  return subtract(vcpu.snapshot().ledger, before);
}

/** The kernel's own work at an event: it runs, and uses its stack and its data. */
function event(vcpu: Vcpu): void {
  vcpu.fetch(code);
  vcpu.write(stack);
  vcpu.read(data);
}

function callOutside(vcpu: Vcpu): void {
  event(vcpu);
  vcpu.otherExit("hypercall");
}

function callInside(vcpu: Vcpu): void {
  event(vcpu);
  vcpu.fetch(gate);
  vcpu.writeCr3(monitorRoot);
  vcpu.fetch(gate);
  vcpu.fetch(monitorCode);
  vcpu.write(monitorStack);
  vcpu.read(monitorData);
  vcpu.fetch(gate);
  vcpu.writeCr3(programRoot);
  vcpu.fetch(gate);
}

function buildImage(): BootImage {
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
  map([monitorRoot], monitorBase, [21, 40]);
  return image;
}

function bootGuest(engine: Engine, host: HostName, check: boolean): Vcpu {
  const { preset } = hosts[host];
  const { machine, vcpu, hypervisor } = buildComputer({ engine, preset, guestFrames: 512 });
  const memory = hostMemoryOf(hypervisor);
  assert(memory !== null, () => `published: ${engine.title}: no host`);
  const oracle = check ? attachOracle(machine, { native: false }) : null;
  for (const { gfn, index, count, low, high } of buildImage().fills()) {
    for (let i = 0; i < count; i++) memory.write(gfn, index + i, low + i * 4096, high);
  }
  vcpu.boot(
    oracle?.watch(hypervisor) ?? hypervisor,
    { root: programRoot, pcid: 0, keep: false },
    { writeProtect: true, globalPages: false, pcid: false, levels: 4 },
  );
  return vcpu;
}
