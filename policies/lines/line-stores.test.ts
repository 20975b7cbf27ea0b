/**
 * A hot word beside a locked line: exits for each store, counted.
 *
 * Seen failing: a lock on the line that locks the page (no store lands); an SPP translation cached writable (no walk, and the
 * store to the line goes through); a plain EPT that lets the page be written.
 */
import { expect, test } from "vitest";
import { eptSpp } from "../../engines/ept-spp.ts";
import { engines } from "../../engines/index.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { plainEpt } from "../attack/schemes.ts";
import { countLineStores } from "./line-stores.ts";

const stores = 100;

const counted = (engine: Engine, isLocked = true) =>
  countLineStores({ engine, host: "skylake-sp", stores, isLocked, check: true });

const schemes = [
  ["ept", plainEpt, 1],
  ["ept-spp", eptSpp, 0],
  ["shadow", engines.shadow, 1],
  ["shadow-lazy", engines["shadow-lazy"], 1],
  ["kvm-6.12", engines["kvm-6.12"], 1],
] as const;

test.each(schemes)(
  "%s: each store beside the line is done, at this many exits",
  (_name, engine, each) => {
    const { beside, toLine } = counted(engine);
    expect(beside).toMatchObject({ exits: each * stores, emulatedStores: each * stores, stores });
    expect(toLine).toMatchObject({ exits: 1, stores: 0 });
  },
);

test.each(schemes)("%s: without a lock there is none", (_name, engine) => {
  expect(counted(engine, false).beside).toMatchObject({ exits: 0, walks: 0, stores });
});

test("what SPP takes in their place is a walk: the two leaves, and four entries of the permissions", () => {
  expect(counted(eptSpp).beside).toMatchObject({
    walks: stores,
    walkReferencesGuest: stores,
    walkReferencesNested: 5 * stores,
  });
});
