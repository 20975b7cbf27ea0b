/**
 * A guest may use any frame as a table, and the host may take any frame away: what is legal when it is the same one.
 */
import { describe, expect, test } from "vitest";
import type { Gfn, Vpn } from "../../machine/address.ts";
import { userLink, userPage } from "../../machine/formats/x86-entry.ts";
import { type EngineName, engines } from "../../engines/index.ts";
import { checkedGuest, type CheckedGuestOptions } from "./checked-guest.ts";
import { OracleMismatch } from "./mismatch.ts";

const virtualized = Object.keys(engines).filter((name) => name !== "native") as EngineName[];
const page = 1 as Vpn;
/** A frame of data that becomes a table, and two that it leads to. */
const borrowed = 1300;
const one = 1100;
const other = 1200;
const full = userPage;

/** A guest whose page leads to `one` through a table in a data frame, which the host has just taken away. */
function withLostTable(options: CheckedGuestOptions) {
  const guest = checkedGuest(options);
  const { vcpu, setEntry, direct, image, hypervisor } = guest;
  const leaf = (frame: number, flags: number) => {
    vcpu.store(direct(borrowed), 1, (frame << 12) | flags, 0);
  };
  const flush = () => vcpu.writeCr3(image.spaces[0]!.root);
  leaf(one, full);
  setEntry(page, 2, borrowed, userLink);
  flush();
  vcpu.write(page);
  vcpu.drain();
  hypervisor.host({ kind: "reclaim", start: borrowed as Gfn, frames: 1 });
  return { ...guest, leaf, flush };
}

describe.each(virtualized)("%s", (engine) => {
  // Seen failing under the shadow engines: as in real KVM, their shadow of the table outlives the page.
  test("an entry that went with its page may be used or not, until the guest stores to it", () => {
    const { vcpu, oracle, leaf, flush, place } = withLostTable({ engine });
    flush();
    vcpu.read(page);
    vcpu.drain();
    leaf(other, full);
    flush();
    vcpu.read(page);
    vcpu.drain();
    expect(() => oracle.access(0, page, 0, place(other))).not.toThrow();
    expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
  });
});

test("a page of zeros over the lost table ends it too, after a flush", () => {
  const { vcpu, oracle, flush, place, direct } = withLostTable({ engine: "ept" });
  flush();
  vcpu.zeroPage(direct(borrowed));
  expect(() => oracle.access(0, page, 0, place(one))).not.toThrow();
  flush();
  expect(() => oracle.access(0, page, 0, place(one))).toThrow(OracleMismatch);
});
