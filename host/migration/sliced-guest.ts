/**
 * A guest under something that acts now and then: the program's calls go through unchanged, and between two of
 * them, every few hundred accesses, somebody else has a turn.
 *
 * Turns depend on the program's calls alone, so turn n comes at the same place under every engine. A program
 * that reads a dirty log itself is not answered: there is one log, and it belongs to whoever has the turns. Nor
 * does a host that is about to lose its guest take snapshots of it or merge its pages.
 */
import type { Guest } from "../../guest/guest.ts";
import type { Gfn } from "../../machine/address.ts";
import type { HostEvent } from "../../hypervisor/host-events.ts";

export interface Activity {
  /** The program's set-up is done. */
  measured(): void;
  /** A turn. Comes before and after the set-up's end. */
  turn(): void;
  /** The program let the host take frames: their contents are gone. */
  reclaimed(start: Gfn, frames: number): void;
}

/** Accesses between two turns; other calls weigh as much as the kernel's work for them, about. */
const turnWeight = 512;
const callWeight = 32;

/** What the host goes on doing to the guest: frames lost, or kept elsewhere. */
const hostsOwn: ReadonlySet<HostEvent["kind"]> = new Set(["reclaim", "evict", "memory-limit"]);

export function slicedGuest(guest: Guest, activity: Activity): Guest {
  let weight = 0;
  const passed = (more: number) => {
    weight += more;
    if (weight < turnWeight) return;
    weight = 0;
    activity.turn();
  };
  const after = <T>(result: T, more: number): T => {
    passed(more);
    return result;
  };
  return {
    image: guest.image,
    map: (pages, options) =>
      after(guest.map(pages, options), options.fill === "populate" ? pages : callWeight),
    mapAt: (vpn, pages, options) => after(guest.mapAt(vpn, pages, options), callWeight),
    unmap: (vpn, pages) => after(guest.unmap(vpn, pages), callWeight),
    protect: (vpn, pages, access) => after(guest.protect(vpn, pages, access), callWeight),
    read(vpn, offset) {
      guest.read(vpn, offset);
      passed(1);
    },
    write(vpn, offset) {
      guest.write(vpn, offset);
      passed(1);
    },
    fetch(vpn, offset) {
      guest.fetch(vpn, offset);
      passed(1);
    },
    compute: (ops) => guest.compute(ops),
    fork: () => after(guest.fork(), turnWeight),
    exec: (pages) => after(guest.exec(pages), turnWeight),
    exit: (next) => after(guest.exit(next), turnWeight),
    switchTo: (pid) => after(guest.switchTo(pid), callWeight),
    syscall: () => after(guest.syscall(), callWeight),
    host(event) {
      if (!hostsOwn.has(event.kind)) return 0;
      const reported = guest.host(event);
      if (event.kind === "reclaim") activity.reclaimed(event.start, event.frames);
      return reported;
    },
    measure() {
      guest.measure();
      activity.measured();
    },
  };
}
