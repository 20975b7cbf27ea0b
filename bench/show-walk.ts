/**
 * One page walk, reference by reference: the 24 reads of a cold 4-on-4 nested walk, or the 4 of a native one.
 *
 * The guest kernel maps the page and touches it, so the walk takes no fault; then every translation cache is
 * dropped and the page is read once more. What that read's walk did is shown.
 */
import { engines } from "../engines/index.ts";
import { footprintFrames } from "../guest/footprint.ts";
import { bootKernel } from "../guest/kernel.ts";
import { kernelDefaults } from "../guest/options.ts";
import { hexAddress, type Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import { type EntryFormat, entryText, entryValue } from "../machine/entry-text.ts";
import { fastMmu } from "../machine/fast.ts";
import { Machine, type MmuFactory } from "../machine/machine.ts";
import type { WalkReference } from "../machine/mmu.ts";
import { presets } from "../machine/presets.ts";
import { ConfigError, pick, quote } from "./config-error.ts";

export interface WalkRequest {
  /** Guest-virtual address, hexadecimal. */
  readonly gva: string;
  readonly engine: string;
  readonly preset: string;
  readonly guestLevels: 4 | 5;
  readonly nestedLevels: 4 | 5;
  /** Guest page size. */
  readonly pages: "4k" | "2m";
  /** Host page size. */
  readonly backing: "4k" | "2m";
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
  /** Where the walk ended. */
  readonly hpa: string;
  readonly steps: readonly WalkStep[];
}

/** First page that the guest's own image may use: maps stay below it. */
const imageStart = 0x1_0000_0000;
const hugePages = 512;
const entryBytes = 8;

export function showWalk(request: WalkRequest): ShownWalk {
  const { engine, preset, backing, pages, guestLevels, nestedLevels } = request;
  const { vpn, offset } = readGva(request.gva);
  let nestedFormat: EntryFormat = "ept";
  // Only the control fields say in which format nested entries are.
  const mmu: MmuFactory = (memory, geometry) => {
    const unit = fastMmu(memory, geometry);
    const configure: typeof unit.configure = (nested, registers, vpid) => {
      nestedFormat = nested?.format === "npt" ? "x86-64" : "ept";
      unit.configure(nested, registers, vpid);
    };
    return { ...unit, configure };
  };
  const machine = new Machine({
    preset: pick(presets, preset, "preset"),
    mmu,
    guestFrames: footprintFrames({ pages: hugePages, processes: 1 }),
    vcpus: 1,
    seed: 1,
    backing,
    nestedLevels,
    placement: "scatter",
  });
  const [vcpu] = machine.vcpus;
  assert(vcpu !== undefined, "walk: a machine without a vCPU");
  const guest = bootKernel({
    vcpu,
    hypervisor: pick(engines, engine, "engine")(machine),
    options: { ...kernelDefaults, levels: guestLevels },
    onMeasure: () => undefined,
  });
  const unit = pages === "2m" ? hugePages : 1;
  const first = (vpn - (vpn % unit)) as Vpn;
  guest.mapAt(first, unit, { fill: "populate", pages, writable: true });
  guest.write(vpn, offset);
  vcpu.drain();
  vcpu.mmu.flushLinear();
  vcpu.mmu.flushNested();
  guest.read(vpn, offset);
  vcpu.drain();
  return {
    gva: `0x${hexAddress(vpn, offset)}`,
    hpa: `0x${hexAddress(vcpu.mmu.lastPfn(), offset)}`,
    steps: vcpu.mmu.lastWalk().map((reference, index) => {
      return stepOf(
        reference,
        index + 1,
        reference.dimension === "guest" ? "x86-64" : nestedFormat,
      );
    }),
  };
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

function readGva(text: string): { readonly vpn: Vpn; readonly offset: number } {
  const allowed = `must be hexadecimal, below 0x${hexAddress(imageStart)}`;
  if (!/^(?:0x)?[0-9a-f]{1,16}$/i.test(text))
    throw new ConfigError(`GVA ${quote(text)}: ${allowed}`);
  const address = BigInt(text.startsWith("0x") ? text : `0x${text}`);
  if (address >= BigInt(imageStart) * 4096n)
    throw new ConfigError(`GVA ${quote(text)}: ${allowed}`);
  const value = Number(address);
  return { vpn: Math.floor(value / 4096) as Vpn, offset: value % 4096 };
}
