/** A balloon in each guest: it holds all free memory, and gives half of it back and takes it again in turn. */
import type { Scenario } from "../scenario.ts";

export const balloon: Scenario = {
  title: "Ballooning",
  summary: "the guest gives its free memory to the host, gets half of it back, gives it again",
  guests: 1,
  clones: false,
  uses: ["every"],
  // Free memory that no guest ever used costs the host nothing, so there is nothing to give back.
  kernel: { usedMemory: true },
  started(guests) {
    for (const guest of guests) guest.balloon.resize(Infinity);
  },
  act(guests) {
    for (const { balloon: own } of guests) {
      own.resize(own.size < own.heldMax ? Infinity : Math.floor(own.heldMax / 2));
    }
  },
};
