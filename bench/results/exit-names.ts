/**
 * Why VM exits are taken: the causes that are counted, and what perf calls them on Intel and on AMD.
 *
 * Source: Linux arch/x86/include/uapi/asm/vmx.h and svm.h (VMX_EXIT_REASONS, SVM_EXIT_REASONS).
 */
import { counterNames, type CounterName } from "../../machine/counters.ts";
import type { PresetName } from "../../machine/presets.ts";

/** The counters `exits<Cause>`, which sum to `exits`. */
export type ExitCounter = Exclude<Extract<CounterName, `exits${string}`>, "exits">;
export const exitCounters: readonly ExitCounter[] = counterNames.filter(
  (name): name is ExitCounter => /^exits[A-Z]/.test(name),
);
export type ExitCause = ExitCounter extends `exits${infer Cause}` ? Cause : never;
export const exitCauses: readonly ExitCause[] = exitCounters.map(
  (name) => name.slice("exits".length) as ExitCause,
);

export type Vendor = "intel" | "amd";

/** One name of perf's; several causes may share it. */
export interface ExitName {
  readonly name: string;
  readonly causes: readonly ExitCause[];
}

export const exitNames: Readonly<Record<Vendor, readonly ExitName[]>> = {
  intel: [
    { name: "EXCEPTION_NMI", causes: ["PageFault"] },
    { name: "EPT_VIOLATION", causes: ["EptViolation"] },
    // Model: perf has one mean for all control registers. Bias: unknown; CR3 writes are nearly all of them.
    { name: "CR_ACCESS", causes: ["Cr3Write", "Cr3Read", "Cr0Write", "Cr4Write"] },
    { name: "INVLPG", causes: ["Invlpg"] },
    { name: "INVPCID", causes: ["Invpcid"] },
    { name: "CPUID", causes: ["Cpuid"] },
    { name: "PML_FULL", causes: ["PmlFull"] },
    { name: "EPT_MISCONFIG", causes: ["EptMisconfiguration"] },
    { name: "EXTERNAL_INTERRUPT", causes: ["Other"] },
  ],
  amd: [
    { name: "PF excp", causes: ["PageFault"] },
    { name: "npf", causes: ["EptViolation"] },
    { name: "write_cr3", causes: ["Cr3Write"] },
    { name: "read_cr3", causes: ["Cr3Read"] },
    { name: "write_cr0", causes: ["Cr0Write"] },
    { name: "write_cr4", causes: ["Cr4Write"] },
    { name: "invlpg", causes: ["Invlpg"] },
    { name: "invpcid", causes: ["Invpcid"] },
    { name: "cpuid", causes: ["Cpuid"] },
    { name: "pml_full", causes: ["PmlFull"] },
    { name: "ept_misconfig", causes: ["EptMisconfiguration"] },
    { name: "interrupt", causes: ["Other"] },
  ],
};

const vendors = {
  textbook: "intel",
  "p4-vtx": "intel",
  nehalem: "intel",
  "skylake-sp": "intel",
  "skylake-sp-caches": "intel",
  zen2: "amd",
  yardstick: "intel",
  "qemu-svm": "amd",
} as const satisfies Record<PresetName, Vendor>;

/** Who makes a processor of this name. One that a sweep made up is AMD's if NPT, which is AMD's, ran on it. */
export function vendorOf({ preset, engine }: { preset: string; engine: string }): Vendor {
  const known: Readonly<Record<string, Vendor>> = vendors;
  return known[preset] ?? (engine.startsWith("npt") ? "amd" : "intel");
}
