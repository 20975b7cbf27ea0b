/** Which mutants to run: a seeded part of all of them, spread over the files as the mutants are. */
import { createHash } from "node:crypto";

/**
 * `count` of `all`, every file in proportion to its mutants. A seed is an order, so the same seed chooses the
 * same mutants as long as the code is the same, and a changed file moves few choices in other files.
 */
export function sample<M extends { readonly file: string; readonly id: string }>(
  all: readonly M[],
  count: number,
  seed: string,
): M[] {
  const rank = ({ id }: M) => createHash("sha256").update(`${seed} ${id}`).digest("hex");
  const ranked = all
    .map((mutant) => ({ mutant, key: `${mutant.file} ${rank(mutant)}` }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ mutant }) => mutant);
  if (count >= ranked.length) return ranked;
  const step = ranked.length / count;
  return Array.from({ length: count }, (_, k) => ranked[Math.floor((k + 0.5) * step)]).filter(
    (mutant) => mutant !== undefined,
  );
}
