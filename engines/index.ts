/**
 * The registry of engines: one line each. The key is the name in commands, results and charts.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { eptAd } from "./ept-ad.ts";
import { eptFlat } from "./ept-flat.ts";
import { eptFolded } from "./ept-folded.ts";
import { eptPmlLazy } from "./ept-pml-lazy.ts";
import { eptPml } from "./ept-pml.ts";
import { eptRing } from "./ept-ring.ts";
import { eptWpManual } from "./ept-wp-manual.ts";
import { eptWp } from "./ept-wp.ts";
import { ept } from "./ept.ts";
import { kvmTdpLegacy } from "./kvm-tdp-legacy.ts";
import { kvmTdp } from "./kvm-tdp.ts";
import { native } from "./native.ts";
import { nptWp } from "./npt-wp.ts";
import { npt } from "./npt.ts";
import { shadowVtlb } from "./shadow-vtlb.ts";
import { shadowWp } from "./shadow-wp.ts";
import { shadow } from "./shadow.ts";
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
  "ept-flat": eptFlat,
  "ept-folded": eptFolded,
  "shadow-wp": shadowWp,
  "shadow-lazy": shadowLazy,
  "kvm-6.1": shadowLazyKvm61,
  "kvm-6.12": shadowLazyKvm612,
  xen: shadowLazyXen,
  "kvm-tdp": kvmTdp,
  "kvm-tdp-legacy": kvmTdpLegacy,
} satisfies Record<string, Engine>;

export type EngineName = keyof typeof engines;

export const engineNames = Object.keys(engines) as EngineName[];
