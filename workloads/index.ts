/**
 * The registry of workloads: one line each, and the only list of them.
 */
import { boot } from "./boot.ts";
import { btree } from "./btree.ts";
import { compile } from "./compile.ts";
import { contextSwitch } from "./context-switch.ts";
import { cowSnapshot } from "./cow-snapshot.ts";
import { demandStorm } from "./demand-storm.ts";
import { forkwait } from "./forkwait.ts";
import { frontier } from "./frontier.ts";
import { gups } from "./gups.ts";
import { hotWrite } from "./hot-write.ts";
import { keyValue } from "./key-value.ts";
import { mmapChurn } from "./mmap-churn.ts";
import { mprotectGc } from "./mprotect-gc.ts";
import { pointerChase } from "./pointer-chase.ts";
import { sequential } from "./sequential.ts";
import { sideBySide } from "./side-by-side.ts";
import { steadyWriter } from "./steady-writer.ts";
import { strided } from "./strided.ts";
import { syscalls } from "./syscalls.ts";
import { uniform } from "./uniform.ts";
import { zipf } from "./zipf.ts";
import { traceWorkloads } from "./trace/fixtures.ts";
import { linuxWorkloads } from "./trace/linux.ts";
import type { Workload } from "./workload.ts";

export const workloads = {
  sequential,
  strided,
  uniform,
  zipf,
  "pointer-chase": pointerChase,
  gups,
  btree,
  "demand-storm": demandStorm,
  forkwait,
  "cow-snapshot": cowSnapshot,
  "mmap-churn": mmapChurn,
  "mprotect-gc": mprotectGc,
  "context-switch": contextSwitch,
  syscalls,
  compile,
  boot,
  "key-value": keyValue,
  "hot-write": hotWrite,
  "steady-writer": steadyWriter,
  "side-by-side": sideBySide,
  frontier,
  ...traceWorkloads,
  ...linuxWorkloads,
} satisfies Record<string, Workload>;
