/**
 * A program whose calls and returns keep a second stack of return addresses, in the page that attacks are made on.
 *
 * The guest is that of the attacks: T is the shadow stack's page and t its frame, so that what an attack does to a locked
 * page it does to a stack. Beside the call's own push the program makes a second one, by whatever way its scheme has; a
 * return loads both addresses and goes on only if they are the same.
 *
 *     frame 44      code: four call sites        frame 45   the monitor's gate, where there is one
 *     frames 51..   the attacker's               frame 55   the program's own stack
 */
import { monitorView, programsView } from "../../engines/ept-views.ts";
import { returnAddress } from "../../hypervisor/policy/stack-calls.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { direct, frames, guarded } from "../attack/layout.ts";

/** How the second push is made. */
export type Push = (vcpu: Vcpu, site: Vpn, at: StackSlot) => void;
/** How a return loads what was pushed. */
export type Pop = (vcpu: Vcpu, index: number) => number;

export interface StackSlot {
  /** Entry of the stack. */
  readonly index: number;
  /** Offset of the call in the code page. */
  readonly offset: number;
}

export const code = direct(44 as Gfn);
const gate = direct(frames.monitor);
export const ownStack = direct(55 as Gfn);

/** Bytes of code from one call site to the next. */
const siteBytes = 32;
const sites = 4;

export function slotAt(depth: number): StackSlot {
  return { index: depth, offset: (depth % sites) * siteBytes };
}

export const pushes = {
  /** An ordinary store. */
  store: (vcpu, page, { index, offset }) => {
    const { low, high } = returnAddress({ page, offset });
    vcpu.store(guarded, index, low, high);
  },
  /** A call of the hypervisor. */
  hypercall: (vcpu, page, { index, offset }) => {
    const { low, high } = returnAddress({ page, offset });
    vcpu.hypercall({ page, offset, index, low, high });
  },
  /** A store in the monitor's view, behind its gate. */
  window: (vcpu, page, slot) => {
    openWindow(vcpu, page, slot);
    vcpu.vmfunc(programsView);
    vcpu.fetch(gate);
  },
  /** What CALL does by itself where there are shadow stacks. */
  silicon: (vcpu, page, { index, offset }) => {
    const { low, high } = returnAddress({ page, offset });
    vcpu.pushShadow(guarded, index, low, high);
  },
  /** The same, and the view is left open: a bug. */
  leftOpen: openWindow,
} as const satisfies Record<string, Push>;

function openWindow(vcpu: Vcpu, page: Vpn, { index, offset }: StackSlot): void {
  const { low, high } = returnAddress({ page, offset });
  vcpu.fetch(gate);
  vcpu.vmfunc(monitorView);
  vcpu.fetch(gate);
  vcpu.store(guarded, index, low, high);
  vcpu.fetch(gate);
}

/** A call at its site: both pushes. */
export function call(vcpu: Vcpu, push: Push, depth: number): void {
  plainCall(vcpu, depth);
  push(vcpu, code, slotAt(depth));
}

/** A call that pushes to the program's own stack alone. */
export function plainCall(vcpu: Vcpu, depth: number): void {
  const { index, offset } = slotAt(depth);
  vcpu.fetch(code, offset);
  const { low, high } = returnAddress({ page: code, offset });
  vcpu.store(ownStack, index, low, high);
}

/** What a return finds on both stacks. */
export interface Returned {
  readonly own: number;
  readonly shadow: number;
}

export function ret(vcpu: Vcpu, pop: Pop, depth: number): Returned {
  const own = vcpu.load(ownStack, depth);
  const shadow = pop(vcpu, depth);
  return { own, shadow };
}

/** By an ordinary load, and as RET does where there are shadow stacks. */
export const pops = {
  load: (vcpu, index) => vcpu.load(guarded, index),
  silicon: (vcpu, index) => vcpu.loadShadow(guarded, index),
} as const satisfies Record<string, Pop>;
