/**
 * A guest whose host acts every so many accesses, whatever the program.
 */
import type { Guest } from "../../guest/guest.ts";

export function paced(guest: Guest, every: number, act: () => void): Guest {
  let left = every;
  const count = (): void => {
    left -= 1;
    if (left > 0) return;
    left = every;
    act();
  };
  return {
    image: guest.image,
    map: (pages, options) => guest.map(pages, options),
    mapAt: (vpn, pages, options) => guest.mapAt(vpn, pages, options),
    unmap: (vpn, pages) => guest.unmap(vpn, pages),
    protect: (vpn, pages, access) => guest.protect(vpn, pages, access),
    read(vpn, offset) {
      count();
      guest.read(vpn, offset);
    },
    write(vpn, offset) {
      count();
      guest.write(vpn, offset);
    },
    fetch(vpn, offset) {
      count();
      guest.fetch(vpn, offset);
    },
    compute: (ops) => guest.compute(ops),
    fork: () => guest.fork(),
    exec: (pages) => guest.exec(pages),
    exit: (next) => guest.exit(next),
    switchTo: (pid) => guest.switchTo(pid),
    syscall: () => guest.syscall(),
    host: (event) => guest.host(event),
    measure: () => guest.measure(),
  };
}
