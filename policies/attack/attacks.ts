/**
 * The attacks: short supervisor programs that try to make the guarded page T give the attacker's bytes.
 *
 * Source: the SecVisor retrospective (writable alias, remapping); S. Tanda, "Intel VT-rp" parts 1 and 2 (remapping
 * against KDP); J. Mattson on LKML, October 2019 (stores that the hypervisor emulates).
 */
import { lowHalf } from "../../machine/formats/x86-entry.ts";
import { type AttackGuest, evilBytes } from "./attack-guest.ts";
import {
  attackers,
  behindFreeEntry,
  direct,
  frames,
  guarded,
  places,
  readOnly,
  tableFlags,
} from "./layout.ts";

export interface Attack {
  readonly letter: string;
  readonly title: string;
  /** Done before the rules are enacted, with nothing warmed up in between: what caches remember. */
  readonly before?: (guest: AttackGuest) => void;
  readonly run: (guest: AttackGuest) => void;
}

const { root, pdpt, pd, pt, target, evil, spare } = frames;
const [e1, e2, e3, e4] = spare as [
  (typeof spare)[number],
  (typeof spare)[number],
  (typeof spare)[number],
  (typeof spare)[number],
];

/** Entries of 8 bytes in a line of the finest lock. */
const lineEntries = 16;

function invalidate(guest: AttackGuest): void {
  guest.step("invlpg T", (vcpu) => vcpu.invlpg(guarded));
}

function storeThrough(guest: AttackGuest, name: "T" | "dm(t)"): void {
  guest.store(name === "T" ? guarded : direct(target), 0, evilBytes, `store ${name}, evil`);
}

function copyTable(guest: AttackGuest, to: (typeof spare)[number], from: typeof root): void {
  guest.step(`copy frame ${from} to ${to}`, (vcpu) => vcpu.copyPage(direct(to), direct(from)));
}

export const attacks = {
  widen: {
    letter: "W",
    title: "widen T's entry, then store to T",
    run(guest) {
      guest.store(direct(pt), places.leaf, lowHalf(target, tableFlags), "store pt[iT], t|P|W|A|D");
      invalidate(guest);
      storeThrough(guest, "T");
    },
  },
  alias: {
    letter: "L",
    title: "store to t by another name",
    run: (guest) => storeThrough(guest, "dm(t)"),
  },
  remap: {
    letter: "R",
    title: "let T's entry name another frame",
    run(guest) {
      guest.store(direct(pt), places.leaf, lowHalf(evil, readOnly), "store pt[iT], e|P|A|D");
      invalidate(guest);
    },
  },
  "upper-remap": {
    letter: "U",
    title: "let the entry above name another table",
    run(guest) {
      copyTable(guest, e2, pt);
      guest.store(direct(e2), places.leaf, lowHalf(evil, readOnly), "store e2[iT], e|P|A|D");
      guest.store(
        direct(pd),
        places.directory,
        lowHalf(e2, tableFlags),
        "store pd[jT], e2|P|W|A|D",
      );
      invalidate(guest);
    },
  },
  "new-root": {
    letter: "C",
    title: "load a copy of all tables, changed",
    run(guest) {
      copyTable(guest, e1, root);
      copyTable(guest, e2, pdpt);
      copyTable(guest, e3, pd);
      copyTable(guest, e4, pt);
      const link = (at: typeof root, index: number, to: typeof root, text: string) =>
        guest.store(direct(at), index, lowHalf(to, tableFlags), text);
      link(e1, places.root, e2, "link e1 to e2");
      link(e2, places.pdpt, e3, "link e2 to e3");
      link(e3, places.directory, e4, "link e3 to e4");
      guest.store(direct(e4), places.leaf, lowHalf(evil, readOnly), "store e4[iT], e|P|A|D");
      guest.step("mov cr3, e1", (vcpu) => vcpu.writeCr3(e1));
    },
  },
  "wp-off": {
    letter: "P",
    title: "clear CR0.WP, then store to T",
    run(guest) {
      guest.step("cr0.wp := 0", (vcpu) =>
        vcpu.writeRegisters("cr0", { ...vcpu.registers, writeProtect: false }),
      );
      storeThrough(guest, "T");
    },
  },
  deputy: {
    letter: "E",
    title: "make t a page table, so that the hypervisor stores for the guest",
    run(guest) {
      guest.store(direct(pd), places.free, lowHalf(target, tableFlags), "store pd[k], t|P|W|A|D");
      guest.step("load [k]", (vcpu) => {
        vcpu.load(behindFreeEntry, 0);
      });
      storeThrough(guest, "dm(t)");
    },
  },
  stale: {
    letter: "S",
    title: "use a translation from before the lock",
    before(guest) {
      guest.step("load and store dm(t), before the lock", (vcpu) => {
        vcpu.load(direct(target), 0);
        vcpu.write(direct(target));
        vcpu.drain();
      });
    },
    run: (guest) => storeThrough(guest, "dm(t)"),
  },
  view: {
    letter: "V",
    title: "take the monitor's view by VMFUNC, then store to t",
    run(guest) {
      guest.step("vmfunc 0, view 1", (vcpu) => vcpu.vmfunc(1));
      guest.step("fetch what comes next", (vcpu) => {
        vcpu.fetch(attackers);
        vcpu.drain();
      });
      storeThrough(guest, "dm(t)");
    },
  },
  beside: {
    letter: "B",
    title: "store to t, in the line beside the one with the bytes that T guards",
    run(guest) {
      guest.store(direct(target), lineEntries, evilBytes, "store dm(t)+128, evil");
    },
  },
} as const satisfies Record<string, Attack>;

export type AttackName = keyof typeof attacks;
export const attackNames = Object.keys(attacks) as AttackName[];
