/** Every implementation of translation hardware lives the same random life as the plain one, op by op. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Gfn, Pfn, Vpn } from "../address.ts";
import { counterNames } from "../counters.ts";
import type { MmuFactory } from "../machine.ts";
import {
  SHADOW_STACK,
  STOP_EPT_VIOLATION,
  STOP_NONE,
  STOP_PAGE_FAULT,
  STOP_PML_FULL,
} from "../mmu.ts";
import { foundLives } from "./examples.ts";
import { units } from "./fixture.ts";
import { plainMmu } from "./mmu.ts";
import { gfns, type Op, type Start, type TreeNumber } from "./operation.ts";
import { op, start } from "./random-lives.ts";
import { Scenario } from "./scenario.ts";

/** Does it, and returns everything that could be seen meanwhile. */
function perform(scenario: Scenario, step: Op): readonly unknown[] {
  const { mmu } = scenario;
  switch (step.op) {
    case "run":
      return run(scenario, step);
    case "entry":
      scenario.setEntry(step.tree, pageOf(scenario, step), step.level, step.value);
      break;
    case "rewrite": {
      const { page: at, kind, level: of, value } = step;
      const access = (as: number) => {
        return run(scenario, { op: "run", accesses: [{ page: at, kind: as }], reported: true });
      };
      const before = access(0);
      const vpn = pageAt(scenario, at);
      scenario.setCurrentEntry(vpn, of, value);
      // A fault elsewhere in the 2 MiB drops the walk caches that would hide the change, but not the page.
      if (of > 1) mmu.invalidateFault((vpn - (vpn % 512) + ((vpn + 256) % 512)) as Vpn);
      return [...before, ...access(kind)];
    }
    case "clear":
      scenario.clear(step.tree, pageOf(scenario, step), step.level, step.flags);
      break;
    case "table":
      scenario.overwriteTable(step.tree, pageOf(scenario, step), step.level, step.to);
      break;
    case "lines":
      scenario.setLines(step);
      break;
    case "rebuild":
      scenario.rebuild();
      break;
    case "invalidate": {
      const vpn = pageAt(scenario, step.page);
      if (step.scope === "page") mmu.invalidatePage(vpn);
      else if (step.scope === "fault") mmu.invalidateFault(vpn);
      else if (step.scope === "page-of") mmu.invalidatePageOf(vpn, step.pcid);
      else if (step.scope === "leaf-of") mmu.invalidateLeafOf(vpn, step.pcid);
      else mmu.invalidateViolation(gfns[step.gfn] as Gfn, vpn);
      break;
    }
    case "flush":
      if (step.scope === "context") mmu.flushContext(step.pcid);
      else if (step.scope === "non-global") mmu.flushNonGlobal();
      else if (step.scope === "linear") mmu.flushLinear();
      else mmu.flushNested();
      break;
    case "root":
      scenario.loadRoot(step);
      break;
    case "view":
      scenario.switchView(step.tree);
      break;
    case "configure":
      scenario.configure(step.configuration);
      break;
    case "move":
      mmu.moveTo(step.node);
      break;
    case "pml":
      scenario.setPml(step.to);
      break;
    case "fill-pml":
      scenario.fillPml(step.left);
      break;
  }
  return [mmu.pmlIndex()];
}

function pageAt({ pages: few }: Scenario, at: number): Vpn {
  return few[at % few.length] as Vpn;
}

/** The page that an op on tables names: a page for guest trees, else a guest frame. */
function pageOf(
  scenario: Scenario,
  step: { readonly tree: TreeNumber; readonly page: number },
): number {
  return step.tree < 2 ? pageAt(scenario, step.page) : gfns[step.page % gfns.length]!;
}

