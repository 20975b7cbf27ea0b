/**
 * Rules where nested tables have a copy on every node: a lock narrows all copies before it is complete, whichever node the
 * vCPU runs on then; what stands for one set of tables alone refuses.
 *
 * Guards, HLAT and views refuse copies: a vCPU that moves loads the node's control fields, which have not what they set.
 * Seen failing: the plants below.
 */
import { describe, expect, test } from "vitest";
import { createNested } from "../engines/ept.ts";
import { guardedEpt } from "../engines/ept-guarded.ts";
import { eptHlat } from "../engines/ept-hlat.ts";
import { eptMbec } from "../engines/ept-mbec.ts";
import { eptSpp } from "../engines/ept-spp.ts";
import { eptViews } from "../engines/ept-views.ts";
import { engines } from "../engines/index.ts";
import { radixTables, type TableLayout } from "../engines/nested/layouts.ts";
import { noTracker } from "../hypervisor/dirty/tracker.ts";
import type { Engine } from "../hypervisor/engine.ts";
import type { MemoryPolicy } from "../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../hypervisor/policy/rules.ts";
import type { Gfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { isWritable } from "../machine/formats/x86-entry.ts";
import { moveVcpu } from "../machine/move-vcpu.ts";
import type { NodePlan } from "../machine/nodes.ts";
import { presets } from "../machine/presets.ts";
import { frameOfPage, SmallGuest, userPage } from "./channels/small-guest.ts";

const nodes: NodePlan = {
  count: 2,
  isShown: false,
  guestTables: "local",
  hypervisorTables: "replicated",
};
const preset = { ...presets["skylake-sp"], nodes };
const pages = 32;
const locked = 8;
const lock: PolicyRule = { kind: "lock-frames", start: frameOfPage(0), frames: locked };
/** Something to enforce from the start, so that there is a policy; nobody goes there. */
const elsewhere: PolicyRule = { kind: "lock-frames", start: 3 as Gfn, frames: 1 };

function guestOf(engine: Engine) {
  let policy: MemoryPolicy | undefined;
  const seen: Engine = {
    ...engine,
    create(platform, options) {
      policy = options?.policy;
      return engine.create(platform, options);
    },
  };
  const guest = new SmallGuest({
    engine: seen,
    pages,
    rules: [elsewhere],
    core: { preset },
    check: true,
  });
  assert(policy !== undefined, "test: no policy");
  return { guest, policy };
}

/** Stores everywhere from that node; how many of them were denied. */
function storeFrom(node: number, { guest, policy }: ReturnType<typeof guestOf>): number {
  const { vcpu, hypervisor } = guest;
  moveVcpu(vcpu, node);
  hypervisor.host({ kind: "vcpu-run", vcpu: 0 });
  const before = policy.denied;
  vcpu.setPrivilege("user");
  for (let page = 0; page < pages; page++) vcpu.write(userPage(page));
  vcpu.drain();
  vcpu.setPrivilege("supervisor");
  return policy.denied - before;
}

function lockAndStore(engine: Engine): readonly number[] {
  const made = guestOf(engine);
  for (const node of [0, 1]) expect(storeFrom(node, made)).toBe(0);
  made.policy.enact(lock);
  return [0, 1, 0].map((node) => storeFrom(node, made));
}

test.each([
  ["ept", engines.ept],
  ["ept-mbec", eptMbec],
  ["ept-spp", eptSpp],
] as const)("%s: a lock holds on every node", (_name, engine) => {
  expect(lockAndStore(engine)).toEqual([locked, locked, locked]);
});

/** Tables of which one copy keeps its W when a leaf is narrowed. */
const oneCopyWide: TableLayout = (platform, format) => {
  const tables = radixTables(platform, format);
  const { memory } = tables.tree;
  const write: typeof memory.write = (table, index, low, high) => {
    const isNarrowed = isWritable(memory.readLow(table, index)) && low !== 0 && !isWritable(low);
    if (isNarrowed) platform.memory.write(table, index, low, high);
    else memory.write(table, index, low, high);
  };
  return { ...tables, tree: { ...tables.tree, memory: { ...memory, write } } };
};

test("a copy that a lock does not narrow is found by the oracle", () => {
  const engine: Engine = {
    ...engines.ept,
    create: (platform, options) =>
      createNested(platform, {
        format: "ept",
        accessedDirty: true,
        tracker: noTracker,
        policy: options?.policy,
        layout: oneCopyWide,
      }),
  };
  expect(() => lockAndStore(engine)).toThrow(/locked|wider|policy/);
});

const guard = { scope: "all", cr3Exits: true, cr3Targets: 4 } as const;

describe("what has one set of tables refuses copies in one line", () => {
  test.each([
    ["guarded tables", guardedEpt("EPT, guarded", guard)],
    ["guarded tables, paging-write", guardedEpt("EPT, guarded", { ...guard, pagingWrite: true })],
    ["HLAT", eptHlat({ upperHalfOnly: false })],
    ["HLAT, bound", eptHlat({ upperHalfOnly: false, verifies: true })],
    ["views", eptViews()],
  ] as const)("%s", (_name, engine) => {
    expect(() => guestOf(engine)).toThrow(
      /^[^\n]*: not with nested tables that have a copy on every node$/,
    );
  });
});
