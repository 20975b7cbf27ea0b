/**
 * The attacks on a shadow stack: the attacker has overwritten the return address on the program's own stack, which nobody
 * guards, and tries to make the shadow stack say the same.
 */
import { lowHalf } from "../../machine/formats/x86-entry.ts";
import { type AttackGuest, evilBytes } from "../attack/attack-guest.ts";
import {
  attackers,
  direct,
  frames,
  guarded,
  places,
  readOnly,
  tableFlags,
} from "../attack/layout.ts";
import { code, slotAt } from "./stack-program.ts";

export interface StackAttack {
  readonly title: string;
  /** `depth` is the entry of the stack that the program returns by next. */
  readonly run: (guest: AttackGuest, depth: number) => void;
}

const { pt, target, evil } = frames;

function editEntry(guest: AttackGuest, frame: typeof target, flags: number, text: string): void {
  guest.store(direct(pt), places.leaf, lowHalf(frame, flags), text);
  guest.step("invlpg T", (vcpu) => vcpu.invlpg(guarded));
}

/** The guest's own entry lets everybody store to T. */
export function openPage(guest: AttackGuest): void {
  editEntry(guest, target, tableFlags, "store pt[iT], t|P|W|A|D");
}

export const stackAttacks = {
  store: {
    title: "store to the shadow stack's page T",
    run: (guest, depth) => guest.store(guarded, depth, evilBytes, "store T, evil"),
  },
  alias: {
    title: "store to its frame t by another name",
    run: (guest, depth) => guest.store(direct(target), depth, evilBytes, "store dm(t), evil"),
  },
  widen: {
    title: "make T writable, store, make it what it was",
    run(guest, depth) {
      openPage(guest);
      guest.store(guarded, depth, evilBytes, "store T, evil");
      editEntry(guest, target, readOnly, "store pt[iT], t|P|A|D");
    },
  },
  remap: {
    title: "let T name a frame of the attacker's with the address in it",
    run(guest, depth) {
      guest.store(direct(evil), depth, evilBytes, "store dm(e), evil");
      editEntry(guest, evil, readOnly, "store pt[iT], e|P|A|D");
    },
  },
  forge: {
    title: "run the program's call of its hypervisor with the address in a register",
    run(guest, index) {
      const { offset } = slotAt(index);
      guest.step("vmcall at the program's site, evil", (vcpu) =>
        vcpu.hypercall({ page: code, offset, index, low: evilBytes, high: 0 }),
      );
    },
  },
  view: {
    title: "take the monitor's view by VMFUNC, then store to t",
    run(guest, depth) {
      guest.step("vmfunc 0, view 1", (vcpu) => vcpu.vmfunc(1));
      fetchOwn(guest);
      guest.store(direct(target), depth, evilBytes, "store dm(t), evil");
    },
  },
} as const satisfies Record<string, StackAttack>;

/** The attacker's code runs. */
export function fetchOwn(guest: AttackGuest): void {
  guest.step("fetch the attacker's code", (vcpu) => {
    vcpu.fetch(attackers);
    vcpu.drain();
  });
}

export type StackAttackName = keyof typeof stackAttacks;
export const stackAttackNames = Object.keys(stackAttacks) as StackAttackName[];
