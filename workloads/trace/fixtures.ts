/**
 * Real programs that ship as traces: one line each, and the only list of them. `fixtures/README.md` says how
 * they were recorded.
 */
import { recordedWorkload, type RecordedWorkload } from "./lackey-workload.ts";

export const traceWorkloads = {
  "trace:sqlite3": recordedWorkload({
    title: "sqlite3: a join by an index",
    summary: "A database whose file is larger than its page cache: B-tree walks and pread.",
    path: "fixtures/sqlite3.lackey.zst",
    accesses: 1_818_637,
  }),
  "trace:perl": recordedWorkload({
    title: "perl: a short script, from exec to exit",
    summary: "An interpreter that starts, runs and ends: loader, first touches, heap growth.",
    path: "fixtures/perl.lackey.zst",
    accesses: 2_247_885,
  }),
  "trace:cc1": recordedWorkload({
    title: "cc1: the C compiler at work",
    summary: "A compiler amid its optimization passes: a large program text and a growing heap.",
    path: "fixtures/cc1.lackey.zst",
    accesses: 1_805_490,
  }),
} satisfies Record<string, RecordedWorkload>;
