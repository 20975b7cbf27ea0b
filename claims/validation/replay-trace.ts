/**
 * One trace through one engine on the machine of the ground truth, counted per phase.
 *
 * Conditions of the measurement: every host page is there before the start, and a reclaimed one is replaced
 * at once, so no prefetch ever finds a hole in the host.
 */
import type { Gfn } from "../../machine/address.ts";
import { addInto, createLedger, type Ledger, subtract } from "../../machine/counters.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { presets } from "../../machine/presets.ts";
import { buildComputer } from "../../engines/computer.ts";
import { engines, type EngineName } from "../../engines/index.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import type { DecodedTrace } from "../../workloads/trace/vmmu.ts";
import type { PhaseCounts } from "./counter-map.ts";

/** Which engine answers to a kernel and mode of the ground truth. */
const engineOf: Readonly<Record<string, EngineName>> = {
  "6.1 shadow": "kvm-6.1",
  "6.12 shadow": "kvm-6.12",
  "6.1 npt": "kvm-tdp",
  "6.12 npt": "kvm-tdp",
  "6.1 npt_legacy": "kvm-tdp-legacy",
};

/** The engine for `kernel` and `mode`, or undefined when nothing models it. */
export function engineFor(kernel: string, mode: string): EngineName | undefined {
  return engineOf[`${kernel} ${mode}`];
}

/** Counts of every phase, in order. */
export function replayTrace(source: DecodedTrace, engine: EngineName): PhaseCounts[] {
  const { memoryFrames, vcpus, backing, shadowPagesMax, version } = source.header;
  const { machine, hypervisor: bare } = buildComputer({
    engine: engines[engine],
    preset: presets["qemu-svm"],
    guestFrames: memoryFrames,
    vcpus,
    backing,
    // Data frames hold no bytes; tables of guest, host and hypervisor together are far fewer.
    slotsMax: memoryFrames + 4096,
    ...(shadowPagesMax === null ? {} : { shadowPagesMax }),
  });
  const hypervisor = populated(bare);
  const phases: PhaseCounts[] = [];
  let before = machine.vcpus.map(() => createLedger());
  const onPhase = ({ name }: { readonly name: string }) => {
    const now = machine.vcpus.map((vcpu) => vcpu.snapshot().ledger);
    const byVcpu = now.map((ledger, id) => subtract(ledger, before[id] ?? createLedger()));
    phases.push({ name, all: sumOf(byVcpu), byVcpu });
    before = now;
  };
  // Guests of version 2 interpret their trace, so every op fetches from their code page first.
  const options = { fetchEachOp: version === 2 };
  replayDecoded({ machine, hypervisor, source, onPhase, options });
  return phases;
}

function sumOf(ledgers: readonly Ledger[]): Ledger {
  const sum = createLedger();
  for (const ledger of ledgers) addInto(sum, ledger);
  return sum;
}

/** The hypervisor on a host that backs all guest memory, now and after each reclaim. */
function populated(hypervisor: Hypervisor): Hypervisor {
  const { memory } = hypervisor;
  const back = (start: number, frames: number) => {
    for (let gfn = start; gfn < start + frames; gfn++) memory.touch(gfn as Gfn);
  };
  back(0, memory.frames);
  return {
    memory,
    boot: (vcpu, cr3, registers) => hypervisor.boot(vcpu, cr3, registers),
    exit: (exit, vcpu) => hypervisor.exit(exit, vcpu),
    host(event: HostEvent) {
      const reported = hypervisor.host(event);
      if (event.kind === "reclaim") back(event.start, event.frames);
      return reported;
    },
  };
}
