/**
 * What an isolated kernel does to CR3 between a way in and the way out: recorded Linux guests, and the guest kernel of ours.
 *
 * A visit is what lies between two instructions of user mode; its shape is a letter for each access to CR3, `r` or `w`. Seen
 * failing: a way out or a full flush that reads no CR3; a switch of spaces that does.
 */
import { expect, test } from "vitest";
import type { Vpn } from "../../machine/address.ts";
import type { Pid } from "../../guest/guest.ts";
import { testGuest } from "../../guest/test-guest.ts";
import { linuxWorkloads } from "./linux.ts";
import { opRare } from "./ops.ts";

type Isolated =
  "linux:syscall-kpti" | "linux:fork-kpti" | "linux:pingpong-kpti" | "linux:shell-kpti";
type Shared = "linux:fork" | "linux:shell";

const known = new Map<Isolated | Shared, ReadonlyMap<string, number>>();

/** How many visits of a recording have each shape. */
function recorded(name: Isolated | Shared): ReadonlyMap<string, number> {
  const shapes = known.get(name) ?? visitsOf(name);
  known.set(name, shapes);
  return shapes;
}

function visitsOf(name: Isolated | Shared): ReadonlyMap<string, number> {
  const shapes = new Map<string, number>();
  let shape: string | null = null;
  for (const { length, code, low, rare } of linuxWorkloads[name].system().chunks) {
    for (let i = 0; i < length; i++) {
      if (code[i] !== opRare) continue;
      const op = rare[low[i]!]!;
      if (op.op === "privilege") {
        if (op.mode === "supervisor") shape = "";
        else if (shape !== null) shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
      } else if (shape !== null) {
        if (op.op === "read-cr3") shape += "r";
        else if (op.op === "write-cr3") shape += "w";
      }
    }
  }
  return shapes;
}

/** A guest without PCID, as the recorded ones, and the visits that `body` makes. */
function handMade(kpti: boolean) {
  const { guest, vcpu } = testGuest({ kpti, pcid: false });
  let text = "";
  const note = (sign: string) => {
    text += sign;
  };
  const readCr3 = vcpu.readCr3.bind(vcpu);
  vcpu.readCr3 = () => {
    note("r");
    return readCr3();
  };
  const writeCr3 = vcpu.writeCr3.bind(vcpu);
  vcpu.writeCr3 = (...args) => {
    note("w");
    return writeCr3(...args);
  };
  const setPrivilege = vcpu.setPrivilege.bind(vcpu);
  vcpu.setPrivilege = (mode) => {
    note(mode === "supervisor" ? "(" : ")");
    return setPrivilege(mode);
  };
  const base = guest.map(64, { fill: "demand", pages: "4k", writable: true });
  const visits = (body: () => void) => {
    vcpu.drain();
    text = "";
    body();
    vcpu.drain();
    return [...text.matchAll(/\((?<shape>[rw]*)\)/gu)].map(({ groups }) => groups?.["shape"] ?? "");
  };
  return { guest, base, visits };
}

const isolated: readonly Isolated[] = [
  "linux:syscall-kpti",
  "linux:fork-kpti",
  "linux:pingpong-kpti",
  "linux:shell-kpti",
];

test("an isolated Linux reads CR3 before each write of a visit but a switch of spaces", () => {
  for (const name of isolated) {
    const shapes = recorded(name);
    // The harness's own port writes are visits without an end of their own.
    const odd = [...shapes].filter(([shape]) => !/^rw(?:w|rw)*rw$/u.test(shape));
    expect(odd.every(([shape, count]) => shape === "" && count <= 2)).toBe(true);
  }
});

test("a system call and a fault read CR3 twice, as nearly every recorded visit does", () => {
  const { guest, base, visits } = handMade(true);
  expect(visits(() => guest.syscall())).toEqual(["rwrw"]);
  expect(visits(() => guest.write(base))).toEqual(["rwrw"]);
  const shares = isolated.map((name) => {
    const shapes = recorded(name);
    const all = [...shapes.values()].reduce((sum, count) => sum + count, 0);
    return [name, Math.round((100 * shapes.get("rwrw")!) / all)];
  });
  expect(Object.fromEntries(shares)).toEqual({
    "linux:syscall-kpti": 99,
    "linux:fork-kpti": 90,
    // Every second visit waits, and comes back in the other process.
    "linux:pingpong-kpti": 51,
    "linux:shell-kpti": 95,
  });
});

test("a fork flushes by a read and a write, a switch writes alone, in both kernels", () => {
  for (const kpti of [true, false]) {
    const { guest, base, visits } = handMade(kpti);
    guest.write(base);
    const names: readonly (Isolated | Shared)[] = kpti ? isolated : ["linux:fork", "linux:shell"];
    const seen = new Set(names.flatMap((name) => [...recorded(name).keys()]));
    const [flushed, ...rest] = visits(() => guest.fork());
    expect([flushed, rest]).toEqual([kpti ? "rwrwrw" : "rw", []]);
    const [ended] = visits(() => {
      guest.switchTo(2 as Pid);
      guest.exit(1 as Pid);
    }).slice(-1);
    expect(ended).toBe(kpti ? "rwwwrw" : "ww");
    guest.fork();
    const [switched] = visits(() => guest.switchTo(3 as Pid));
    expect(switched).toBe(kpti ? "rwwrw" : "w");
    expect(
      [...visits(() => guest.write((base + 1) as Vpn)), flushed, ended, switched].every((shape) =>
        seen.has(shape!),
      ),
    ).toBe(true);
  }
});
