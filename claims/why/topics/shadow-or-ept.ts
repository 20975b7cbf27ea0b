/**
 * The project's question: the experiments in the order of the argument. A new one is its file and a line here.
 */
import { ablation } from "../experiments/ablation.ts";
import { breakEven } from "../experiments/break-even.ts";
import { cr3 } from "../experiments/cr3.ts";
import { cycles } from "../experiments/cycles.ts";
import { frontier } from "../experiments/frontier.ts";
import { lazy } from "../experiments/lazy.ts";
import { memory } from "../experiments/memory.ts";
import { operations } from "../experiments/operations.ts";
import { published } from "../experiments/published.ts";
import { sensitivity } from "../experiments/sensitivity.ts";
import { realLinux } from "../experiments/real-linux.ts";
import { shadowWins } from "../experiments/shadow-wins.ts";
import { walks } from "../experiments/walks.ts";
import type { Topic } from "../topic.ts";

export const shadowOrEpt = {
  title: "Why EPT beat shadow paging, and when it did not",
  experiments: {
    cycles,
    operations,
    cr3,
    lazy,
    walks,
    "shadow-wins": shadowWins,
    memory,
    ablation,
    frontier,
    "break-even": breakEven,
    sensitivity,
    published,
    "real-linux": realLinux,
  },
} as const satisfies Topic;
