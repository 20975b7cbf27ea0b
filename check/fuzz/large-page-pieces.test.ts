/**
 * A guest's large page on small host pages lies in silicon in pieces: what INVLPG owes it under shadow paging.
 */
import { expect, test } from "vitest";
import { engines } from "../../engines/index.ts";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { asLarge, userPage } from "../../machine/formats/x86-entry.ts";
import type { TraceOp } from "../../workloads/trace/ops.ts";
import { buildImage, firstData, memoryFrames, tableKey } from "./guest-image.ts";
import { entryTo } from "./program.ts";
import { runProgram } from "./run-program.ts";
import { smallPresets } from "./small-presets.ts";

// Seen failing under both: the PCID's translations kept although it got another root.
test.each(["shadow", "shadow-lazy"] as const)(
  "under %s INVLPG drops all of a large page that another root left under the PCID",
  (engine) => {
    const guest = buildImage({
      levels: 4,
      spaces: 2,
      direct: "4k",
      globalKernel: false,
      selfMap: false,
    });
    const [large, small] = guest.spaces;
    assert(large !== undefined && small !== undefined, "an image of two spaces");
    const directory = large.tables.get(tableKey(2, 1));
    assert(directory !== undefined, "an image with a page directory");
    guest.image.set(directory, 0, entryTo(firstData, asLarge(userPage)));
    const load = (root: Gfn, keep: boolean): TraceOp => ({
      op: "write-cr3",
      cr3: { root, pcid: 1, keep },
    });
    const read = (page: number): TraceOp => ({ op: "read", vpn: page as Vpn, offset: 0 });
    const ops: TraceOp[] = [
      load(small.root, false),
      read(9),
      load(large.root, true),
      read(1),
      read(2),
      load(small.root, true),
      { op: "invlpg", vpn: 9 as Vpn },
      read(1),
    ];
    const header = {
      version: 3,
      memoryFrames,
      vcpus: 1,
      backing: "4k",
      shadowPagesMax: null,
      dirtyLogArmedBy: null,
      registers: { writeProtect: true, globalPages: true, pcid: true, levels: 4 },
      fills: guest.image.fills(),
      boot: { root: large.root, pcid: 1, keep: false },
    } as const;
    const target = { engine, factory: engines[engine].create, native: false, presetName: "roomy" };
    const program = { header, groups: [ops], isOrderly: false };
    const { roomy } = smallPresets;
    expect(runProgram(program, { ...target, preset: roomy, nestedLevels: 4 }).problem).toBeNull();
  },
);
