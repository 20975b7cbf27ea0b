/** The registry of commands: a new one is its file and a line here. */
import { bench } from "./bench.ts";
import { cost } from "./cost.ts";
import { dma } from "./dma.ts";
import { dirtyLog } from "./dirty-log.ts";
import { fuzz } from "./fuzz.ts";
import { lab } from "./lab.ts";
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

export const commands = [
  bench,
  shard,
  merge,
  submit,
  why,
  report,
  lab,
  run,
  walk,
  share,
  dma,
  trace,
  dirtyLog,
  migrate,
  fuzz,
  price,
  cost,
  speed,
  list,
];
