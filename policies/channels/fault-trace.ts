/**
 * The controlled channel: whoever decides when a victim's pages fault reads its secret off the order of the faults.
 *
 * The victim runs code at one of two pages by each bit of its secret, and at a third one in between, as square-and-multiply
 * does. The attacker lets it have one of the three at a time. A hypervisor takes its own mapping away; a guest's kernel
 * clears P in the victim's entry, which is a proposal under shadow paging and takes effect at once under EPT.
 *
 * A lock on the victim's pages says what they mean, not that they are there: clearing P breaks no rule, and the fault is
 * the guest's to hear of. Only where silicon asks tables of the hypervisor's first (HLAT) is the guest's entry not asked.
 *
 * Source: Xu, Cui and Peinado, "Controlled-Channel Attacks", S&P 2015; Wilke et al., "SEV-Step", 2023.
 */
import type { Vpn } from "../../machine/address.ts";
import { subtract, type Ledger } from "../../machine/counters.ts";
import { ACC_EXEC, ACC_USER, lowHalf, withoutPresent } from "../../machine/formats/x86-entry.ts";
import type { VmExit } from "../../machine/exits.ts";
import { Prng } from "../../guest/prng.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import { guardedEpt } from "../../engines/ept-guarded.ts";
import { eptHlat } from "../../engines/ept-hlat.ts";
import { engines } from "../../engines/index.ts";
import { cyclesOf } from "./cycles.ts";
import type { Channel, ChannelRow, SecretSettings } from "./channel.ts";
import { codeFlags, frameOfPage, SmallGuest, userPage } from "./small-guest.ts";

/** Code of the loop, of a bit that is 0, of one that is 1; and its stack, which nobody watches. */
const [loopPage, zeroPage, onePage, stackPage] = [0, 1, 2, 3] as const;
const watchedPages = [loopPage, zeroPage, onePage] as const;
type WatchedPage = (typeof watchedPages)[number];

const lock: PolicyRule = {
  kind: "lock-pages",
  start: userPage(0),
  pages: watchedPages.length,
  first: frameOfPage(0),
  access: ACC_EXEC + ACC_USER,
};

interface Scheme {
  readonly engine: Engine;
  readonly attacker: "hypervisor" | "guest kernel";
  readonly rules?: readonly PolicyRule[];
}

const guarded = guardedEpt("EPT, all tables guarded", {
  scope: "all",
  cr3Exits: true,
  cr3Targets: 4,
});

export const faultSchemes = {
  "hypervisor, shadow": { engine: engines.shadow, attacker: "hypervisor" },
  "hypervisor, kvm-6.12": { engine: engines["kvm-6.12"], attacker: "hypervisor" },
  "hypervisor, ept": { engine: engines.ept, attacker: "hypervisor" },
  "kernel, shadow": { engine: engines.shadow, attacker: "guest kernel" },
  "kernel, shadow-vtlb": { engine: engines["shadow-vtlb"], attacker: "guest kernel" },
  "kernel, kvm-6.12": { engine: engines["kvm-6.12"], attacker: "guest kernel" },
  "kernel, ept": { engine: engines.ept, attacker: "guest kernel" },
  "kernel, shadow, locked": { engine: engines.shadow, attacker: "guest kernel", rules: [lock] },
  "kernel, kvm-6.12, locked": {
    engine: engines["kvm-6.12"],
    attacker: "guest kernel",
    rules: [lock],
  },
  "kernel, ept, guarded": { engine: guarded, attacker: "guest kernel", rules: [lock] },
  "kernel, ept, HLAT": {
    engine: eptHlat({ upperHalfOnly: false }),
    attacker: "guest kernel",
    rules: [lock],
  },
} as const satisfies Record<string, Scheme>;

export type FaultScheme = keyof typeof faultSchemes;

export interface FaultTrace {
  readonly secret: readonly number[];
  /** What the attacker makes of the faults that it saw. */
  readonly guess: readonly number[];
  /** What the victim's run took, from its first instruction to its last. */
  readonly counts: Ledger;
  /** Accesses that the oracle judged. */
  readonly checked: number;
}

