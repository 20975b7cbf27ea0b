/** The registry of commands by what they are for: a new one is its file and a line here. */
import { attack } from "./attack.ts";
import { bench } from "./bench.ts";
import { compare } from "./compare.ts";
import { completion } from "./completion.ts";
import { convert } from "./convert.ts";
import { cost } from "./cost.ts";
import { dma } from "./dma.ts";
import { dirtyLog } from "./dirty-log.ts";
import { fuzz } from "./fuzz.ts";
import { lab } from "./lab.ts";
import { leak } from "./leak.ts";
import { shadowStack } from "./shadow-stack.ts";
import { list } from "./list.ts";
import { migrate } from "./migrate.ts";
import { merge } from "./merge.ts";
import { price } from "./price.ts";
import { report } from "./report.ts";
import { run } from "./run.ts";
import { shard } from "./shard.ts";
import { share } from "./share.ts";
import { speed } from "./speed.ts";
import { submit } from "./submit.ts";
import { trace } from "./trace.ts";
import { walk } from "./walk.ts";
import { why } from "./why.ts";

/** In the order of the help. */
const commandGroups = {
  "Start here:": [walk, run, attack, shadowStack, leak, trace, convert, lab, list],
  "Measure:": [bench, compare, price, cost, report, why],
  "A hypervisor's user space:": [migrate, dirtyLog, share, dma],
  "Many machines:": [shard, merge, submit],
  "The project itself:": [fuzz, speed, completion],
} as const;

export const commands = Object.entries(commandGroups).flatMap(([group, creators]) =>
  creators.map((create) => ({ group, create })),
);
