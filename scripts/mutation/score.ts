/** What a run says: the score of each room, and every mutant that no test noticed. */
import { matchesGlob } from "node:path";
import type { Mutant } from "./mutants.ts";
import { goalPercents, type Room, rooms, type Score } from "./rooms.ts";

/**
 * `static`: only code that runs while a file loads reaches it, so it cannot be switched on later; not scored.
 * `uncovered`: no test runs the place; scored as survived.
 */
export type Status = "killed" | "survived" | "uncovered" | "static";

/** What became of a mutant, as it is kept from run to run. */
export interface Outcome {
  readonly id: string;
  readonly file: string;
  readonly status: Status;
}

export interface RoomScore {
  readonly name: Score;
  readonly goalPercent: number;
  readonly killed: number;
  readonly survived: number;
  /** Of the survivors, those that the list of known ones calls equivalent: no test could tell them apart. */
  readonly equivalent: number;
  readonly unscored: number;
  /** Of all but the equivalent ones. */
  readonly percent: number;
}

export function roomOf(file: string): Room | undefined {
  return rooms.find(({ files }) => files.some((glob) => matchesGlob(file, glob)));
}

export function scoreRooms(
  outcomes: readonly Outcome[],
  isEquivalent: (id: string) => boolean,
): RoomScore[] {
  return (Object.keys(goalPercents) as Score[]).map((name) => {
    const own = outcomes.filter(({ file }) => roomOf(file)?.score === name);
    const killed = own.filter(({ status }) => status === "killed").length;
    const unscored = own.filter(({ status }) => status === "static").length;
    const alive = own.filter(isAlive);
    const equivalent = alive.filter(({ id }) => isEquivalent(id)).length;
    const counted = killed + alive.length - equivalent;
    const percent = counted === 0 ? 100 : (100 * killed) / counted;
    return {
      name,
      goalPercent: goalPercents[name],
      killed,
      survived: alive.length,
      equivalent,
      unscored,
      percent,
    };
  });
}

export function isAlive({ status }: Pick<Outcome, "status">): boolean {
  return status === "survived" || status === "uncovered";
}

export function scoreLines(scores: readonly RoomScore[]): string[] {
  return scores.map((score) => {
    const { name, goalPercent, killed, survived, equivalent, unscored, percent } = score;
    const counted = killed + survived - equivalent;
    const rest = [
      ...(equivalent > 0 ? [`${equivalent} equivalent`] : []),
      ...(unscored > 0 ? [`${unscored} static`] : []),
    ];
    const apart = rest.length === 0 ? "" : `; apart: ${rest.join(", ")}`;
    return `${name}: ${percent.toFixed(1)} % killed (${killed} of ${counted}, goal ${goalPercent} %)${apart}`;
  });
}

/** The change as a person reads a diff, long blocks by their first line. */
export function mutantLine({ file, at, mutator, original, replacement }: Mutant): string {
  return `${file}:${at.start.line}:${at.start.column + 1} ${mutator}: ${short(original)} -> ${short(replacement)}`;
}

const shownMax = 70;

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > shownMax
    ? `${line.slice(0, shownMax)}...`
    : line === ""
      ? "(nothing)"
      : line;
}
