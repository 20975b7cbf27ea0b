/** Edges of traces that whole files seldom meet: accesses that end with their page, a player that goes on as a clone. */
import { expect, test } from "vitest";
import type { Guest } from "../../guest/guest.ts";
import { decodeLackey, playChunk } from "./lackey-replay.ts";
import { Player } from "./replay.ts";
import { bareMetal, testMachine } from "./test-machine.ts";
import { decodeVmmu } from "./vmmu.ts";

function accessesOf(text: string): unknown[][] {
  const calls: unknown[][] = [];
  const guest = new Proxy({} as Guest, {
    get: (_, name) => {
      return (...args: unknown[]) => {
        if (/^(?:read|write|fetch)$/.test(String(name))) calls.push([name, ...args]);
        return 0;
      };
    },
  });
  for (const chunk of decodeLackey(Buffer.from(text), "t.lackey").chunks) {
    playChunk(guest, chunk, { pageSize: "4k", accessesMax: Infinity });
  }
  return calls;
}

// Planted: an access that ends with its page counted as one of two pages, and one that does not as one.
test.each([
  [" L 04001ff8,8", [["read", 0x4001, 0xff8]]],
  [
    " L 04001ff9,8",
    [
      ["read", 0x4001, 0xff9],
      ["read", 0x4002, 0],
    ],
  ],
  [" S 04001fff,1", [["write", 0x4001, 0xfff]]],
  [
    " M 04001fff,2",
    [
      ["read", 0x4001, 0xfff],
      ["read", 0x4002, 0],
      ["write", 0x4001, 0xfff],
      ["write", 0x4002, 0],
    ],
  ],
  ["I  04001ffe,2", [["fetch", 0x4001, 0xffe]]],
])("%s touches the pages that it touches", (line, expected) => {
  expect(accessesOf(`${line}\n`)).toEqual(expected);
});

test("a player resumes where another stands: its CR3, its registers, its vCPU, in supervisor mode", () => {
  const text = `# vmmu-trace 3
memory 4000000
vcpus 2
cr4 20080
fill 200000 1 201063 0
fill 201000 1 202063 0
fill 202000 20 203063 1000
fill 203000 4000 63 1000
boot 200000
v 1
c 200005
user
`;
  const source = decodeVmmu(Buffer.from(text), "t.trace");
  const settings = { onPhase: () => undefined, options: { fetchEachOp: false } };
  const playerOf = () => {
    const machine = testMachine(2);
    const hypervisor = bareMetal(machine);
    return { machine, player: new Player({ machine, hypervisor, source, ...settings }) };
  };
  const [template, clone] = [playerOf(), playerOf()];
  template.player.boot();
  for (const chunk of source.chunks) template.player.run(chunk);
  clone.player.resume(template.player);
  const [first, second] = clone.machine.vcpus;
  expect(second?.cr3).toMatchObject({ root: 0x200, pcid: 5 });
  expect(first?.cr3).toMatchObject({ root: 0x200, pcid: 0 });
  expect(second?.registers).toEqual(template.machine.vcpus[1]?.registers);
  expect(second?.registers.pcid).toBe(true);
  // The page is the kernel's, so the template would fault in user mode. The clone's memory was not copied here: its
  // access faults, and is abandoned.
  for (const { machine, player } of [template, clone]) {
    const before = machine.vcpus[1]!.snapshot().ledger;
    const [op] = decodeVmmu(Buffer.from(`${text.split("v 1")[0]}v 1\nr 3000\n`), "u.trace").chunks;
    player.run(op!);
    const after = machine.vcpus[1]!.snapshot().ledger;
    expect(after.guestPageFaults - before.guestPageFaults).toBe(machine === clone.machine ? 1 : 0);
  }
});

test("a player refuses a machine that is smaller than its trace asks for", () => {
  const source = decodeVmmu(
    Buffer.from("# vmmu-trace 2\nmemory 4000000\nvcpus 2\nboot 0\n"),
    "t.trace",
  );
  const machine = testMachine(1);
  const hypervisor = bareMetal(machine);
  const parts = { machine, hypervisor, source, onPhase: () => undefined };
  expect(() => new Player({ ...parts, options: { fetchEachOp: false } })).toThrow(
    "the machine is smaller than t.trace asks for",
  );
});

const image = `memory 4000000
fill 200000 1 201063 0
fill 201000 1 202063 0
fill 202000 20 203063 1000
fill 203000 4000 63 1000
boot 200000
`;

// Planted: a switch that is noted at the next plain access only.
test("a vCPU is entered before its first op of any kind, and not without one", () => {
  const ops = ["r 1000", "v 1", "v 2", "cpuid", "v 1", "p end", "v 0", "r 1000", ""];
  const text = `# vmmu-trace 3\n${image.replace("boot", "vcpus 3\nboot")}${ops.join("\n")}`;
  const source = decodeVmmu(Buffer.from(text), "t.trace");
  const machine = testMachine(3);
  const hypervisor = bareMetal(machine);
  const player = new Player({
    machine,
    hypervisor,
    source,
    onPhase: () => undefined,
    options: { fetchEachOp: false },
  });
  player.boot();
  for (const chunk of source.chunks) player.run(chunk);
  const entered = hypervisor.events.flatMap((event) =>
    event.kind === "vcpu-run" ? [event.vcpu] : [],
  );
  expect(entered).toEqual([2, 0]);
});

test.each([
  [1, "r w s z x i c p h"],
  [2, "r w s z x i c p h v"],
  [3, "r w s z x i c p h v y cr0 cr3 cr4 invpcid user kernel cpuid"],
])("an unknown op of version %i is answered with that version's ops", (version, allowed) => {
  const text = `# vmmu-trace ${version}\n${image}q\n`;
  expect(() => decodeVmmu(Buffer.from(text), "t.trace")).toThrow(
    new RegExp(`line 8: op "q", allowed: ${allowed}$`),
  );
});

test.each([
  ["fill 10000000008 1 63 0", "fill GPA", "0 to 10000000000"],
  ["fill 4 1 63 0", "fill GPA", "a multiple of 8"],
  ["fill 0 2000000001 63 0", "fill count", "0 to 2000000000"],
  ["fill 3fffff8 2 63 0", "fill", "entries below memory's end at 4000000"],
])("%s is refused before it reaches memory", (line, field, allowed) => {
  const text = `# vmmu-trace 1\nmemory 4000000\n${line}\nboot 0\n`;
  expect(() => decodeVmmu(Buffer.from(text), "t.trace")).toThrow(
    new RegExp(`line 3: ${field} "[0-9a-f.]+", allowed: ${allowed}`),
  );
});
