/**
 * A line of KVM's tracepoint kvm_exit, as `perf script`, `perf trace` and `trace-cmd` print it.
 *
 *     CPU 0/KVM  4242 [003] 12.345: kvm:kvm_exit: vcpu 0 reason EPT_VIOLATION rip 0x... info1 0x... info2 0x... intr_info 0x...
 *     qemu-4242 [003] 12.345: kvm_exit: reason EXCEPTION_NMI rip 0x... info 0 80000b0e                        before Linux 5.10
 *
 * Intel has one reason for every exception and one for every control register; what tells them apart stands in the line.
 *
 * Source: Linux arch/x86/kvm/trace.h, TRACE_EVENT_KVM_EXIT; arch/x86/include/uapi/asm/vmx.h and svm.h, VMX_EXIT_REASONS and
 * SVM_EXIT_REASONS; SDM vol. 3C 28.2.1, "Exit Qualification for Control-Register Accesses", 25.9.2 for the vector.
 */
import { type ExitCause, exitNames } from "../../bench/results/exit-names.ts";

export interface KvmExitLine {
  /** What the tracepoint calls it, such as `npf`. */
  readonly name: string;
  /** Exits of ours that it may be; none for a port, an MSR, HLT, an interrupt. */
  readonly causes: readonly ExitCause[];
}

const pageFaultVector = 14;
const registerCauses: Readonly<Record<number, readonly [write: ExitCause, read: ExitCause]>> = {
  3: ["Cr3Write", "Cr3Read"],
};
/** Written, or changed by CLTS and LMSW; KVM lets their reads pass. */
const writtenCauses: Readonly<Record<number, ExitCause>> = { 0: "Cr0Write", 4: "Cr4Write" };
/** AMD's exit for a store that changes other bits of CR0 than TS and MP. */
const selective = "cr0_sel_write";

/** Null for a line that is no exit. */
export function kvmExitLine(line: string): KvmExitLine | null {
  // The name is all between `reason` and what follows.
  const name = /\bkvm_exit:.*?\breason:?\s+(.+?)(?=\s+(?:rip|info|guest_rip)\b|$)/.exec(line)?.[1];
  if (name === undefined) return null;
  const causes = [...exitNames.intel, ...exitNames.amd]
    .filter((known) => known.name === name)
    .flatMap((known) => known.causes)
    .filter((cause) => cause !== "Other");
  if (name === selective) return { name, causes: ["Cr0Write"] };
  if (name === "CR_ACCESS") return { name, causes: controlRegister(line) ?? causes };
  if (name === "EXCEPTION_NMI" && (vectorOf(line) ?? pageFaultVector) !== pageFaultVector) {
    return { name, causes: [] };
  }
  return { name, causes };
}

/** Number of the register in bits 3:0, read if bits 5:4 are 1. */
function controlRegister(line: string): readonly ExitCause[] | null {
  const text =
    /\binfo1 0x([\da-f]+)/.exec(line)?.[1] ?? /\binfo ([\da-f]+) [\da-f]+/.exec(line)?.[1];
  if (text === undefined) return null;
  const qualification = Number.parseInt(text.slice(-2), 16);
  const register = qualification % 16;
  const isRead = Math.floor(qualification / 16) % 4 === 1;
  const both = registerCauses[register];
  if (both !== undefined) return [isRead ? both[1] : both[0]];
  const written = writtenCauses[register];
  return written === undefined || isRead ? [] : [written];
}

/** The exception's vector, from the interruption information. */
function vectorOf(line: string): number | null {
  const text =
    /\bintr_info 0x([\da-f]+)/.exec(line)?.[1] ?? /\binfo [\da-f]+ ([\da-f]+)/.exec(line)?.[1];
  return text === undefined ? null : Number.parseInt(text.slice(-2), 16);
}
