/** A guest some of whose calls do something else: the program that makes them is not changed. */
import type { Guest } from "./guest.ts";

export function guestWith(guest: Guest, calls: Partial<Guest>): Guest {
  return {
    image: guest.image,
    map: (pages, options) => guest.map(pages, options),
    mapAt: (vpn, pages, options) => guest.mapAt(vpn, pages, options),
    unmap: (vpn, pages) => guest.unmap(vpn, pages),
    protect: (vpn, pages, access) => guest.protect(vpn, pages, access),
    read: (vpn, offset) => guest.read(vpn, offset),
    write: (vpn, offset) => guest.write(vpn, offset),
    fetch: (vpn, offset) => guest.fetch(vpn, offset),
    compute: (ops) => guest.compute(ops),
    fork: () => guest.fork(),
    exec: (pages) => guest.exec(pages),
    exit: (next) => guest.exit(next),
    switchTo: (pid) => guest.switchTo(pid),
    syscall: () => guest.syscall(),
    host: (event) => guest.host(event),
    measure: () => guest.measure(),
    ...calls,
  };
}
