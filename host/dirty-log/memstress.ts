/**
 * The guest of `dirty_log_perf_test`: page tables made before boot, one loop over memory on every vCPU.
 *
 * vCPUs run in lock step, a few pages each in turn, so remote flushes meet guests that run.
 *
 * Source: Linux tools/testing/selftests/kvm/lib/memstress.c, `memstress_guest_code`.
 */
import { type Gfn, indexAt, type Vpn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { freshPage, highHalf, lowHalf, withoutUser } from "../../machine/formats/x86-entry.ts";
import type { GuestMemory, Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { Machine } from "../../machine/machine.ts";
import { Prng } from "../../guest/prng.ts";
import type { DirtyLogSettings, Layout } from "./settings.ts";

/** Where the memory under test is mapped: `DEFAULT_GUEST_TEST_MEM`, 0xc0000000. */
const firstVpn = 0xc_0000;
const levels = 4;
/** Pages that a vCPU gets before the next one runs. */
const turnPages = 64;

type Pass = Pick<DirtyLogSettings, "order" | "writePercent">;

export interface MemstressGuest {
  /** Every vCPU goes over its memory once. */
  run(pass: Pass): void;
}

export interface MemstressParts {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
  readonly settings: DirtyLogSettings;
  readonly layout: Layout;
}

export function bootMemstress(parts: MemstressParts): MemstressGuest {
  const { machine, hypervisor, settings, layout } = parts;
  const root = writeTables(hypervisor.memory, layout);
  for (const vcpu of machine.vcpus) {
    vcpu.software = {
      pageFault: ({ vpn }) => {
        throw new Error(`bug: dirty-log: a page fault at vpn ${vpn} of a guest that maps all`);
      },
    };
    vcpu.boot(
      hypervisor,
      { root, pcid: 0, keep: false },
      { writeProtect: true, globalPages: false, pcid: false, levels },
    );
    vcpu.setPrivilege("supervisor");
  }
  const isOverlapping = settings.regions === "overlapping";
  const pages = isOverlapping ? layout.pages : settings.pagesPerVcpu;
  const workers = machine.vcpus.map((vcpu) => ({
    vcpu,
    base: firstVpn + (isOverlapping ? 0 : vcpu.id * pages),
    prng: new Prng(settings.seed + vcpu.id),
  }));
  return {
    run({ order, writePercent }) {
      for (let done = 0; done < pages; done += turnPages) {
        const end = Math.min(done + turnPages, pages);
        for (const { vcpu, base, prng } of workers) {
          if (workers.length > 1) hypervisor.host({ kind: "vcpu-run", vcpu: vcpu.id });
          for (let i = done; i < end; i++) {
            const vpn = (base + (order === "random" ? prng.below(pages) : i)) as Vpn;
            // Drawn even if all are writes, as the test does, so that both see one sequence of pages.
            if (prng.chance(writePercent)) vcpu.write(vpn);
            else vcpu.read(vpn);
          }
          if (workers.length > 1) vcpu.drain();
        }
      }
      for (const { vcpu } of workers) vcpu.drain();
    },
  };
}

/** No A and no D yet. */
const kernelRights = withoutUser(freshPage);

/** Maps the memory under test by 4 KiB pages; returns the root table. */
function writeTables(memory: GuestMemory, { first, pages }: Layout): Gfn {
  let next = 1;
  /** A new table of `level` that maps pages `from` to `to`, and what it needs below. */
  const tableFor = (level: number, from: number, to: number): Gfn => {
    const table = next as Gfn;
    next += 1;
    const span = 512 ** (level - 1);
    let vpn = from;
    while (vpn < to) {
      const end = Math.min(to, vpn - (vpn % span) + span);
      const frame = level === 1 ? first + (vpn - firstVpn) : tableFor(level - 1, vpn, end);
      memory.write(table, indexAt(vpn, level), lowHalf(frame, kernelRights), highHalf(frame));
      vpn = end;
    }
    return table;
  };
  const root = tableFor(levels, firstVpn, firstVpn + pages);
  assert(next <= first, `dirty-log: ${next} frames of tables reach into the memory under test`);
  return root;
}
