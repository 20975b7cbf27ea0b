/**
 * Noninterference by twin run: guest A runs twice beside a guest B that differs in one secret, and whatever A counts
 * differently the second time is what it learns.
 *
 * B's secret decides what one of its pages holds and how many pages it uses. A's own run is the same to the byte: it uses
 * its pages, and memory that was free before. Its ledger may not depend on B. What makes it depend is what the host does
 * for both: merging, one pool for the memory of both, a balloon that grows as B needs. With each guest's share fixed
 * beforehand nothing is left of the last two.
 *
 * Model: B has done what it does before A begins, and each has a processor of its own, so they share no cache.
 * Bias: both.
 *
 * Source: Goguen and Meseguer, "Security Policies and Security Models", S&P 1982; Suzaki et al., EuroSec 2011.
 */
import { type CounterName, counterNames, type Ledger, subtract } from "../../machine/counters.ts";
import { Balloon } from "../../guest/balloon.ts";
import { FrameAllocator } from "../../guest/frames.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Channel, ChannelRow, SecretSettings } from "./channel.ts";
import { cyclesOf } from "./cycles.ts";
import { frameOfPage, type SmallGuest, userPage } from "./small-guest.ts";
import { mergePages, twinEngines, twinGuests, type TwinGuests } from "./twin-guests.ts";

/** Pages that hold something; the first may hold the same in both guests. */
const heldPages = 16;
/** Pages behind them: A's are free, after they have been used once. */
const pages = 384;
/** Pages that B uses more if its secret is 1. */
const morePages = 32;
/** Pages of A's that the host keeps for itself where each guest has its own share. */
const kept = 16;

interface Host extends TwinGuests {
  readonly balloon: Balloon;
  /** Pages that each had in memory before B did what its secret says. */
  readonly before: { readonly a: number; readonly b: number };
}

function limitA({ a }: Host, frames: number): void {
  a.hypervisor.host({ kind: "memory-limit", frames });
}

/** A's free memory goes to the host and comes back. */
function borrow({ balloon }: Host, frames: number): void {
  balloon.resize(frames);
  balloon.resize(0);
}

/** What the host does for its guests, after B and before A runs. */
export const sharings = {
  none: () => undefined,
  merge: (host) => mergePages(host, heldPages),
  "merge, hidden": (host) => mergePages(host, heldPages, "on-any-use"),
  "swap, one pool": (host) => {
    const pool = host.before.a + host.before.b;
    limitA(host, pool - host.b.backed);
  },
  "swap, own share": (host) => limitA(host, host.before.a - kept),
  "balloon, as needed": (host) => borrow(host, host.b.backed - host.before.b),
  "balloon, own share": (host) => borrow(host, kept),
} as const satisfies Record<string, (host: Host) => void>;

export type Sharing = keyof typeof sharings;

interface TwinRun {
  /** What A's run took. */
  readonly counts: Ledger;
  readonly checked: number;
}

/** A's run beside a B with this secret. */
function runBeside(engine: Engine, sharing: Sharing, secret: 0 | 1, check: boolean): TwinRun {
  const { a, b } = twinGuests({ engine, pages, mappedOfB: heldPages, check });
  for (let page = heldPages; page < pages; page++) a.vcpu.read(userPage(page));
  for (const { vcpu } of [a, b]) vcpu.read(userPage(0));
  const free = { first: frameOfPage(heldPages), frames: frameOfPage(pages) };
  const balloon = new Balloon(new FrameAllocator(free, 1), (event) => a.hypervisor.host(event));
  // The same up to here, whatever the secret: then B does what only it should know.
  hold(a, 1, 1);
  hold(b, 2, secret === 0 ? 1 : 2);
  const before = { a: a.backed, b: b.backed };
  for (let page = heldPages; page < heldPages + secret * morePages; page++) {
    b.mapPage(page);
    b.vcpu.read(userPage(page));
  }
  b.vcpu.drain();
  sharings[sharing]({ a, b, balloon, before });
  return { counts: runA(a), checked: (a.oracle?.checked ?? 0) + (b.oracle?.checked ?? 0) };
}

/** The guest's pages hold what nobody else's do, but that the first holds `first`. */
function hold({ vcpu }: SmallGuest, who: number, first: number): void {
  vcpu.store(userPage(0), 0, first, 0);
  for (let page = 1; page < heldPages; page++) vcpu.store(userPage(page), 0, who * 4096 + page, 0);
  vcpu.drain();
}

function runA({ vcpu }: SmallGuest): Ledger {
  const before = vcpu.snapshot().ledger;
  for (let page = 0; page < heldPages; page++) {
    vcpu.read(userPage(page));
    vcpu.write(userPage(page));
  }
  for (let page = heldPages; page < pages; page++) vcpu.write(userPage(page));
  return subtract(vcpu.snapshot().ledger, before);
}

export interface Twin {
  readonly counts: readonly [Ledger, Ledger];
  /** Counters of A's that depend on B's secret. */
  readonly differing: readonly CounterName[];
  readonly checked: number;
}

/** Both runs. */
export function twin(engine: Engine, sharing: Sharing, check: boolean): Twin {
  const [zero, one] = [0, 1].map((secret) =>
    runBeside(engine, sharing, secret as 0 | 1, check),
  ) as [TwinRun, TwinRun];
  const counts = [zero.counts, one.counts] as const;
  const differing = counterNames.filter((name) => zero.counts[name] !== one.counts[name]);
  return { counts, differing, checked: zero.checked + one.checked };
}

export const interference: Channel = {
  title: "Interference: counters of guest A that depend on guest B's secret",
  uses: ["check"],
  summary: [
    "B's secret decides what one of its pages holds, and whether it uses 32 pages more. Then the host does what stands",
    "under sharing, and A runs: the same run to the byte, whose counts must not depend on B. By secret: 0 / 1.",
  ],
  columns: {
    sharing: "sharing",
    scheme: "scheme",
    exits: "A's exits",
    cycles: "A's cycles",
    differing: "counters of A that differ",
  },
  run({ check }: SecretSettings) {
    return (Object.keys(sharings) as Sharing[]).flatMap((sharing) =>
      Object.entries(twinEngines).map(([scheme, engine]): ChannelRow => {
        const { counts, differing } = twin(engine, sharing, check);
        const by = (of: (ledger: Ledger) => number) => `${of(counts[0])} / ${of(counts[1])}`;
        return {
          sharing,
          scheme,
          exits: by(({ exits }) => exits),
          cycles: by(cyclesOf),
          differing: differing.length === 0 ? "none" : differing.join(", "),
        };
      }),
    );
  },
};
