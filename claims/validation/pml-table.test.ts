/**
 * What logged first writes cost on Intel's processors: the table that was measured (results/groundtruth/intel, P2 to P6).
 */
import { describe, expect, test } from "vitest";
import type { EngineName } from "../../engines/index.ts";
import { decodeVmmu } from "../../workloads/trace/vmmu.ts";
import { valueOf } from "./counter-map.ts";
import { replayTrace } from "./replay-trace.ts";

const hex = (value: number) => value.toString(16);
const firstVpn = 0x8000_0000_00;
/** The measurement's guest: tables of the kernel from 2 MiB, the pool of user tables from 4 MiB, data from 16 MiB. */
const [poolGpa, dataGpa] = [0x40_0000, 0x100_0000];

interface Rounds {
  readonly writes: number;
  /** Is the slot of code, stack and tables logged too? */
  readonly tables: boolean;
}

/** Pages mapped and written once; then logging, a round of first writes, a get, a round again. */
function program({ writes, tables }: Rounds): string {
  const pages = Array.from({ length: writes }, (_, i) => i);
  const tablesOf = Math.ceil(writes / 512);
  const table = (i: number) => poolGpa + (3 + i) * 4096;
  const flags = 0x67;
  // Counter and stack of the program are written in each round, and lie in the slot of the tables.
  const round = ["w c000", "w 7fff8", ...pages.map((i) => `w ${hex(firstVpn + i * 4096)}`)];
  return [
    "# vmmu-trace 3",
    "memory 4000000",
    "fill 200000 1 201063 0",
    "fill 201000 1 202063 0",
    "fill 202000 20 203063 1000",
    "fill 203000 4000 63 1000",
    "boot 200000",
    "x 10000",
    `s ${hex(poolGpa)} 201023`,
    `s ${hex(poolGpa + 8)} ${hex(poolGpa + 4096 + flags)}`,
    `s ${hex(poolGpa + 4096)} ${hex(poolGpa + 2 * 4096 + flags)}`,
    ...Array.from({ length: tablesOf }, (_, i) => {
      return `s ${hex(poolGpa + 2 * 4096 + i * 8)} ${hex(table(i) + flags)}`;
    }),
    ...pages.map((i) => {
      return `s ${hex(table(Math.floor(i / 512)) + (i % 512) * 8)} ${hex(dataGpa + i * 4096 + flags)}`;
    }),
    `c ${hex(poolGpa)}`,
    "x 10000",
    ...round,
    "p warm",
    ...(tables ? ["h dirty-log-on 0 1000000"] : []),
    "h dirty-log-on 1000000 3000000",
    "x 10000",
    "p on",
    ...round,
    "p first",
    "h dirty-log-get",
    "x 10000",
    "p get",
    ...round,
    "p again",
    "",
  ].join("\n");
}

/** Exits of the first round and of the one after a get, entries that this one appends, pages that the get reports. */
function costs(engine: EngineName, rounds: Rounds) {
  const text = program(rounds);
  const phases = replayTrace(decodeVmmu(Buffer.from(text), "pml table"), engine);
  const of = (name: string, counter: string) => {
    const phase = phases.find((one) => one.name === name);
    return phase === undefined ? undefined : valueOf(counter, phase);
  };
  return {
    first: of("first", "X_NET"),
    again: of("again", "X_NET"),
    entries: of("again", "k_mark_dirty"),
    reported: of("get", "h_dirty_data"),
  };
}

const counts = [64, 511, 512, 513, 1024, 1025, 2048, 5000, 8192] as const;
const full = (entries: number) => Math.floor((entries - 1) / 512);

// Seen failing with a buffer that exits when it has become full, not when the next entry is due.
describe.each(counts)("%i first writes", (writes) => {
  test("with PML a full-buffer exit comes with entry 513 of a stretch, 1025, and so on", () => {
    const exits = full(writes);
    expect(costs("kvm-ept", { writes, tables: false })).toEqual({
      first: exits,
      again: exits,
      entries: writes,
      reported: writes,
    });
  });

  // Seen failing with walks that log a guest's table only when they set its A bit.
  test("with the tables' slot logged too, each table walked is an entry as well", () => {
    const { again, entries: appended, reported } = costs("kvm-ept", { writes, tables: true });
    // PDPT, PD and each PT; the root was appended by the fetch behind the get. Counter and stack.
    const entries = writes + 2 + Math.ceil(writes / 512) + 2;
    expect({ appended, again, reported }).toEqual({
      appended: entries,
      again: full(entries),
      reported: writes,
    });
  });

  test.each(["kvm-ept-nopml", "kvm-ept-noad", "kvm-6.1"] as const)(
    "under %s each is an exit, in each round",
    (engine) => {
      expect(costs(engine, { writes, tables: false })).toEqual({
        first: writes,
        again: writes,
        entries: 0,
        reported: writes,
      });
    },
  );
});
