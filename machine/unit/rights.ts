import { FETCH, STORE, USER } from "../mmu.ts";
import { room } from "./room.ts";
import { WRITE_PROTECT, s } from "./state.ts";

/** Rights accumulated over the levels of a walk. */
export const R_W = 1;
export const R_U = 2;
export const R_X = 4;
/** A TLB entry's raw rights: W, U, X as above, then whether a store needs no walk, nested X, global. */
export const RAW_STORE = 8;
export const RAW_NESTED_X = 16;
export const RAW_GLOBAL = 32;
export const RAW = 63;
/** Tables of allowed kinds: those under CR0.WP come second. */
export const writeProtected = 64;

/** A TLB entry's other half: raw rights, then the order of the page, then that of the guest's page. */
export const orderShift = 6;
export const guestShift = 11;
export const ORDER = 31;

/** A walk cache's entry: rights, and whether the second dimension lets the table be written. */
export const TABLE_WRITABLE = 8;

/** Kinds of access to guest-physical memory. */
export const READ = 0;
export const WRITE = 1;
export const FETCHING = 2;

/**
 * Which kinds of access an entry with these raw rights allows: bit (store << 2 | fetch << 1 | user), and under
 * CR0.WP, 64 further on, the same; then which bits of the high column make an access one for the slow path.
 */
function allowTables() {
  const allow = room.uint8(128);
  const deny = room.int32(128);
  for (let at = 0; at < 128; at++) {
    const user = (at & R_U) !== 0;
    const executable = (at & R_X) !== 0 && (at & RAW_NESTED_X) !== 0;
    const store = (at & RAW_STORE) !== 0;
    const supervisorStore = store && ((at & R_W) !== 0 || at < writeProtected);
    const userStore = store && (at & R_W) !== 0 && user;
    let allowed = 1;
    if (user) allowed |= 2;
    if (executable) allowed |= 4;
    if (executable && user) allowed |= 8;
    if (supervisorStore) allowed |= 16;
    if (userStore) allowed |= 32;
    allow[at] = allowed;
    // No mask can say "the supervisor stores, the user only loads" (CR0.WP clear): such stores are slow.
    deny[at] =
      (user ? 0 : USER) |
      (executable ? 0 : FETCH) |
      (supervisorStore && (userStore || !user) ? 0 : STORE);
  }
  return { allow, deny };
}

export const { allow: ALLOW, deny: DENY } = allowTables();

export function allows(meta: number, kind: number): boolean {
  return ((ALLOW[(meta & RAW) | s[WRITE_PROTECT]!]! >>> kind) & 1) !== 0;
}

export function orderOf(meta: number): number {
  return (meta >>> orderShift) & ORDER;
}
