/**
 * A guest whose host acts every so many accesses, whatever the program.
 */
import type { Guest } from "../../guest/guest.ts";
import { guestWith } from "../../guest/guest-with.ts";

export function paced(guest: Guest, every: number, act: () => void): Guest {
  let left = every;
  const count = (): void => {
    left -= 1;
    if (left > 0) return;
    left = every;
    act();
  };
  return guestWith(guest, {
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
  });
}
