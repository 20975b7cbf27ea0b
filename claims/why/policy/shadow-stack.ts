/**
 * What a second stack of return addresses costs and is worth, by who keeps it.
 */
import { say } from "../../../bench/results/answer.ts";
import { assert } from "../../../machine/assert.ts";
import { stackAttackNames } from "../../../policies/stack/stack-attacks.ts";
import { stackRow } from "../../../policies/stack/stack-rows.ts";
import type { StackSchemeName } from "../../../policies/stack/stack-schemes.ts";
import type { Experiment } from "../experiment.ts";

const kept = [
  "call-ept",
  "call-ept-hlat",
  "call-shadow",
  "window",
  "cet-ept",
  "cet-ept-sss",
  "cet-shadow-lock",
] as const satisfies readonly StackSchemeName[];
/** A program that calls every hundred instructions. */
const settings = { calls: 1000, work: 50, check: false } as const;

export const shadowStack: Experiment = {
  title: "Who should keep a program's return addresses?",
  points: [],

  read() {
    const rows = kept.map((name) => stackRow(name, stackAttackNames, settings));
    const of = (name: (typeof kept)[number]) => {
      const row = rows.find(({ scheme }) => scheme === name);
      assert(row !== undefined, () => `why: no stack of ${name}`);
      const broken = row.attacks.filter(({ isBroken }) => isBroken).map(({ attack }) => attack);
      return { ...row, broken };
    };
    const [call, window, cet] = [of("call-ept"), of("window"), of("cet-ept")];
    const held = (["call-ept-hlat", "call-shadow", "cet-ept-sss", "cet-shadow-lock"] as const).map(
      of,
    );
    const sss = of("cet-ept-sss");
    return {
      claim: say`A shadow stack is as good as the answer to which frame its page means. Kept by calls of the hypervisor or in a monitor's view it costs a program many times its run time and still falls to a remap under EPT; kept by silicon it costs nothing, and falls to any change of the page's entry unless EPT has a bit for its frame, or the entry that silicon walks is the hypervisor's.`,
      number: say`A call with its return: ${call.cyclesPerCall} cycles by a call of the hypervisor (${call.exitsPerCall} exit, a program that calls every hundred instructions takes ${call.slowdown} times as long), ${window.cyclesPerCall} in a view (${window.viewsPerCall} VMFUNC, ${window.slowdown} times), ${cet.cyclesPerCall} by silicon (${cet.slowdown} times). Broken under EPT: ${call.broken.join(", ")} of the first, ${window.broken.join(", ")} of the second, ${cet.broken.join(", ")} of the third; nothing breaks it where HLAT or shadow paging locks the page, nor where EPT says which frames are the supervisor's shadow stacks, at ${sss.cyclesPerCall} cycles a call.`,
      evidence: say`shadow-stack.csv; shadewalk shadow-stack`,
      change: say`An attacker who runs code in user mode alone: then nobody edits the kernel's tables, and silicon's stacks hold by themselves. Prices of VMFUNC and of an exit's handler, both assumed: an exit of less than ${window.cyclesPerCall} cycles would beat a view, and neither comes near silicon. An old address of the program's own in place of another, which no scheme here tells apart.`,
      checks: [
        {
          direction: "silicon is the cheapest, a view cheaper than an exit",
          holds:
            cet.cyclesPerCall < window.cyclesPerCall && window.cyclesPerCall < call.cyclesPerCall,
        },
        {
          direction: "a remap breaks each of them under EPT alone",
          holds: [call, window, cet].every(({ broken }) => broken.includes("remap")),
        },
        {
          direction: "nothing breaks those that know which frame the page means",
          holds: held.every(({ broken }) => broken.length === 0),
        },
        {
          direction: "EPT's bit for shadow stacks costs nothing",
          holds: sss.cyclesPerCall === cet.cyclesPerCall,
        },
      ],
      tables: [
        {
          name: "shadow-stack",
          rows: rows.map(({ attacks, title: _title, ...row }) => ({
            ...row,
            broken: attacks
              .filter(({ isBroken }) => isBroken)
              .map(({ attack }) => attack)
              .join(" "),
            exitsOfAttacks: attacks.reduce((sum, { exits }) => sum + exits, 0),
          })),
        },
      ],
      figures: [],
    };
  },
};
