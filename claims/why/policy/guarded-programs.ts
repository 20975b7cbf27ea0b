/**
 * The seven programs of the topic, at their default sizes: from those that live on table changes to one with none.
 */
export const guardedPrograms = [
  { workload: "forkwait" },
  { workload: "mprotect-gc" },
  { workload: "syscalls" },
  { workload: "boot" },
  { workload: "compile" },
  { workload: "key-value" },
  { workload: "uniform" },
] as const;
