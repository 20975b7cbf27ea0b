/** The registry of commands: a new one is its file and a line here. */
import { bench } from "./bench.ts";
import { cost } from "./cost.ts";
import { fuzz } from "./fuzz.ts";
import { list } from "./list.ts";
import { price } from "./price.ts";
import { run } from "./run.ts";
import { speed } from "./speed.ts";
import { trace } from "./trace.ts";
import { walk } from "./walk.ts";
import { why } from "./why.ts";

export const commands = [bench, why, run, walk, trace, fuzz, price, cost, speed, list];
