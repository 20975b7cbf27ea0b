/**
 * The processors of one kernel, as far as they owe each other flushes.
 *
 * Whoever changes entries of an address space interrupts every other processor that runs in it, and goes on when all have
 * flushed (TLB shootdown). A processor that has left the space, and only keeps its PCID, is spared: it compares the space's
 * generation when it comes back.
 *
 * Model: an interrupt is there at once, between two instructions of a program; who sends it writes no register. Bias: for
 * shadow, whose guests exit when they flush.
 *
 * Source: Linux arch/x86/mm/tlb.c (`flush_tlb_mm_range`, `flush_tlb_func`, `switch_mm_irqs_off`).
 */
import type { AddressSpace } from "./address-space.ts";
import type { Contexts, Neighbours } from "./contexts.ts";

export interface Processor {
  readonly contexts: Contexts;
  /** Runs `body` in the kernel in place of the program, and drains. */
  readonly interrupt: (body: () => void) => void;
}

export class Processors implements Neighbours {
  /** Interrupts that one processor's flush was for another. */
  shootdowns = 0;
  private readonly all: Processor[] = [];

  join(processor: Processor): void {
    this.all.push(processor);
  }

  flush(asker: Contexts, space: AddressSpace, drop: (contexts: Contexts) => void): void {
    for (const { contexts, interrupt } of this.all) {
      if (contexts === asker || !contexts.isLoaded(space)) continue;
      this.shootdowns += 1;
      interrupt(() => drop(contexts));
    }
  }
}
