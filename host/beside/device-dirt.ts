/**
 * What devices and the VMM have written of a guest that migrates, beside what the guest's own log says.
 *
 * By what is pinned: all of it, and what was unpinned since, for nobody knows better. By each device's log: what it names, turned
 * into guest pages now, or at the latest before its mapping goes. By second-level D bits: what silicon marked.
 *
 * Source: Linux 6.1 drivers/vfio/vfio_iommu_type1.c `update_user_bitmap`, `vfio_dma_do_unmap` (GET_DIRTY_BITMAP); QEMU 8.1
 * hw/vfio/common.c `vfio_get_dirty_bitmap`, `vfio_dma_unmap_bitmap`; QEMU softmmu/physmem.c `invalidate_and_set_dirty`.
 */
import { DeviceDirtyLog, type DirtyBitsHost, pinnedIsDirty } from "../../viommu/dirty-dma.ts";
import type { DmaMachine } from "../../viommu/dma-machine.ts";
import type { BesideHome } from "./guest-beside.ts";

export const dirtyMethods = ["pinned", "device-log", "d-bits"] as const;
export type DirtyMethod = (typeof dirtyMethods)[number];

export class DeviceDirt {
  private readonly machine: DmaMachine;
  private readonly home: BesideHome;
  private readonly method: DirtyMethod;
  private readonly bits: DirtyBitsHost | null;
  private readonly logs: readonly DeviceDirtyLog[];
  /** Found before it was asked for. */
  private readonly early = new Set<number>();

  constructor(
    machine: DmaMachine,
    home: BesideHome,
    how: { readonly method: DirtyMethod; readonly bits: DirtyBitsHost | null },
  ) {
    this.machine = machine;
    this.home = home;
    this.method = how.method;
    this.bits = how.bits;
    this.logs = machine.devices.map(() => new DeviceDirtyLog(0, Infinity));
    machine.onUnmapping = (container, page, pages) => {
      const log = this.logs[machine.containers.indexOf(container)];
      const found = log?.collectIn(page, pages, (at) => container.userOf(at)) ?? [];
      for (const gfn of found) this.early.add(gfn);
    };
  }

  /** The device `source` has stored to its page. */
  stored(source: number, page: number): void {
    if (this.method !== "device-log") return;
    const index = this.machine.devices.findIndex(({ requestor }) => requestor.source === source);
    this.logs[index]?.wrote(page);
  }

  /** Logging starts: what was before is sent anyway. */
  start(): void {
    this.collect();
  }

  /** Guest pages since the last time. */
  collect(): Set<number> {
    // A question is answered behind the requests that are on their way.
    this.machine.land();
    const found = new Set([...this.early, ...this.home.emulated]);
    this.early.clear();
    this.home.emulated.clear();
    for (const gfn of this.ofDevices()) found.add(gfn);
    this.home.pages.released.clear();
    return found;
  }

  private ofDevices(): Iterable<number> {
    const { machine, home } = this;
    if (this.bits !== null) return this.bits.collect();
    if (this.method === "pinned") return [...pinnedIsDirty(machine), ...home.pages.released];
    return this.logs.flatMap((log, i) => {
      const container = machine.containers[i];
      return [...log.collect((page) => container?.userOf(page) ?? null)];
    });
  }
}