/** The victim's run under attack; without an attacker it just runs. */
export function traceFaults(
  { engine, attacker, rules = [] }: Scheme,
  { seed, bits, check }: SecretSettings,
  isAttacked = true,
): FaultTrace {
  const prng = new Prng(seed);
  const secret = Array.from({ length: bits }, () => prng.below(2));
  const faults: WatchedPage[] = [];
  let isArmed = false;
  const noteExit = (exit: VmExit) => {
    const page = isArmed && attacker === "hypervisor" ? pageOf(exit) : undefined;
    if (page === undefined) return;
    faults.push(page);
    for (const other of watchedPages) if (other !== page) guest.memory.zap(frameOfPage(other));
  };
  const guest = new SmallGuest({
    engine,
    pages: 4,
    codePages: watchedPages.length,
    rules,
    check,
    watcher: { answered: noteExit },
  });
  const { vcpu } = guest;
  vcpu.software = {
    pageFault({ vpn }) {
      const page = watchedPages.find((one) => userPage(one) === vpn);
      if (page === undefined) return "abandon";
      faults.push(page);
      // One of the three was there before, the last but one that faulted: it goes.
      setPresent(guest, page, true);
      const before = faults.at(-2);
      if (before !== undefined) setPresent(guest, before, false);
      return "retry";
    },
  };
  // Every page has been used, and its entry stored to, so that what follows is the attack's alone.
  for (const page of watchedPages) setPresent(guest, page, true);
  runVictim(guest, [0, 1]);
  if (isAttacked) {
    for (const page of watchedPages) {
      if (attacker === "hypervisor") guest.memory.zap(frameOfPage(page));
      else setPresent(guest, page, false);
    }
    isArmed = true;
  }
  const before = guest.machine.snapshot().ledger;
  runVictim(guest, secret);
  const counts = subtract(guest.machine.snapshot().ledger, before);
  const guess = faults.filter((page) => page !== loopPage).map((page) => page - zeroPage);
  return { secret, guess, counts, checked: guest.oracle?.checked ?? 0 };
}

function runVictim({ vcpu }: SmallGuest, secret: readonly number[]): void {
  vcpu.setPrivilege("user");
  for (const bit of secret) {
    vcpu.fetch(userPage(loopPage));
    vcpu.read(userPage(stackPage));
    vcpu.fetch(userPage(bit === 0 ? zeroPage : onePage));
    vcpu.write(userPage(stackPage));
  }
  vcpu.drain();
  vcpu.setPrivilege("supervisor");
}

/** What an attacking kernel does to the victim's entry, by an ordinary store, and the flush that goes with it. */
function setPresent(guest: SmallGuest, page: WatchedPage, isPresent: boolean): void {
  const { table, index } = guest.entryOf(page);
  const flags = isPresent ? codeFlags : withoutPresent(codeFlags);
  guest.vcpu.store(table, index, lowHalf(frameOfPage(page), flags), 0);
  if (!isPresent) guest.vcpu.invlpg(userPage(page));
}

function pageOf(exit: VmExit): WatchedPage | undefined {
  const isFault = exit.reason === "page-fault" || exit.reason === "ept-violation";
  if (!isFault) return undefined;
  const { vpn }: { readonly vpn: Vpn } = exit;
  return watchedPages.find((page) => userPage(page) === vpn);
}

export function bitsRight({ secret, guess }: Pick<FaultTrace, "secret" | "guess">): number {
  return secret.filter((bit, i) => guess[i] === bit).length;
}

export const faultTrace: Channel = {
  title: "Controlled channel: a secret read off the order of page faults",
  uses: ["seed", "bits", "check"],
  summary: [
    "A victim runs code at one of two pages by each bit of its secret. The attacker lets it have one page at a time and",
    "notes which one faults. Locked: the victim's pages lead to their frames or nowhere, whatever its kernel stores.",
    "Exits, guest faults and what the attack adds to the victim's run are per bit.",
  ],
  columns: {
    scheme: "attacker, scheme",
    recovered: "bits right",
    exitsPerBit: "exits a bit",
    faultsPerBit: "guest faults a bit",
    cyclesPerBit: "cycles a bit",
  },
  run(settings) {
    return Object.entries<Scheme>(faultSchemes).map(([scheme, one]): ChannelRow => {
      const attacked = traceFaults(one, settings);
      const alone = traceFaults(one, settings, false);
      const { exits, guestPageFaults } = attacked.counts;
      const added = cyclesOf(attacked.counts) - cyclesOf(alone.counts);
      return {
        scheme,
        recovered: `${bitsRight(attacked)} of ${settings.bits}`,
        exitsPerBit: Number((exits / settings.bits).toPrecision(4)),
        faultsPerBit: Number((guestPageFaults / settings.bits).toPrecision(4)),
        cyclesPerBit: Math.round(added / settings.bits),
      };
    });
  },
};
