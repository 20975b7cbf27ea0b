/**
 * A Linux boot, seen from its memory: init starts services one after the other.
 *
 * Shape: each service is a fork, an exec, shared libraries mapped and touched page by page, a heap that
 * grows, and system calls all along; every other one stays and is scheduled again later. Under KPTI the
 * entries into the kernel, each two CR3 reads and writes, outnumber everything else that shadow paging traps.
 *
 * Model: no devices, timers or interrupts; four system calls per page fault is an assumption, not a
 * measurement. Bias: for shadow, because under KPTI each interrupt would be four more accesses to CR3.
 */
import type { Vpn } from "../machine/address.ts";
import { type Guest, imageDataVpn, type Pid } from "../guest/guest.ts";
import { footprintFrames } from "../guest/footprint.ts";
import type { Prng } from "../guest/prng.ts";
import { type KernelSwitches, onDemand, switches } from "./options.ts";
import type { Workload } from "./workload.ts";
import { writeEach } from "./working-set.ts";

type BootParams = KernelSwitches & {
  readonly services: number;
  /** Program image, in 4 KiB pages: half code, half data. */
  readonly imagePages: number;
  /** Shared libraries that every service maps, in pages; half of them are touched. */
  readonly libraryPages: number;
  readonly heapPages: number;
  /** System calls per page that a service touches. */
  readonly callsPerPage: number;
};

const librariesFile = 1;
/** A configuration file of each service: mapped, read, unmapped. */
const configPages = 4;

/** A service from exec to its main loop. */
function startService(guest: Guest, service: number, params: BootParams, prng: Prng): void {
  const { imagePages, libraryPages, heapPages, callsPerPage } = params;
  const readOnly = { fill: "demand", pages: "4k", writable: false } as const;
  const use = (touch: () => void): void => {
    touch();
    for (let call = 0; call < callsPerPage; call++) guest.syscall();
  };
  guest.exec(imagePages);
  const libraries = guest.map(libraryPages, {
    ...readOnly,
    executable: true,
    file: librariesFile,
  });
  for (let page = 0; page < imagePages / 2; page += 2) {
    use(() => guest.fetch((guest.image + page) as Vpn));
    use(() => guest.write((imageDataVpn(guest, imagePages) + page) as Vpn));
  }
  for (let page = 0; page < libraryPages / 2; page++) {
    use(() => guest.fetch((libraries + prng.below(libraryPages)) as Vpn));
  }
  const config = guest.map(configPages, { ...readOnly, file: librariesFile + 1 + service });
  for (let page = 0; page < configPages; page++) use(() => guest.read((config + page) as Vpn));
  guest.unmap(config, configPages);
  const heap = guest.map(heapPages, onDemand("4k"));
  for (let page = 0; page < heapPages; page++) use(() => guest.write((heap + page) as Vpn));
  guest.compute(heapPages);
}

export const boot: Workload<BootParams> = {
  title: "Boot mix",
  summary: "init starts services: fork, exec, demand faults and system calls.",
  defaults: {
    services: 12,
    imagePages: 96,
    libraryPages: 128,
    heapPages: 64,
    callsPerPage: 4,
    kpti: 0,
    pcid: 1,
    usedMemory: 1,
  },
  computeCycles: { perOp: 1000, source: "assumed: initialising one page of a service" },
  guestFrames: ({ services, imagePages, libraryPages, heapPages }) =>
    footprintFrames({
      pages: libraryPages + services * (imagePages + heapPages + configPages),
      processes: services + 1,
    }),
  guestOptions: switches,

  run(guest, params, prng) {
    guest.measure();
    guest.exec(params.imagePages);
    writeEach(guest, imageDataVpn(guest, params.imagePages), Math.floor(params.imagePages / 4));
    const init = 1 as Pid;
    const daemons: Pid[] = [];
    for (let service = 0; service < params.services; service++) {
      const child = guest.fork();
      guest.switchTo(child);
      startService(guest, service, params, prng);
      if (service % 2 === 0) {
        guest.exit(init);
      } else {
        daemons.push(child);
        guest.switchTo(init);
      }
      // Those that stayed get a turn: what has started wakes them up.
      for (const daemon of daemons) {
        guest.switchTo(daemon);
        guest.syscall();
      }
      guest.switchTo(init);
    }
  },
};
