/**
 * A sheet of exercises from a seed, and the marks for answers to it.
 *
 * Same seed, same sheet: a class gets one each, the teacher keeps the numbers and nothing else.
 */
import { Prng } from "../../guest/prng.ts";
import { ConfigError, quote } from "../../bench/input/config-error.ts";
import type { Exercise } from "./exercise.ts";
import { exerciseKinds } from "./kinds.ts";

export interface SheetChoice {
  readonly seed: number;
  readonly count: number;
}

export function makeSheet({ seed, count }: SheetChoice): Exercise[] {
  const prng = new Prng(seed);
  return Array.from({ length: count }, (_, index) => {
    // Kinds take turns, so that a short sheet has all of them.
    const ask = exerciseKinds[index % exerciseKinds.length] ?? exerciseKinds[0];
    return ask(prng);
  });
}

export interface Mark {
  /** Of the exercise, from 1. */
  readonly number: number;
  /** Null: not answered. */
  readonly given: number | null;
  readonly isRight: boolean;
}

/** Marks a file of lines `NUMBER: ANSWER`; `#` starts a comment. */
export function grade(sheet: readonly Exercise[], text: string, file: string): Mark[] {
  const answers = readAnswers(text, file, sheet.length);
  return sheet.map(({ answer }, index) => {
    const given = answers.get(index + 1) ?? null;
    return { number: index + 1, given, isRight: given === answer };
  });
}

function readAnswers(text: string, file: string, count: number): ReadonlyMap<number, number> {
  const answers = new Map<number, number>();
  text.split("\n").forEach((whole, index) => {
    const line = whole.replace(/#.*/, "").trim();
    if (line === "") return;
    const place = `${file}:${index + 1}`;
    const parts = /^(\d{1,4})\s*[:=,\s]\s*(\d{1,12})$/.exec(line);
    if (parts === null) {
      throw new ConfigError(
        `${place}: ${quote(line)}: must be an exercise and a number, as in 2: 24`,
      );
    }
    const number = Number(parts[1]);
    if (number < 1 || number > count) {
      throw new ConfigError(`${place}: exercise ${number}: must be from 1 to ${count}`);
    }
    if (answers.has(number)) throw new ConfigError(`${place}: exercise ${number}: answered twice`);
    answers.set(number, Number(parts[2]));
  });
  return answers;
}
