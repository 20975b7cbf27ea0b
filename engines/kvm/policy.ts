/**
 * What distinguishes one lazy shadow MMU from another: a record of named switches, each named after its
 * mechanism, and the variants that real hypervisors are.
 *
 * The machinery reads these and nothing else, so a variant is data.
 *
 * Source: counts of Linux 6.1 and 6.12 (results/groundtruth), KVM mmu.rst; Xen arch/x86/mm/shadow.
 */

export interface ShadowPolicy {
  /**
   * What INVLPG does to the entry of an out-of-sync table. `refill`: dropped and filled again from the guest
   * entry if its A bit is set. `sync`: only an entry that is present is brought up to date. `drop`: dropped.
   */
  readonly invlpg: "refill" | "sync" | "drop";
  /** A sync leaves an entry alone when frame and permissions are unchanged (A, D and dirty-log protection stay). */
  readonly syncKeepsUnchanged: boolean;
  /** A sync also fills entries that were not present (from the difference to a snapshot taken at unsync). */
  readonly syncFills: boolean;
  /**
   * Which out-of-sync tables a CR3 load syncs: those below the new root, or every one that this vCPU holds.
   */
  readonly cr3Syncs: "reachable" | "own";
  /** Out-of-sync tables that one vCPU may hold; one more syncs the oldest. */
  readonly unsyncPagesMaxPerVcpu: number;
  /** A table that is shadowed more than once (under several rights) stays in sync: its stores are emulated. */
  readonly unsyncOnlySingle: boolean;
  /** A store to an upper table drops the entry, or writes it anew if the table below is shadowed already. */
  readonly upperStore: "drop" | "mirror";
  /** This many stores to an upper table with no walk through it in between zap its shadow. */
  readonly floodStores: number;
  /** Entries that a shadow fault fills: the aligned group around the entry, or those behind it. */
  readonly prefetch: { readonly shape: "group" | "forward"; readonly entries: number };
  /** Previous roots kept per vCPU beside the current one. */
  readonly cachedRoots: number;
  /** Shadow pages in use at most: a share of guest frames, but not fewer than `min`. */
  readonly pageLimit: { readonly permille: number; readonly min: number };
  /** Fewer free pages than `min` before a fault is served: zap until `refill` are free. */
  readonly freePages: { readonly min: number; readonly refill: number };
  /** A frame mapped by more entries than this loses them all (reverse maps must stay short). */
  readonly reverseMapMax: number;
  /** Runs the guest without virtualization hardware, its kernel outside of ring 0, and hears when a handler returns. */
  readonly deprivileged: boolean;
  /**
   * Its switcher changes between the two roots of a process, the kernel's and the user's, without entering the hypervisor,
   * if the guest keeps what is cached of both.
   */
  readonly directSwitch: boolean;
}

const kvm: ShadowPolicy = {
  invlpg: "sync",
  syncKeepsUnchanged: true,
  syncFills: false,
  cr3Syncs: "reachable",
  unsyncPagesMaxPerVcpu: Infinity,
  unsyncOnlySingle: false,
  upperStore: "drop",
  floodStores: 3,
  prefetch: { shape: "group", entries: 8 },
  cachedRoots: 3,
  pageLimit: { permille: 20, min: 64 },
  freePages: { min: 5, refill: 25 },
  reverseMapMax: 1000,
  deprivileged: false,
  directSwitch: false,
};

export const shadowPolicies = {
  "kvm-6.12": kvm,
  "kvm-6.1": { ...kvm, invlpg: "refill", syncKeepsUnchanged: false },
  // Xen has three slots for out-of-sync tables per vCPU, each with a snapshot; no flood detector of this kind.
  xen: {
    ...kvm,
    invlpg: "drop",
    syncFills: true,
    cr3Syncs: "own",
    unsyncPagesMaxPerVcpu: 3,
    unsyncOnlySingle: true,
    upperStore: "mirror",
    floodStores: Infinity,
    prefetch: { shape: "forward", entries: 32 },
  },
  // KVM's shadow MMU behind a switcher of its own (Huang et al., SOSP 2023).
  pvm: { ...kvm, deprivileged: true, directSwitch: true },
} as const satisfies Record<string, ShadowPolicy>;
