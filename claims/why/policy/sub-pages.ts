/**
 * What a lock finer than a page is worth: a hot word beside a locked line.
 */
import { say } from "../../../bench/results/answer.ts";
import { six } from "../../../bench/results/figures.ts";
import { readCost } from "../../../bench/costs/cost-file.ts";
import { price, totalCycles } from "../../../bench/costs/cost.ts";
import { engines } from "../../../engines/index.ts";
import { eptSpp } from "../../../engines/ept-spp.ts";
import type { Engine } from "../../../hypervisor/engine.ts";
import { attackMatrix } from "../../../policies/attack/run-attack.ts";
import { plainEpt } from "../../../policies/attack/schemes.ts";
import { countLineStores } from "../../../policies/lines/line-stores.ts";
import type { Experiment } from "../experiment.ts";

const host = "skylake-sp";
const stores = 1000;

function timed(scheme: string, engine: Engine, isLocked = true) {
  const { beside, toLine } = countLineStores({ engine, host, stores, isLocked });
  const each = (sum: number) => six(sum / stores);
  return {
    scheme,
    lock: isLocked ? "a line" : "none",
    exitsPerStore: each(beside.exits),
    walksPerStore: each(beside.walks),
    referencesPerStore: each(beside.walkReferencesGuest + beside.walkReferencesNested),
    cyclesPerStore: each(totalCycles(price(beside, 0, readCost(host)))),
    exitsAtTheLine: toLine.exits,
  };
}

export const subPages: Experiment = {
  title: "What does a lock cost the words beside it?",
  points: [],

  read() {
    const free = timed("EPT", plainEpt, false);
    const ept = timed("EPT", plainEpt);
    const spp = timed("EPT with sub-page permissions", eptSpp);
    const shadow = timed("shadow paging", engines.shadow);
    const lazy = timed("lazy shadow (kvm-6.12)", engines["kvm-6.12"]);
    const [page, line] = attackMatrix(["ept-frame", "ept-spp"]).reduce(
      ([ofPage, ofLine], { scheme, isBroken }) =>
        scheme === "ept-spp"
          ? [ofPage, ofLine + Number(isBroken)]
          : [ofPage + Number(isBroken), ofLine],
      [0, 0],
    );
    return {
      claim: say`A lock is as fine as what silicon can say no to. Where that is a page, a word that is written all the time beside 128 locked bytes exits at each store, under EPT as under shadow paging, and the hypervisor stores for the guest; sub-page permissions turn the exit into a walk, which no cache spares. They are rights on frames all the same.`,
      number: say`A store beside the locked line takes ${spp.exitsPerStore} exits, ${spp.referencesPerStore} references and ${spp.cyclesPerStore} cycles by sub-page permissions, ${ept.exitsPerStore} exit and ${ept.cyclesPerStore} cycles by EPT without, ${shadow.exitsPerStore} and ${shadow.cyclesPerStore} under shadow paging, ${lazy.exitsPerStore} and ${lazy.cyclesPerStore} under lazy shadow paging; ${free.cyclesPerStore} with nothing locked. A store to the line is ${spp.exitsAtTheLine} exit in each. ${line} attacks break the line's lock, and ${page} EPT's lock on the whole frame.`,
      evidence: say`line-stores.csv; shadewalk attack --scheme ept-frame,ept-line,ept-spp --attack beside --step`,
      change: say`Words that are moved to a page of their own: then a page's lock costs them nothing, and sub-page permissions one large page less. Silicon that caches what the permissions say.`,
      checks: [
        {
          direction: "sub-page permissions let stores beside the line run without an exit",
          holds: spp.exitsPerStore === 0 && spp.walksPerStore === 1,
        },
        {
          direction: "every other scheme exits at each",
          holds: [ept, shadow, lazy].every(({ exitsPerStore }) => exitsPerStore === 1),
        },
        {
          direction: "all deny a store to the line in one exit",
          holds: [ept, spp, shadow, lazy].every(({ exitsAtTheLine }) => exitsAtTheLine === 1),
        },
        {
          direction: "a walk is cheaper than an exit, and dearer than no lock",
          holds:
            free.cyclesPerStore < spp.cyclesPerStore &&
            [ept, shadow, lazy].every(({ cyclesPerStore }) => spp.cyclesPerStore < cyclesPerStore),
        },
        { direction: "what breaks a frame's lock by EPT breaks a line's", holds: page === line },
      ],
      tables: [{ name: "line-stores", rows: [free, spp, ept, shadow, lazy] }],
      figures: [],
    };
  },
};
