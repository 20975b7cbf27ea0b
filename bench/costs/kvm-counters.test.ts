import { expect, test } from "vitest";
import { ConfigError } from "../input/config-error.ts";
import { readKvmCounters } from "./kvm-counters.ts";

function read(text: string): [string, number][] {
  return [...readKvmCounters({ name: "kvm.txt", text })];
}

test("debugfs counters are read in three forms", () => {
  const text = `# grep -H . /sys/kernel/debug/kvm/*
/sys/kernel/debug/kvm/mmu_pte_write:5000
/sys/kernel/debug/kvm/pf_fixed:12000
pf_guest 3000\r
insn_emulation   5000   12.5
kvm_exit(EPT_VIOLATION)   40   1
`;
  expect(read(text)).toEqual([
    ["mmu_pte_write", 5000],
    ["pf_fixed", 12000],
    ["pf_guest", 3000],
    ["insn_emulation", 5000],
    ["kvm_exit(EPT_VIOLATION)", 40],
  ]);
});

// Seen refused: the subtraction that the help asks for makes such lines.
test("gauges may fall, counters never do", () => {
  const gauges =
    "mmu_unsync largepages lpages pages_4k pages_2m pages_1g pages_512g nx_lpage_splits nx_largepages_splitted max_mmu_rmap_size max_mmu_page_hash_collisions guest_mode blocking tsc-offset lapic_timer_advance_ns".split(
      " ",
    );
  expect(read(gauges.map((name) => `/sys/kernel/debug/kvm/${name}:-3\n`).join(""))).toEqual(
    gauges.map((name) => [name, -3]),
  );
  for (const name of ["pf_fixed", "exits", "mmu_cache_miss", "remote_tlb_flush"]) {
    expect(() => read(`mmu_unsync:-3\n${name}:-5\n`)).toThrow(
      `kvm.txt:2: "${name}:-5": a counter never falls: must be after minus before`,
    );
  }
});

test("the top folder has the sums; without it the machines' values add up", () => {
  const machines = "/d/kvm/9-11/pf_fixed:3\n/d/kvm/9-12/pf_fixed:4\n/d/kvm/9-11/vcpu0/exits:8\n";
  expect(read(machines)).toEqual([
    ["pf_fixed", 7],
    ["exits", 8],
  ]);
  expect(read(`${machines}/d/kvm/pf_fixed:6\n`)[0]).toEqual(["pf_fixed", 6]);
  expect(read(`/d/kvm/pf_fixed:6\n${machines}`)[0]).toEqual(["pf_fixed", 6]);
});

test("what grep and kvm_stat print beside counters is passed over", () => {
  expect(
    read(`grep: /sys/kernel/debug/kvm/9-11: Is a directory
 Event                                         Total %Total CurAvg/s
/d/kvm/9-11/mmu_rmaps_stat:Rmap_Count:	0	1	2-3
 pf_fixed                                          7  100.0        1
 Total                                             7                1
`),
  ).toEqual([["pf_fixed", 7]]);
});

test.each([
  ["pf_fixed 1\npf_guest\n", 'kvm.txt:2: "pf_guest": must be a counter\'s name and its value'],
  ["pf_fixed 1.5\n", 'kvm.txt:1: "pf_fixed 1.5": must be'],
  [
    "pf_fixed 1\npf_fixed 9\n",
    'kvm.txt:2: "pf_fixed 9": stands in line 1 too: must be after minus before',
  ],
  ["# nothing\n", "kvm.txt: no counters in it; only root may read them"],
])("%j is refused in one line", (text, message) => {
  expect(() => read(text)).toThrow(ConfigError);
  expect(() => read(text)).toThrow(message);
});
