/**
 * The registry of engines: one line each. The key is the name in commands, results and charts.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { agile } from "./agile.ts";
import { eptAd } from "./ept-ad.ts";
import { eptFlat } from "./ept-flat.ts";
import { eptFolded } from "./ept-folded.ts";
import { eptPmlLazy } from "./ept-pml-lazy.ts";
import { eptPml } from "./ept-pml.ts";
import { eptRing } from "./ept-ring.ts";
import { eptWpManual } from "./ept-wp-manual.ts";
import { eptWp } from "./ept-wp.ts";
import { ept } from "./ept.ts";
import { isaEngines } from "./isas.ts";
import { kvmEpt, kvmEptNoAd, kvmEptNoPml } from "./kvm-ept.ts";
import { kvmEptLegacy, kvmEptLegacyNoPml } from "./kvm-ept-legacy.ts";
import { kvmTdpLegacy } from "./kvm-tdp-legacy.ts";
import { kvmTdp } from "./kvm-tdp.ts";
import { native } from "./native.ts";
import { type NestedProblem, nestedEngine } from "./nested/nested-engines.ts";
import { nptWp } from "./npt-wp.ts";
import { npt } from "./npt.ts";
import { pvm } from "./pvm.ts";
import { shadowVtlb } from "./shadow-vtlb.ts";
import { shadowWp } from "./shadow-wp.ts";
import { shadow } from "./shadow.ts";
import { shspProcess } from "./shsp-process.ts";
import { shsp } from "./shsp.ts";
import { shadowLazy, shadowLazyKvm61, shadowLazyKvm612, shadowLazyXen } from "./shadow-lazy.ts";

export const engines = {
  native,
  shadow,
  "shadow-vtlb": shadowVtlb,
  ept,
  npt,
  "ept-pml": eptPml,
  "ept-pml-lazy": eptPmlLazy,
  "ept-ring": eptRing,
  "ept-wp": eptWp,
  "ept-wp-manual": eptWpManual,
  "ept-ad": eptAd,
  "npt-wp": nptWp,
  agile,
  shsp,
  "shsp-process": shspProcess,
  "ept-flat": eptFlat,
  "ept-folded": eptFolded,
  "shadow-wp": shadowWp,
  "shadow-lazy": shadowLazy,
  "kvm-6.1": shadowLazyKvm61,
  "kvm-6.12": shadowLazyKvm612,
  xen: shadowLazyXen,
  pvm,
  "kvm-tdp": kvmTdp,
  "kvm-tdp-legacy": kvmTdpLegacy,
  "kvm-ept": kvmEpt,
  "kvm-ept-nopml": kvmEptNoPml,
  "kvm-ept-noad": kvmEptNoAd,
  "kvm-ept-legacy": kvmEptLegacy,
  "kvm-ept-legacy-nopml": kvmEptLegacyNoPml,
} satisfies Record<string, Engine>;

export type EngineName = keyof typeof engines;

/** All that have a name of their own: those above, and those whose guests are of another ISA. */
export const everyEngine: Readonly<Record<string, Engine>> = { ...engines, ...isaEngines };

/**
 * The engine of that name; `A@B` is A in a guest of B's, `A@B+word` with other help from
 * silicon (`nestingVariants`). Why there is none, where both exist; undefined where one does not.
 */
export function findEngine(name: string): Engine | NestedProblem | undefined {
  const known = everyEngine;
  const [inner = "", outer, ...rest] = name.split("@");
  const level1 = Object.hasOwn(known, inner) ? known[inner] : undefined;
  if (outer === undefined || level1 === undefined) return level1;
  const [below = outer, variant, ...more] = outer.split("+");
  const level0 = Object.hasOwn(known, below) ? known[below] : undefined;
  if (level0 === undefined) return undefined;
  if (rest.length > 0) return { problem: "two levels at most" };
  if (more.length > 0) return { problem: "one word after + at most" };
  return nestedEngine({ name: inner, engine: level1 }, { name: below, engine: level0 }, variant);
}

/** The name of the engine that runs the guest itself: A of `A@B`. */
export function innermostEngine(name: string): string {
  const [inner = name] = name.split("@");
  return inner;
}

export const engineNames = Object.keys(engines) as EngineName[];
