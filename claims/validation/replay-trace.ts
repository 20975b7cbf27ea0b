/**
 * One trace through one engine on the machine of the ground truth, counted per phase.
 *
 * Conditions of the measurement: every host page is there before the start, and a reclaimed one is replaced
 * at once, so no prefetch ever finds a hole in the host.
 */
import type { Gfn } from "../../machine/address.ts";
import { addInto, createLedger, type Ledger, subtract } from "../../machine/counters.ts";
import type { VmExit } from "../../machine/exits.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import { watched } from "../../hypervisor/watched.ts";
import { presets } from "../../machine/presets.ts";
import { buildComputer } from "../../engines/computer.ts";
import { engines, type EngineName } from "../../engines/index.ts";
import { replayDecoded } from "../../workloads/trace/replay.ts";
import type { DecodedTrace } from "../../workloads/trace/vmmu.ts";
import type { PhaseCounts } from "./counter-map.ts";
import { noSeenCounts, seeExit, seeReport } from "./seen-counts.ts";

/** Which engine answers to a kernel and mode of the ground truth. */
const engineOf: Readonly<Record<string, EngineName>> = {
  "6.1 shadow": "kvm-6.1",
  "6.12 shadow": "kvm-6.12",
  "6.1 npt": "kvm-tdp",
  "6.12 npt": "kvm-tdp",
  "6.1 npt_legacy": "kvm-tdp-legacy",
  // On Intel's processors. Neither tags of cached translations nor unrestricted guests change a count.
  "6.1 shadow_novpid": "kvm-6.1",
  "6.1 ept": "kvm-ept",
  "6.1 ept_novpid": "kvm-ept",
  "6.1 ept_nourg": "kvm-ept",
  "6.1 ept_nopml": "kvm-ept-nopml",
  "6.1 ept_noad": "kvm-ept-noad",
  "6.1 ept_legacy": "kvm-ept-legacy",
  "6.1 ept_legacy_nopml": "kvm-ept-legacy-nopml",
};

/** The engine for `kernel` and `mode`, or undefined when nothing models it. */
export function engineFor(kernel: string, mode: string): EngineName | undefined {
  return engineOf[`${kernel} ${mode}`];
}

/** Told what happens, in order. Exits by which a phase ends or the host acts are the measurement's own. */
export interface ReplayListener {
  readonly exit?: (exit: VmExit) => void;
  readonly phase?: (name: string) => void;
}

/** Counts of every phase, in order. */
export function replayTrace(
  source: DecodedTrace,
  engine: EngineName,
  listener: ReplayListener = {},
): PhaseCounts[] {
  const { memoryFrames, vcpus, backing, shadowPagesMax, dirtyLogArmedBy, version } = source.header;
  const { machine, hypervisor: bare } = buildComputer({
    engine: engines[engine],
    preset: presets["qemu-svm"],
    guestFrames: memoryFrames,
    vcpus,
    backing,
    // Data frames hold no bytes; tables of guest, host and hypervisor together are far fewer.
    slotsMax: memoryFrames + 4096,
    // What the guest had no memory for, the VMM answered.
    mmioBeyond: true,
    ...(shadowPagesMax === null ? {} : { shadowPagesMax }),
    ...(dirtyLogArmedBy === null ? {} : { dirtyLog: { armedBy: dirtyLogArmedBy } }),
  });
  let seen = noSeenCounts();
  const hypervisor = watched(populated(bare), {
    exits(exit, { id }) {
      const vcpu = machine.vcpus[id];
      if (vcpu === undefined) return;
      seeExit(seen, exit, vcpu);
      if (exit.reason !== "other") listener.exit?.(exit);
    },
    hostActs({ kind }) {
      // The host acts while the vCPUs are out of their guest: each exits first.
      if (kind !== "vcpu-run") for (const vcpu of machine.vcpus) vcpu.otherExit("io");
    },
    hostActed(_, reported) {
      seeReport(seen, reported);
    },
  });
  const phases: PhaseCounts[] = [];
  let before = machine.vcpus.map(() => createLedger());
  const onPhase = ({ name }: { readonly name: string }) => {
    // The guest tells the VMM by a port, and the VMM reads counters: this empties logs of silicon's.
    for (const vcpu of machine.vcpus) vcpu.otherExit("io");
    const now = machine.vcpus.map((vcpu) => vcpu.snapshot().ledger);
    const byVcpu = now.map((ledger, id) => subtract(ledger, before[id] ?? createLedger()));
    listener.phase?.(name);
    phases.push({ name, all: sumOf(byVcpu), byVcpu, seen });
    seen = noSeenCounts();
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
  return watched(hypervisor, {
    hostActed(event) {
      if (event.kind === "reclaim") back(event.start, event.frames);
    },
  });
}
