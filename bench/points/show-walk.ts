/**
 * One page walk, reference by reference: the 24 reads of a cold 4-on-4 nested walk, or the 4 of a native one.
 *
 * The guest kernel maps the page and touches it, so the walk takes no fault; then every translation cache is
 * dropped and the page is read once more. What that read's walk did is shown.
 */
import { buildComputer } from "../../engines/computer.ts";
import type { CascadeStep } from "../../engines/nested/cascade.ts";
import { type Levels, levelsOf } from "../../engines/nested/nested-hypervisor.ts";
import {
  type AnyPage,
  framesUpTo,
  mapAnyPage,
  type PageKind,
  pageKind,
  pageProblem,
} from "../../guest/any-page.ts";
import { footprintFrames } from "../../guest/footprint.ts";
import { bootKernel } from "../../guest/kernel.ts";
import { kernelDefaults } from "../../guest/options.ts";
import {
  type Gfn,
  hexAddress,
  hexGva,
  type HostPageSize,
  type PagingLevels,
  type Pfn,
} from "../../machine/address.ts";
import { type EntryFormat, entryText, entryValue, formatsOf } from "../../machine/entry-text.ts";
import { type Gva, readGva } from "../../machine/gva.ts";
import type { WalkReference } from "../../machine/mmu.ts";
import { presets } from "../../machine/presets.ts";
import { ConfigError, pick, quote } from "../input/config-error.ts";
import { levelsProblem } from "./point-problem.ts";
import { engineNamed } from "./catalogue.ts";

export interface WalkRequest {
  /** Guest-virtual address, hexadecimal and canonical. */
  readonly gva: string;
  readonly engine: string;
  readonly preset: string;
  readonly guestLevels: PagingLevels;
  readonly nestedLevels: PagingLevels;
  /** Guest page size. */
  readonly pages: "4k" | "2m";
  /** Host page size. */
  readonly backing: HostPageSize;
}

export interface WalkStep {
  readonly step: number;
  readonly dimension: "guest" | "nested";
  readonly level: number;
  /** Host-physical address of the entry. */
  readonly address: string;
  /** All 64 bits. */
  readonly value: string;
  /** Frame and flags. */
  readonly meaning: string;
}

export interface ShownWalk {
  readonly gva: string;
  /** What lies there in the guest. */
  readonly kind: PageKind;
  /** Where the walk ended. */
  readonly hpa: string;
  readonly steps: readonly WalkStep[];
  /** In a guest's guest: the page's frame at each level, else null. */
  readonly frames: { readonly l2: number; readonly l1: number; readonly host: number } | null;
  /** In a guest's guest: what went on between the levels while its kernel mapped the page and touched it. */
  readonly cascade: readonly CascadeStep[];
}

const hugePages = 512;
const entryBytes = 8;

export function showWalk(request: WalkRequest): ShownWalk {
  const { engine, preset, backing, pages, guestLevels, nestedLevels } = request;
  const deep = levelsProblem(request);
  if (deep !== undefined) throw new ConfigError(deep);
  const { vpn, offset } = gvaOf(request);
  const page: AnyPage = { vpn, levels: guestLevels, pages, count: 1 };
  const problem = pageProblem(page);
  if (problem !== undefined) throw new ConfigError(`GVA ${quote(request.gva)}: ${problem}`);
  const { vcpu, hypervisor } = buildComputer({
    engine: engineNamed(engine),
    preset: pick(presets, preset, "preset"),
    guestFrames: Math.max(footprintFrames({ pages: hugePages, processes: 1 }), framesUpTo(page)),
    backing,
    nestedLevels,
  });
  const guest = bootKernel({
    vcpu,
    hypervisor,
    options: { ...kernelDefaults, levels: guestLevels },
    onMeasure: () => undefined,
  });
  vcpu.drain();
  const cascade: CascadeStep[] = [];
  const levels = levelsOf(hypervisor);
  levels?.watch((step) => cascade.push(step));
  const user = mapAnyPage(guest, vcpu, page);
  user.write(vpn, offset);
  vcpu.drain();
  levels?.watch(null);
  vcpu.mmu.flushLinear();
  vcpu.mmu.flushNested();
  user.read(vpn, offset);
  vcpu.drain();
  const hostFrame = vcpu.mmu.lastPfn();
  return {
    gva: `0x${hexGva(vpn, offset, guestLevels)}`,
    kind: pageKind(page),
    hpa: `0x${hexAddress(hostFrame, offset)}`,
    steps: vcpu.mmu.lastWalk().map((reference, index) => {
      const { guest: own, nested } = formatsOf(vcpu.controls);
      return stepOf(reference, index + 1, reference.dimension === "guest" ? own : (nested ?? own));
    }),
    frames: levels === null ? null : framesOf(hypervisor.memory.frames, hostFrame, levels),
    cascade,
  };
}

/** Looked for from below, for L2's tables are L2's. */
function framesOf(count: number, host: Pfn, levels: Levels): ShownWalk["frames"] {
  for (let l2 = 0; l2 < count; l2++) {
    const place = levels.placeOf(l2 as Gfn);
    if (place?.host === host) return { l2, ...place };
  }
  return null;
}

function stepOf(reference: WalkReference, step: number, format: EntryFormat): WalkStep {
  const { dimension, level, pfn, index, low, high } = reference;
  return {
    step,
    dimension,
    level,
    address: `0x${hexAddress(pfn, index * entryBytes)}`,
    value: entryValue(low, high),
    meaning: entryText(low, high, format, level),
  };
}

function gvaOf({ gva, guestLevels }: WalkRequest): Gva {
  const read = readGva(gva, guestLevels);
  if ("problem" in read) throw new ConfigError(`GVA ${quote(gva)}: ${read.problem}`);
  return read;
}
