/** The random lives of the differential test: operations and what they start from. */
import fc from "fast-check";
import * as bits from "../entry.ts";
import { EPT_PW_HIGH, EPT_SPP_HIGH, EPT_SSS_HIGH, EPT_VGP_HIGH, EPT_XU } from "../formats/ept.ts";
import { HLAT_RESTART } from "../formats/x86.ts";
import { arm, armHafdbs } from "../isa/arm.ts";
import { svade, svadu } from "../isa/riscv.ts";
import { x86Isa } from "../isa/x86.ts";
import { FETCH, SHADOW_STACK, STORE, USER, WHOLE_PAGE } from "../mmu.ts";
import { differentialPresets } from "./differential-presets.ts";
import {
  type Configuration,
  frames,
  framesInside,
  gfns,
  type Op,
  pages,
  type Start,
  type TreeNumber,
} from "./operation.ts";

const index = (list: readonly unknown[]) => fc.nat({ max: list.length - 1 });
const level = fc.constantFrom(1, 1, 1, 2, 2, 3, 4, 5);
const pageLevel = fc.constantFrom(1, 1, 1, 2, 2, 3);
const tree = fc.constantFrom<TreeNumber>(0, 0, 0, 1, 2, 2, 3, 3);
const pcid = fc.nat({ max: 2 });
const pagingLevels = fc.constantFrom(4 as const, 4 as const, 5 as const, 3 as const);
const mostly = fc.constantFrom(true, true, true, false);

/** XORed into P|W|U or RWX. */
const alone = [bits.W, bits.U, EPT_XU, bits.G, bits.G, HLAT_RESTART, HLAT_RESTART];
/** A page of a shadow stack. */
const stackFlags = [bits.W | bits.A | bits.D, bits.W | bits.U | bits.A | bits.D];
const rightFlags = [...alone, ...stackFlags, bits.A | bits.D];
const wildFlags = [
  ...rightFlags,
  bits.W | bits.U,
  bits.EPT_W | bits.EPT_X,
  bits.EPT_D | bits.EPT_W,
  bits.EPT_D,
  bits.EPT_A,
  // An address bit in large pages; a page where none may be.
  0x2000,
  bits.PS,
];
const flags = fc.constantFrom(0, 0, 0, ...wildFlags);

/** An entry that leads to memory, though not always with the right that is asked for. */
const soundValue = fc.record({
  kind: fc.constantFrom("leaf", "leaf", "leaf", "link"),
  flags: fc.constantFrom(0, 0, 0, ...rightFlags),
  high: fc.constantFrom(
    0,
    0,
    0,
    0,
    bits.NX_HIGH,
    EPT_PW_HIGH,
    EPT_SPP_HIGH,
    EPT_SPP_HIGH,
    EPT_SSS_HIGH,
    EPT_VGP_HIGH,
  ),
  pick: fc.nat({ max: framesInside - 1 }),
});

const highFlags = fc.constantFrom(
  0,
  0,
  0,
  0,
  EPT_PW_HIGH,
  EPT_SPP_HIGH,
  EPT_SSS_HIGH,
  EPT_VGP_HIGH,
  bits.NX_HIGH,
  0x0008_0000,
);

const configuration: fc.Arbitrary<Configuration> = fc.record({
  nested: fc.constantFrom(
    "none",
    "ept",
    "ept-ad",
    "ept-mbec",
    "ept-pw",
    "ept-pw-ad",
    "ept-spp",
    "ept-spp",
    "ept-spp-ad",
    "ept-sss",
    "ept-sss",
    "ept-views",
    "ept-views",
    "npt",
  ),
  asked: fc.constantFrom("nobody", "nobody", "always", "upper-half"),
  stacks: fc.constantFrom(false, true),
  nestedLevels: pagingLevels,
  levels: pagingLevels,
  writeProtect: mostly,
  globalPages: mostly,
  vpid: fc.constantFrom(1, 1, 1, 2),
});

const stacks = [SHADOW_STACK, SHADOW_STACK | STORE];
const kinds = [0, STORE, FETCH, STORE | WHOLE_PAGE, ...stacks].flatMap((kind) => [
  kind,
  kind,
  kind | USER,
]);
const page = fc.nat({ max: 59 });
const guestTree = fc.constantFrom(0 as const, 1 as const);
const to = fc.constantFrom("zeros", "copy");
/** One operation. */
export const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 80,
    arbitrary: fc.record({
      op: fc.constant("run"),
      accesses: fc.array(fc.record({ page, kind: fc.constantFrom(...kinds) }), {
        minLength: 1,
        maxLength: 8,
        size: "max",
      }),
      reported: fc.boolean(),
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      op: fc.constant("entry"),
      tree,
      page,
      level: pageLevel,
      value: soundValue,
    }),
  },
  {
    weight: 30,
    arbitrary: fc.record({
      op: fc.constant("rewrite"),
      page,
      level: pageLevel,
      value: soundValue,
      kind: fc.constantFrom(STORE, STORE, STORE | USER, FETCH, USER, ...stacks),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      op: fc.constant("entry"),
      tree,
      page,
      level,
      value: fc.record({
        kind: fc.constantFrom("link", "link", "leaf", "leaf", "leaf", "astray", "absent"),
        flags,
        high: highFlags,
        pick: index(frames),
      }),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant("clear"),
      tree,
      page,
      level,
      flags: fc.constantFrom(bits.A, bits.D, bits.EPT_A, bits.EPT_D, bits.A | bits.D, bits.W),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("table"), tree, page, level, to }) },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant("lines"),
      gfn: index(gfns),
      level: fc.constantFrom(1, 1, 2, 3, 4),
      value: fc.constantFrom("vector", "vector", "vector", "miss", "malformed"),
      lines: fc.constantFrom(-1, 0, 0x0101_0101, 0x7fff_ffff, 1, 2),
    }),
  },
  { weight: 8, arbitrary: fc.record({ op: fc.constant("rebuild") }) },
  {
    weight: 14,
    arbitrary: fc.record({
      op: fc.constant("invalidate"),
      scope: fc.constantFrom("page", "fault", "page-of", "leaf-of", "violation"),
      page,
      gfn: index(gfns),
      pcid,
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      op: fc.constant("flush"),
      scope: fc.constantFrom("context", "context", "non-global", "linear", "nested"),
      pcid,
    }),
  },
  { weight: 24, arbitrary: fc.record({ op: fc.constant("root"), tree: guestTree, pcid }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("configure"), configuration }) },
  { weight: 12, arbitrary: fc.record({ op: fc.constant("view"), tree: fc.constantFrom(2, 3) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("move"), node: fc.nat({ max: 1 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("pml"),
      to: fc.constantFrom("on", "on", "off", "reset"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("fill-pml"), left: fc.nat({ max: 3 }) }) },
);

/** What a life starts with. */
export const start: fc.Arbitrary<Start> = fc.record({
  preset: fc.constantFrom(...differentialPresets),
  isa: fc.constantFrom(x86Isa, x86Isa, svade, svadu, arm, armHafdbs),
  configuration,
  placedAt: fc.constantFrom(0, 1024),
  pages: fc.uniqueArray(fc.constantFrom(...pages), { minLength: 1, maxLength: 7, size: "max" }),
});
