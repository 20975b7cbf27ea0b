/**
 * Architectural walk lengths (class a): references of one walk with every cache empty.
 *
 * The number is the count of steps that silicon reports for one read, under each pair of page sizes and
 * depths; the published closed form is (g + 1)(n + 1) - 1 for g guest and n nested references.
 */
import { showWalk, type WalkRequest } from "../../../bench/points/show-walk.ts";
import type { Claim } from "../claim.ts";

const gva = "7f12345000";

function walk(request: Partial<WalkRequest>) {
  return showWalk({
    gva,
    engine: "ept",
    preset: "textbook",
    guestLevels: 4,
    nestedLevels: 4,
    pages: "4k",
    backing: "4k",
    ...request,
  }).steps;
}

type Exact = Pick<Claim, "name" | "published" | "how" | "simulate" | "rows" | "note">;

function exact(claim: Exact): Claim {
  return { class: "a", compare: { kind: "equal" }, unit: "references", ...claim };
}

const simple: readonly Claim[] = [
  exact({
    name: "walk, native",
    published: "AG16-001",
    rows: ["EM14-001"],
    how: "native 4-level 4K: steps of one cold walk",
    simulate: () => walk({ engine: "native" }).length,
  }),
  exact({
    name: "walk, shadow",
    published: "AG16-003",
    how: "shadow 4-level 4K: steps of one cold walk",
    simulate: () => walk({ engine: "shadow" }).length,
  }),
  exact({
    name: "walk, nested (EPT)",
    published: "AG16-002",
    rows: ["BH08-001"],
    how: "ept 4-on-4, 4K on 4K: steps of one cold walk",
    simulate: () => walk({}).length,
  }),
  exact({
    name: "walk, nested (NPT)",
    published: "BH08-001",
    how: "npt 4-on-4, 4K on 4K: steps of one cold walk",
    simulate: () => walk({ engine: "npt" }).length,
  }),
  exact({
    name: "walk, flat nested, root kept",
    published: "AG16-170",
    how: "ept-flat 4-level: steps of one cold walk, less the root's translation, which is kept",
    note: "the walk that is shown has just lost it to INVEPT: 9 steps",
    simulate: () => walk({ engine: "ept-flat" }).length - 1,
  }),
  exact({
    name: "walk, nested / native",
    published: "EM14-001[1] / EM14-001[2]",
    how: "steps of one cold walk, ept over native",
    simulate: () => walk({}).length / walk({ engine: "native" }).length,
  }),
  exact({
    name: "walk, vanilla radix native",
    published: "DM24-006[1]",
    how: "native 4-level 4K: steps of one cold walk",
    simulate: () => walk({ engine: "native" }).length,
  }),
  exact({
    name: "walk, vanilla radix virtualized",
    published: "DM24-006[2]",
    how: "ept 4-on-4, 4K on 4K: steps of one cold walk",
    simulate: () => walk({}).length,
  }),
  exact({
    name: "walk, 2M on 2M",
    published: "DM24-007",
    how: "ept 4-on-4, 2M on 2M: steps of one cold walk",
    simulate: () => walk({ pages: "2m", backing: "2m" }).length,
  }),
];

/** References charged to each guest level: nested ones for the root pointer, then a guest read and the nested behind it. */
function chargedTo(part: number): number {
  let at = 0;
  let count = 0;
  for (const { dimension } of walk({})) {
    if (dimension === "guest") at += 1;
    if (at === part) count += 1;
  }
  return count;
}

const charged = ["root pointer", "L4", "L3", "L2", "L1"].map((name, part) =>
  exact({
    name: `walk, charged to ${name}`,
    published: `AG16-01${part}`,
    how: "ept 4-on-4: nested steps before the first guest entry, or from one guest entry to the next",
    simulate: () => chargedTo(part),
  }),
);

const levels = [4, 5] as const;
const sizes = ["4k", "2m"] as const;

/** Every other pair of depths and page sizes, against the closed form; a 2M leaf saves one level. */
const pairs = levels.flatMap((guestLevels) =>
  levels.flatMap((nestedLevels) =>
    sizes.flatMap((pages) =>
      sizes.map((backing) => {
        const guest = `(${guestLevels} - ${pages === "2m" ? 1 : 0})`;
        const nested = `(${nestedLevels} - ${backing === "2m" ? 1 : 0})`;
        return exact({
          name: `walk, ${guestLevels}-on-${nestedLevels}, ${pages} on ${backing}`,
          published: `(${guest} + 1) * (${nested} + 1) - 1`,
          rows: ["BH08-001"],
          how: `ept ${guestLevels}-on-${nestedLevels}, guest ${pages} on host ${backing}: steps of one cold walk`,
          simulate: () => walk({ guestLevels, nestedLevels, pages, backing }).length,
        });
      }),
    ),
  ),
);

export const walkReferences: readonly Claim[] = [...simple, ...charged, ...pairs];
