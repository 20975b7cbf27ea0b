/**
 * What a point asks for and its engine's machine does not have.
 *
 * Engines differ in the ISA of their guests: how deep tables may be, whether the kernel has a second set of them, and whether a
 * recording, whose stores are x86-64's entries, means anything there.
 */
import { findEngine } from "../../engines/index.ts";
import { x86Isa } from "../../machine/isa/x86.ts";
import { ConfigError, quote } from "../input/config-error.ts";
import type { PointKey } from "../results/result.ts";

type Asked = Pick<PointKey, "engine" | "guestLevels" | "nestedLevels">;

/** Why the engine cannot run on tables of these depths; undefined when it can, or is unknown. */
export function levelsProblem({ engine, guestLevels, nestedLevels }: Asked): string | undefined {
  const { levels } = isaOf(engine);
  for (const [dimension, asked] of [
    ["guest", guestLevels],
    ["nested", nestedLevels],
  ] as const) {
    if (levels.includes(asked)) continue;
    return `engine ${engine}: ${asked} ${dimension} levels, allowed: ${levels.join(", ")}`;
  }
  return undefined;
}

/** Why the engine cannot run this program; undefined when it can. */
export function programProblem(
  { engine, params }: Pick<PointKey, "engine" | "params">,
  program: { readonly isRecordedSystem: boolean },
): string | undefined {
  const isa = isaOf(engine);
  if (program.isRecordedSystem && isa !== x86Isa) {
    return `engine ${engine}: runs guests of ${isa.name}, and the recording has entries of x86-64`;
  }
  if (params["kpti"] === 1 && !isa.hasKpti) {
    return `engine ${engine}: kpti is 1, allowed: 0 (kernels of ${isa.name} have one set of tables)`;
  }
  return undefined;
}

/** The ISA of the engine's guests, if it is not x86-64. */
export function otherIsaOf(engine: string): string | undefined {
  const isa = isaOf(engine);
  return isa === x86Isa ? undefined : isa.name;
}

/** For what writes x86-64 entries itself: throws a `ConfigError` for an engine whose guests have others. */
export function refuseOtherIsa(engine: string, what: string): void {
  const isa = otherIsaOf(engine);
  if (isa === undefined) return;
  throw new ConfigError(`engine ${quote(engine)}: runs guests of ${isa}, and ${what}`);
}

function isaOf(name: string) {
  const found = findEngine(name);
  return found !== undefined && "family" in found ? (found.isa ?? x86Isa) : x86Isa;
}
