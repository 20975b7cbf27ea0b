/**
 * What a lock on pages does not hide: the order in which a program uses them.
 */
import { say } from "../../../bench/results/answer.ts";
import { assert } from "../../../machine/assert.ts";
import { faultTrace } from "../../../policies/channels/fault-trace.ts";
import type { Experiment } from "../experiment.ts";

const bits = 64;

export const faultTraceClaim: Experiment = {
  title: "Does a lock hide in which order a program uses its pages?",
  points: [],

  read() {
    const rows = faultTrace.run({ seed: 1, bits, check: false, by: "tables" });
    const of = (scheme: string) => {
      const row = rows.find((one) => one["scheme"] === scheme);
      assert(row !== undefined, () => `policy: no scheme ${scheme}`);
      return {
        right: row["recovered"] === `${bits} of ${bits}`,
        exits: Number(row["exitsPerBit"]),
      };
    };
    const [ept, shadow, lazy] = [of("kernel, ept"), of("kernel, shadow"), of("kernel, kvm-6.12")];
    const [locked, guarded] = [of("kernel, shadow, locked"), of("kernel, ept, guarded")];
    const hlat = rows.find((one) => one["scheme"] === "kernel, ept, HLAT");
    const below = ["shadow", "kvm-6.12", "ept"].map((name) => of(`hypervisor, ${name}`));
    return {
      claim: say`A lock on pages says what they mean, not that they are there: a kernel that lets its program have one page at a time reads a secret off the order of the faults, under shadow paging with every step seen and allowed. Only tables that silicon asks before the guest's close it, and nothing here closes it against the hypervisor itself.`,
      number: say`All ${bits} bits are read by a guest's kernel at ${ept.exits} exits a bit under EPT, ${shadow.exits} under shadow paging, ${lazy.exits} lazily; the same with the pages locked (${locked.exits}), and with guarded tables (${guarded.exits}). Pinned by HLAT: ${String(hlat?.["recovered"])}. A hypervisor reads all at ${below[0]?.exits ?? -1} exits a bit under every scheme.`,
      evidence: say`fault-trace.csv; shadewalk leak fault-trace`,
      change: say`A hypervisor that counts a program's faults, as shadow paging could, would see the attack; A bits read without a fault would show pages but not their order.`,
      checks: [
        {
          direction: "a kernel reads every bit under EPT at no exit",
          holds: ept.right && ept.exits === 0,
        },
        {
          direction: "locks and guards do not prevent it",
          holds: locked.right && guarded.right,
        },
        { direction: "under shadow paging each step exits", holds: shadow.exits > lazy.exits },
        {
          direction: "pages pinned by HLAT give nothing away to the guest's kernel",
          holds: hlat?.["recovered"] === `0 of ${bits}`,
        },
        {
          direction: "a hypervisor reads every bit under every scheme",
          holds: below.every(({ right }) => right),
        },
      ],
      tables: [{ name: "fault-trace", rows }],
      figures: [],
    };
  },
};
