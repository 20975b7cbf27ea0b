/**
 * Merging as a channel: a guest that guesses what its neighbour holds writes the guess into a page of its own, waits, and
 * uses the page. If it was merged, its first use takes an exit that no other page's takes.
 *
 * Hidden merging takes every right from all that stood still, merged or not, and copies each at its next use, so the guess
 * costs the same whether it is right or wrong.
 *
 * Each bit of the secret is whether the neighbour holds one guess. The attacker has a second page per guess that holds
 * what nobody holds, and calls the guess right if its page costs more. A bit is learned if the call changes with it: all
 * is run again with every bit the other way.
 *
 * Source: Suzaki et al., "Memory Deduplication as a Threat to the Guest OS", EuroSec 2011; Oliverio et al., "Secure Page
 * Fusion with VUsion", SOSP 2017.
 */
import { addInto, createLedger, type Ledger, subtract } from "../../machine/counters.ts";
import { Prng } from "../../guest/prng.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import type { Unmerging } from "../../hypervisor/memory/merger.ts";
import type { Channel, ChannelRow, SecretSettings } from "./channel.ts";
import { cyclesOf } from "./cycles.ts";
import { type SmallGuest, userPage } from "./small-guest.ts";
import { mergePages, twinEngines, twinGuests } from "./twin-guests.ts";

export const mergings = { none: null, merge: "on-write", "merge, hidden": "on-any-use" } as const;
export type Merging = keyof typeof mergings;

export type Use = "load" | "store";

export interface MergeProbe {
  /** By bit: what the attacker says of it. */
  readonly calls: readonly boolean[];
  /** What its uses of pages took that are held by nobody else, and of those that are. */
  readonly alone: Ledger;
  readonly merged: Ledger;
  readonly checked: number;
}

/** Pages of a guess: the guess itself, and what nobody holds. */
const pagesPerGuess = 2;
/** What pages hold: A's guesses, A's others, B's others. */
const [guesses, ofA, ofB] = [0x10000, 0x20000, 0x30000] as const;

/** The attacker A beside a B that holds what A guesses where `secret` is true. */
export function probeMerged(
  engine: Engine,
  unmerging: Unmerging | null,
  {
    secret,
    use,
    check,
  }: { readonly secret: readonly boolean[]; readonly use: Use; readonly check: boolean },
): MergeProbe {
  const pages = pagesPerGuess * secret.length;
  const twins = twinGuests({ engine, pages, check });
  const { a, b } = twins;
  for (const [i, isHeld] of secret.entries()) {
    hold(a, pagesPerGuess * i, guesses + i);
    hold(a, pagesPerGuess * i + 1, ofA + i);
    hold(b, pagesPerGuess * i, (isHeld ? guesses : ofB) + i);
    hold(b, pagesPerGuess * i + 1, ofB + secret.length + i);
  }
  for (const { vcpu } of [a, b]) vcpu.drain();
  if (unmerging !== null) mergePages(twins, pages, unmerging);
  const calls: boolean[] = [];
  const [alone, merged] = [createLedger(), createLedger()];
  for (const [i, isHeld] of secret.entries()) {
    const other = usePage(a, pagesPerGuess * i + 1, use);
    const guess = usePage(a, pagesPerGuess * i, use);
    calls.push(cyclesOf(guess) > cyclesOf(other));
    addInto(alone, other);
    addInto(isHeld ? merged : alone, guess);
  }
  const checked = (a.oracle?.checked ?? 0) + (b.oracle?.checked ?? 0);
  return { calls, alone, merged, checked };
}

function hold({ vcpu }: SmallGuest, page: number, what: number): void {
  vcpu.store(userPage(page), 0, what, 0);
}

/** What one use takes. */
function usePage({ vcpu }: SmallGuest, page: number, use: Use): Ledger {
  const before = vcpu.snapshot().ledger;
  if (use === "load") vcpu.read(userPage(page));
  else vcpu.write(userPage(page));
  return subtract(vcpu.snapshot().ledger, before);
}

export function drawHeld({ seed, bits }: SecretSettings): boolean[] {
  const prng = new Prng(seed);
  return Array.from({ length: bits }, () => prng.chance(50));
}

/** Bits that decide what the attacker says of them. */
export function bitsLearned(
  engine: Engine,
  unmerging: Unmerging | null,
  { use, settings }: { readonly use: Use; readonly settings: SecretSettings },
): number {
  const { check } = settings;
  const secret = drawHeld(settings);
  const other = secret.map((isHeld) => !isHeld);
  const [calls, otherCalls] = [secret, other].map(
    (held) => probeMerged(engine, unmerging, { secret: held, use, check }).calls,
  );
  return secret.filter((_, i) => calls?.[i] !== otherCalls?.[i]).length;
}

export const mergeProbe: Channel = {
  title: "Merging: a neighbour's memory guessed by what a page costs that may have been merged",
  uses: ["seed", "bits", "check"],
  summary: [
    "A writes a guess into a page, the host merges, A uses the page: a load or a store. Each bit is whether B holds one",
    "guess. Hidden: all that stood still loses its rights and is copied at its next use, merged or not. The last columns",
    "are what a store costs to pages that nobody else holds, and to those that were merged.",
  ],
  columns: {
    merging: "merging",
    scheme: "scheme",
    byLoad: "bits by loads",
    byStore: "bits by stores",
    aloneExits: "exits alone",
    mergedExits: "exits merged",
    aloneCycles: "cycles alone",
    mergedCycles: "cycles merged",
  },
  run(settings) {
    const { bits, check } = settings;
    const secret = drawHeld(settings);
    const held = secret.filter((isHeld) => isHeld).length;
    return (Object.keys(mergings) as Merging[]).flatMap((merging) =>
      Object.entries(twinEngines).map(([scheme, engine]): ChannelRow => {
        const unmerging = mergings[merging];
        const learned = (use: Use) =>
          `${bitsLearned(engine, unmerging, { use, settings })} of ${bits}`;
        const { alone, merged } = probeMerged(engine, unmerging, { secret, use: "store", check });
        const each = (sum: number, pages: number) =>
          pages === 0 ? "" : Number((sum / pages).toPrecision(4));
        return {
          merging,
          scheme,
          byLoad: learned("load"),
          byStore: learned("store"),
          aloneExits: each(alone.exits, 2 * bits - held),
          mergedExits: each(merged.exits, held),
          aloneCycles: each(cyclesOf(alone), 2 * bits - held),
          mergedCycles: each(cyclesOf(merged), held),
        };
      }),
    );
  },
};
