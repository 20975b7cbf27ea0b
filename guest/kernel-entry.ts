/**
 * The way into the kernel and out again, as silicon sees it: code fetched, stacks touched, CR3 written.
 *
 * Entry code runs from the entry area, which user tables map too; under KPTI it first changes to the kernel's
 * tables and fetches its next instruction through those. Without KPTI the same path lacks both CR3 writes.
 *
 * Source: Linux arch/x86/entry/entry_64.S (entry_SYSCALL_64, swapgs_restore_regs_and_return_to_usermode).
 */
import type { Vpn } from "../machine/address.ts";
import type { Vcpu } from "../machine/vcpu.ts";
import type { Contexts } from "./contexts.ts";
import { entryPages, type KernelLayout, type TextPage, textPages } from "./layout.ts";

export class KernelEntry {
  private readonly vcpu: Vcpu;
  private readonly contexts: Contexts;
  private readonly text: Vpn;
  private readonly entryText: Vpn;
  private readonly descriptors: Vpn;
  private readonly entryStack: Vpn;

  constructor(vcpu: Vcpu, contexts: Contexts, layout: KernelLayout) {
    this.vcpu = vcpu;
    this.contexts = contexts;
    this.text = layout.text;
    this.entryText = (layout.entryArea + entryPages.text) as Vpn;
    this.descriptors = (layout.entryArea + entryPages.descriptors) as Vpn;
    this.entryStack = (layout.entryArea + entryPages.stack) as Vpn;
  }

  /** SYSCALL. `stack` is the process's kernel stack. */
  systemCall(stack: Vpn): void {
    // What the program did so far meets the kernel's state as it is before the call.
    this.vcpu.drain();
    this.vcpu.setPrivilege("supervisor");
    this.vcpu.fetch(this.entryText);
    this.vcpu.write(this.entryStack);
    this.changeTables(stack);
    this.run("systemCall");
  }

  /** An exception: silicon reads the gate and the task segment, and pushes on the entry stack. */
  exception(stack: Vpn): void {
    this.vcpu.setPrivilege("supervisor");
    this.vcpu.read(this.descriptors);
    this.vcpu.write(this.entryStack);
    this.vcpu.fetch(this.entryText);
    this.changeTables(stack);
  }

  /** Kernel code of one subsystem runs. */
  run(page: TextPage): void {
    this.vcpu.fetch((this.text + textPages[page]) as Vpn);
  }

  /** Back to user mode, to go on at `userText` (null: at an instruction that silicon fetches itself). */
  leave(stack: Vpn, userText: Vpn | null): void {
    this.vcpu.read(stack);
    this.vcpu.fetch(this.entryText);
    // The last pops before the return come from the entry stack, for the process's own is out of reach then.
    this.vcpu.write(this.entryStack);
    this.contexts.leaveKernel();
    this.vcpu.fetch(this.entryText);
    this.vcpu.read(this.entryStack);
    this.vcpu.setPrivilege("user");
    if (userText !== null) this.vcpu.fetch(userText);
  }

  private changeTables(stack: Vpn): void {
    this.contexts.enterKernel();
    this.vcpu.fetch(this.entryText);
    this.vcpu.write(stack);
  }
}