function run(scenario: Scenario, step: Op & { op: "run" }): readonly unknown[] {
  const { mmu } = scenario;
  const { accesses, reported } = step;
  const seen: unknown[] = [];
  accesses.forEach(({ page: at, kind }, i) => {
    const vpn = pageAt(scenario, at);
    // The offset in the page matters to sub-page permissions alone; `<<` takes the number modulo 2^32.
    mmu.low[i] = (vpn << 12) | ((i * 0x428) & 0xfff);
    const known = scenario.hasStacks ? kind : kind & ~SHADOW_STACK;
    mmu.high[i] = Math.floor(vpn / 2 ** 20) | known;
  });
  for (let from = 0; from < accesses.length; from++) {
    from = mmu.run(from, accesses.length);
    const reason = mmu.stopReason();
    seen.push({ from, reason, pfn: mmu.lastPfn(), sum: mmu.checksum(), pml: mmu.pmlIndex() });
    // What the entry held is for people: a unit may look it up when asked, long after the walk.
    for (const { dimension, level: of, pfn, index: entry } of mmu.lastWalk()) {
      seen.push(`${dimension} level ${of}: frame ${pfn}, entry ${entry}`);
    }
    if (reason === STOP_NONE) continue;
    const vpn = pageAt(scenario, accesses[from]!.page);
    if (reason === STOP_PAGE_FAULT) {
      seen.push(mmu.stopError());
      if (reported) mmu.invalidateFault(vpn);
      continue;
    }
    const gfn = mmu.stopGfn();
    seen.push(gfn);
    if (reason === STOP_EPT_VIOLATION) {
      seen.push(mmu.stopKind(), mmu.stopDuringWalk());
      seen.push(mmu.stopIsPresent(), mmu.stopIsMalformed());
      if (reported) mmu.invalidateViolation(gfn, vpn);
    } else if (reason === STOP_PML_FULL && reported) mmu.resetPml();
  }
  return seen;
}

/** A unit may give bytes (zeros) to a table that nobody wrote, so slots need not be the same. */
function framesWithBytes(...scenarios: readonly Scenario[]): ReadonlySet<Pfn> {
  const found = new Set<Pfn>();
  for (const { memory } of scenarios) {
    for (const pfn of memory.pfnOfSlot) if (pfn !== 0) found.add(pfn as Pfn);
  }
  return found;
}

function wordsOf({ memory }: Scenario, pfn: Pfn): Int32Array {
  const slot = memory.slotOf[pfn]!;
  return memory.words.subarray(slot * 1024, (slot + 1) * 1024);
}

/** Where the two are not alike, in words; empty when they are. */
function differences(unit: Scenario, plain: Scenario): readonly string[] {
  for (const scenario of [unit, plain]) scenario.mmu.collect(scenario.ledger, scenario.walkLengths);
  const found: string[] = [];
  for (const name of counterNames) {
    const [ours, theirs] = [unit.ledger[name], plain.ledger[name]];
    if (ours !== theirs) found.push(`${name} is ${ours}, should be ${theirs}`);
  }
  plain.walkLengths.forEach((count, bin) => {
    const walks = unit.walkLengths[bin];
    if (walks !== count) found.push(`${walks} walks of ${bin} references, should be ${count}`);
  });
  for (const pfn of framesWithBytes(unit, plain)) {
    const ours = wordsOf(unit, pfn);
    const theirs = wordsOf(plain, pfn);
    for (let word = 0; word < 1024; word++) {
      if (ours[word] === theirs[word]) continue;
      found.push(`frame ${pfn} word ${word}: ${ours[word]}, should be ${theirs[word]}`);
    }
  }
  return found;
}

function liveAlike(factory: MmuFactory, from: Start, ops: readonly Op[]): void {
  const unit = new Scenario(factory, from);
  const plain = new Scenario(plainMmu, from);
  ops.forEach((step, i) => {
    const expected = perform(plain, step);
    expect(perform(unit, step), `seen in op ${i}`).toEqual(expected);
    expect(differences(unit, plain), `after op ${i}`).toEqual([]);
  });
  const { accesses, l1Hits, stlbHits, stlbMisses, walks } = plain.ledger;
  expect(accesses).toBe(l1Hits + stlbHits + stlbMisses);
  expect(walks).toBe(plain.walkLengths.reduce((sum, count) => sum + count, 0));
}

// 62 bugs were planted in a copy of the plain unit; 60 of them failed here within 300 runs. Among them: eviction of the
// most recent, a hit that leaves the age alone, PCID, VPID or G ignored by lookups, a fragment with its page's frame, D
// or nested X not asked for, INVLPG sparing global pages or other walk caches, the STLB not refreshed by a dirty
// assist, rights of upper levels forgotten by walk caches, A set on a denied leaf, guest tables read instead of written
// under EPT A/D, PML stopping one entry early, PAT taken for a frame bit. Two need luck and have tests of their own:
// reserved bits in a 2 MiB entry, an STLB entry that becomes global in place. In the fast unit: a 2 MiB page that
// leaves no mark in `large`.
describe.each(units)("the %s unit", (_name, factory) => {
  test("counts, marks, stops and translates as the plain one under any operations", () => {
    fc.assert(
      fc.property(start, fc.array(op, { minLength: 1, maxLength: 120, size: "max" }), (from, ops) =>
        liveAlike(factory, from, ops),
      ),
      { numRuns: 180, examples: foundLives },
    );
  });
});
