/**
 * The attack matrix, cell by cell: which scheme holds against what, and how many exits it took.
 *
 * Cells that differ from a design study of the same attacks (November 2026), and why: `shadow-page` answers a denied
 * store by passing over it, where the study's prototype filled the entry and took the right again for ever; and it asks
 * about the page when it stores under CR0.WP=0, which the prototype did not. Lazy shadow holds `remap` after 2 exits
 * and not 3: the sync that INVLPG makes asks the rules, so the entry stays, where the prototype put it back afterwards.
 */
import { describe, expect, test } from "vitest";
import { monitorView, programsView } from "../../engines/ept-views.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { AttackGuest } from "./attack-guest.ts";
import { attackNames } from "./attacks.ts";
import { direct, frames } from "./layout.ts";
import { attackMatrix, runAttack } from "./run-attack.ts";
import type { Scheme } from "./scheme.ts";
import { type SchemeName, schemeNames, schemes } from "./schemes.ts";

/** In the order of `attackNames`; `!` is broken. */
const expected: Readonly<Record<SchemeName, string>> = {
  //               W  L  R  U  C  P  E  S  V  B
  "ept-frame": "1 1 !0 !0 !0 1 1 1 2 1",
  "ept-no-invept": "!0 !0 !0 !0 !0 !0 !0 !0 !1 0",
  "ept-path": "1 1 1 1 !0 1 2 1 2 1",
  "ept-path-cr3": "1 1 1 1 1 1 2 1 2 1",
  "ept-all": "1 1 1 1 1 1 2 1 2 1",
  "ept-all-pw": "1 1 1 1 1 1 2 1 2 1",
  "ept-hlat": "0 1 0 0 0 1 1 1 2 1",
  "ept-hlat-gpv": "0 1 0 0 0 !0 1 1 2 1",
  "ept-views": "1 1 !0 !0 !0 1 1 1 2 1",
  "ept-views-open": "1 1 !0 !0 !0 1 1 1 !0 1",
  "ept-line": "1 1 !0 !0 !0 1 1 1 2 1",
  "ept-spp": "1 1 !0 !0 !0 1 1 1 2 0",
  "shadow-rights": "3 !0 !2 !2 !1 2 !3 !0 !1 0",
  "shadow-page": "3 !0 2 2 1 2 !3 !0 !1 0",
  "shadow-frame": "3 1 !2 !2 !1 2 3 1 2 1",
  "shadow-deputy": "3 1 2 2 1 !2 !3 1 2 1",
  shadow: "3 1 2 2 1 2 3 1 2 1",
  "shadow-lazy": "3 1 2 3 2 3 3 2 3 1",
};

// Seen failing with: a denial answered by `resume`; a lock under EPT that flushes nothing; shadows kept when a rule
// comes; a role that is lost on the way down; roots that a guard accepts unseen.
test.each(schemeNames)("%s holds and breaks where it should, in as many exits", (scheme) => {
  const cells = attackMatrix([scheme]).map(
    ({ isBroken, exits }) => `${isBroken ? "!" : ""}${exits}`,
  );
  expect(cells.join(" ")).toBe(expected[scheme]);
});

describe("the oracle, given the same rules", () => {
  const holding: readonly SchemeName[] = [
    "ept-frame",
    "ept-path-cr3",
    "ept-all",
    "ept-all-pw",
    "ept-hlat",
    "ept-views",
    "ept-line",
    "ept-spp",
    "shadow-page",
    "shadow-frame",
    "shadow",
    "shadow-lazy",
  ];

  // What its rules do not cover breaks a scheme without a breach of them.
  test.each(holding)("%s never does what its rules forbid", (scheme) => {
    for (const attack of attackNames) expect(() => runAttack(scheme, attack, true)).not.toThrow();
  });

  test("a lock whose INVEPT is forgotten is caught at the first store through a cached translation", () => {
    expect(() => runAttack("ept-no-invept", "stale", true)).toThrow("which is locked");
    expect(() => runAttack("ept-no-invept", "alias", true)).toThrow("which is locked");
  });

  test("translations of the view that was left are caught at the first use", () => {
    const plant: Scheme["plant"] = ({ vcpus }) => {
      for (const { mmu } of vcpus as readonly Vcpu[]) {
        const switchView = mmu.switchView.bind(mmu);
        let taken = 0;
        // The way back is forgotten.
        mmu.switchView = (root) => {
          taken += 1;
          if (taken % 2 === 1) switchView(root);
        };
      }
    };
    const guest = new AttackGuest({ ...schemes["ept-views"], plant }, true);
    guest.lock();
    expect(guest.vcpu.vmfunc(monitorView)).toBe(true);
    guest.vcpu.write(direct(frames.target));
    expect(guest.vcpu.vmfunc(programsView)).toBe(true);
    guest.vcpu.write(direct(frames.target));
    expect(() => guest.vcpu.drain()).toThrow("which is the monitor's");
  });

  test("code that is no monitor's is caught as soon as it runs in the monitor's view", () => {
    expect(() => runAttack("ept-views-open", "view", true)).toThrow("in the monitor's view");
  });

  test("a root that nobody looks at is caught at the first use of what it means", () => {
    expect(() => runAttack("ept-path", "new-root", true)).toThrow("reached pfn");
  });

  test("an emulator that nobody asks is caught as the guest's deputy", () => {
    expect(() => runAttack("shadow-deputy", "deputy", true)).toThrow("which is locked");
    expect(() => runAttack("shadow-deputy", "wp-off", true)).toThrow("which is locked");
  });
});

// Seen failing: a switch that is not counted; one counted although the guest exited.
test("views that the guest takes are counted, and those that it does not get exit", () => {
  const { vcpu } = new AttackGuest(schemes["ept-views"], true);
  for (const view of [monitorView, programsView, 2]) vcpu.vmfunc(view);
  expect(vcpu.snapshot().ledger).toMatchObject({ viewSwitches: 2, exitsOther: 1 });
});

// Seen failing: SPP cached writable (the second store goes through); a whole page judged by its first line.
test("beside a locked line stores run under SPP, and nothing reaches the line, not as part of a page either", () => {
  const guest = new AttackGuest(schemes["ept-spp"], true);
  const { vcpu, policy } = guest;
  guest.warm();
  guest.lock();
  const t = direct(frames.target);
  const exits = (act: () => void) => {
    const before = vcpu.snapshot().ledger.exits;
    act();
    return vcpu.snapshot().ledger.exits - before;
  };
  for (let line = 1; line < 32; line++) expect(exits(() => vcpu.write(t, line * 128))).toBe(0);
  expect(exits(() => vcpu.write(t, 120))).toBe(1);
  expect(exits(() => vcpu.zeroPage(t))).toBe(1);
  policy.enact({ kind: "lock-lines", start: frames.target, frames: 1, lines: 2 ** 31 });
  expect(exits(() => vcpu.write(t, 4088))).toBe(1);
  expect(exits(() => vcpu.write(t, 128))).toBe(0);
  policy.enact({ kind: "lock-frames", start: frames.target, frames: 1 });
  expect(exits(() => vcpu.write(t, 128))).toBe(1);
});

test("a remap is one store and no exit under EPT: the hypervisor below has seen nothing", () => {
  const { steps, exits, denied } = runAttack("ept-frame", "remap");
  expect({ exits, denied }).toEqual({ exits: 0, denied: 0 });
  expect(steps.map(({ text }) => text)).toEqual(["store pt[iT], e|P|A|D", "invlpg T", "load T"]);
});
