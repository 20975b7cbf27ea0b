import { FETCH, SHADOW_STACK, STORE, USER } from "../mmu.ts";
import { room } from "./given.ts";
import { hasPagingWrite, hasShadowStacks } from "./shape.ts";
import { WRITE_PROTECT, s } from "./state.ts";

/** A TLB entry's raw rights: what the first stage grants, then whether a store needs no walk, nested X, global. */
const RAW_W = 1;
const RAW_U = 2;
const RAW_X = 4;
export const RAW_STORE = 8;
export const RAW_NESTED_X = 16;
export const RAW_GLOBAL = 32;
/** The supervisor's X, where modes have rights to execute of their own; else as X. */
export const RAW_SUPERVISOR_X = 64;
export const RAW = 127;
/** Tables of allowed kinds: those under CR0.WP come second. */
export const writeProtected = 128;

/** A TLB entry's other half: raw rights, then the order of the page, then that of the guest's page. */
export const orderShift = 7;
export const guestShift = 12;
export const ORDER = 31;
/** The page is a shadow stack's, and such loads and stores of its own mode need no walk. */
export const META_STACK_LOAD = 0x2_0000;
export const META_STACK_STORE = 0x4_0000;
export const META_STACK: number = META_STACK_LOAD | META_STACK_STORE;
/** Kinds of access: bits of the high column from 29 on, and this one of a shadow stack's. */
export const STACK_KIND = 8;

/** A walk cache's entry: rights, whether the second stage lets the table be written, and says where it lies. */
export const TABLE_WRITABLE = 16;
export const TABLE_THROUGH = 32;
/** The table is two levels in one. */
export const TABLE_FOLDED = 64;
/** It and those above it have the paging-write bit. */
export const TABLE_VERIFIED = 128;

/** Kinds of access to guest-physical memory. */
export const LOADING = 0;
export const STORING = 1;
export const FETCHING = 2;
/** From a page that the guest's tables give to the user, where nested entries tell modes apart. */
export const FETCHING_USER = 4;
/** By a walk, in a guest's table, where nested entries tell that from other stores. */
export const PAGING = 8;
/** What the walk's entries say of tables: walks may write to them. */
export const TABLE_STORING: number = hasPagingWrite ? PAGING : STORING;
/** By the supervisor in a shadow stack, where nested entries tell that from other accesses. */
export const STACK_LOADING = 64;
export const STACK_STORING = 128;
/** Beside kinds, what is known of a page: its paging-write bit, that it asks for it in tables. */
export const VERIFIED = 16;
export const VERIFIES = 32;

/**
 * Which kinds of access an entry with these raw rights allows: bit (store << 2 | fetch << 1 | user), and under
 * CR0.WP, `writeProtected` further on, the same; then which bits of the high column make an access one for the slow path.
 */
function allowTables() {
  const allow = room.uint8(2 * writeProtected);
  const deny = room.int32(2 * writeProtected);
  for (let at = 0; at < 2 * writeProtected; at++) {
    const user = (at & RAW_U) !== 0;
    const nested = (at & RAW_NESTED_X) !== 0;
    const userFetch = nested && user && (at & RAW_X) !== 0;
    const supervisorFetch = nested && (at & RAW_SUPERVISOR_X) !== 0;
    const store = (at & RAW_STORE) !== 0;
    const supervisorStore = store && ((at & RAW_W) !== 0 || at < writeProtected);
    const userStore = store && (at & RAW_W) !== 0 && user;
    let kinds = 1;
    if (user) kinds |= 2;
    if (supervisorFetch) kinds |= 4;
    if (userFetch) kinds |= 8;
    if (supervisorStore) kinds |= 16;
    if (userStore) kinds |= 32;
    allow[at] = kinds;
    // No mask can say "the supervisor stores, the user only loads" (CR0.WP clear), nor that modes differ in what they may
    // fetch: such accesses are slow.
    deny[at] =
      (user ? 0 : USER) |
      (supervisorFetch && (userFetch || !user) ? 0 : FETCH) |
      (supervisorStore && (userStore || !user) ? 0 : STORE) |
      (hasShadowStacks ? SHADOW_STACK : 0);
  }
  return { allow, deny };
}

const allowed = allowTables();
const ALLOW = allowed.allow;
export const DENY = allowed.deny;

export function allows(meta: number, kind: number): boolean {
  if (hasShadowStacks && kind >= STACK_KIND) {
    const isOwn = (kind & 1) === ((meta >>> 1) & 1);
    return isOwn && (meta & ((kind & 4) !== 0 ? META_STACK_STORE : META_STACK_LOAD)) !== 0;
  }
  return ((ALLOW[(meta & RAW) | s[WRITE_PROTECT]!]! >>> kind) & 1) !== 0;
}

/** What the high column says of an access. */
export function kindOf(hw: number): number {
  return hasShadowStacks ? (hw >>> 29) | ((hw >>> 24) & STACK_KIND) : hw >>> 29;
}

export function orderOf(meta: number): number {
  return (meta >>> orderShift) & ORDER;
}
