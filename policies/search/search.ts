/**
 * Every program of a few ops in a guest of four frames: the attacks that there are, found and not thought of.
 *
 * The guest has a page table, the guarded frame t, a frame e of its own, and two pages in that table: T, which is
 * guarded, and A, which is the attacker's. An op stores one of a few entries, invalidates, or stores data. A program is
 * told if it breaks the guard and none of its parts does.
 *
 * Source: Franklin et al. 2008 and the retrospective of SecVisor, whose model checker found two design attacks, the
 * writable alias and the remapping of an approved page, and nothing after the repair.
 */
import { lowHalf } from "../../machine/formats/x86-entry.ts";
import { AttackGuest, evilBytes } from "../attack/attack-guest.ts";
import {
  attackers,
  direct,
  frames,
  guarded,
  places,
  readOnly,
  tableFlags,
} from "../attack/layout.ts";
import { type SchemeName, schemes } from "../attack/schemes.ts";

/** What an entry is for: other rights for T, another frame for T, another name for t. */
type Idea = "widen" | "remap" | "alias";

interface Op {
  readonly text: string;
  readonly idea?: Idea;
  readonly run: (guest: AttackGuest) => void;
}

const { pt, target, evil } = frames;

interface EntryOp {
  readonly page: "T" | "A";
  readonly frame: number;
  readonly flags: number;
  readonly name: string;
  readonly idea: Idea;
}

function entry({ page, frame, flags, name, idea }: EntryOp): Op {
  const index = page === "T" ? places.leaf : places.leaf + 1;
  const text = `pt[${page}] := ${name}`;
  const run = (guest: AttackGuest) => guest.store(direct(pt), index, lowHalf(frame, flags), text);
  return { text, idea, run };
}

const invlpg = (page: "T" | "A"): Op => {
  const vpn = page === "T" ? guarded : attackers;
  const text = `invlpg ${page}`;
  return { text, run: (guest) => guest.step(text, (vcpu) => vcpu.invlpg(vpn)) };
};

const store = (page: "T" | "A"): Op => {
  const text = `store ${page}, evil`;
  return {
    text,
    run: (guest) => guest.store(page === "T" ? guarded : attackers, 0, evilBytes, text),
  };
};

const alphabet: readonly Op[] = [
  entry({ page: "T", frame: target, flags: tableFlags, name: "t|W", idea: "widen" }),
  entry({ page: "T", frame: evil, flags: readOnly, name: "e", idea: "remap" }),
  entry({ page: "T", frame: evil, flags: tableFlags, name: "e|W", idea: "remap" }),
  entry({ page: "A", frame: target, flags: tableFlags, name: "t|W", idea: "alias" }),
  entry({ page: "A", frame: target, flags: readOnly, name: "t", idea: "alias" }),
  invlpg("T"),
  invlpg("A"),
  store("T"),
  store("A"),
];

export interface Search {
  /** Programs run. */
  readonly programs: number;
  /** Those that break the guard, no part of which does, as texts of their ops. */
  readonly attacks: readonly (readonly string[])[];
  /** What their entries are for: the design attacks. */
  readonly ideas: readonly Idea[];
}

/** All programs of up to `lengthMax` ops against a scheme, the shortest first. */
export function searchAttacks(scheme: SchemeName, lengthMax: number): Search {
  let programs = 0;
  const attacks: Op[][] = [];
  for (let length = 1; length <= lengthMax; length++) {
    for (const ops of sequences(length)) {
      if (attacks.some((attack) => isPart(attack, ops))) continue;
      programs += 1;
      if (breaks(scheme, ops)) attacks.push(ops);
    }
  }
  const ideas = new Set(attacks.flat().flatMap(({ idea }) => idea ?? []));
  return {
    programs,
    attacks: attacks.map((ops) => ops.map(({ text }) => text)),
    ideas: [...ideas].toSorted(),
  };
}

function breaks(scheme: SchemeName, ops: readonly Op[]): boolean {
  const guest = new AttackGuest(schemes[scheme], false);
  guest.warm();
  guest.lock();
  guest.warm();
  for (const op of ops) op.run(guest);
  return guest.vcpu.load(guarded, 0) === evilBytes;
}

function* sequences(length: number): Generator<Op[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const first of alphabet) for (const rest of sequences(length - 1)) yield [first, ...rest];
}

/** Are the ops of `part` among `ops`, in their order? */
function isPart(part: readonly Op[], ops: readonly Op[]): boolean {
  let found = 0;
  for (const op of ops) if (op === part[found]) found += 1;
  return found === part.length;
}
