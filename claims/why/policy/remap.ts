/**
 * What each scheme's lock is worth: the attacks, run.
 */
import { say } from "../../../bench/results/answer.ts";
import { attackMatrix } from "../../../policies/attack/run-attack.ts";
import type { Experiment } from "../experiment.ts";

export const remap: Experiment = {
  title: "Whose lock on a page holds?",
  points: [],

  read() {
    const outcomes = attackMatrix();
    const of = (scheme: string, attack: string) =>
      outcomes.find((one) => one.scheme === scheme && one.attack === attack);
    const brokenBy = (scheme: string) =>
      outcomes.filter((one) => one.scheme === scheme && one.isBroken).length;
    const remapped = of("ept-frame", "remap");
    const [shadow, late, path, hlat] = ["shadow", "shadow-lazy", "ept-path-cr3", "ept-hlat"].map(
      brokenBy,
    );
    const pinned = of("ept-hlat", "remap");
    return {
      claim: say`Under shadow paging a guest's tables are a proposal, under EPT they are the translation: EPT's lock on a frame says nothing about which frame a page means, and one store to a table entry undoes it unseen.`,
      number: say`Of ${new Set(outcomes.map(({ attack }) => attack)).size} attacks ${brokenBy("ept-frame")} break a frame locked by EPT, the remap after ${remapped?.exits ?? -1} exits. Shadow paging with page and frame locked loses to ${shadow ?? -1}, lazily to ${late ?? -1}, EPT with the path of tables guarded and CR3 writes verified to ${path ?? -1}; with CR3 writes free a new root breaks it after ${of("ept-path", "new-root")?.exits ?? -1} exits. Where HLAT pins the page ${hlat ?? -1} attacks break it, and the remap is a store of no effect: held after ${pinned?.exits ?? -1} exits.`,
      evidence: say`attack-matrix.csv; shadewalk attack --step shows each of them op by op`,
      change: say`A second vCPU that changes what the first has had verified, which these attacks do not try; a page that must be writable for some of its names, which no lock here tells apart.`,
      checks: [
        {
          direction: "a remap breaks EPT's lock at no exit",
          holds: remapped?.isBroken === true && remapped.exits === 0,
        },
        { direction: "shadow paging holds against all", holds: shadow === 0 && late === 0 },
        { direction: "guarded tables and verified roots hold against all", holds: path === 0 },
        {
          direction: "pinned by HLAT it holds against all, a remap at no exit",
          holds: hlat === 0 && pinned?.exits === 0,
        },
        {
          direction: "either lock alone falls",
          holds: brokenBy("shadow-frame") > 0 && brokenBy("shadow-page") > 0,
        },
      ],
      tables: [
        {
          name: "attack-matrix",
          rows: outcomes.map(({ scheme, attack, isBroken, exits, denied }) => {
            return { scheme, attack, verdict: isBroken ? "BROKEN" : "held", exits, denied };
          }),
        },
      ],
      figures: [],
    };
  },
};
