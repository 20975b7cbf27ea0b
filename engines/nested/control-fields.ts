/**
 * Control fields as Intel lays them out in bits, as far as they say something about translation and exits.
 *
 * Source: SDM vol. 3C 25.6 "VM-Execution Control Fields", 25.6.11 "Extended-Page-Table Pointer (EPTP)".
 */
import type { Gfn, PagingLevels, Pfn } from "../../machine/address.ts";
import { assert } from "../../machine/assert.ts";
import { bareMetalControls, type Controls } from "../../machine/controls.ts";
import { frameOf, highHalf, lowHalf } from "../../machine/formats/x86-entry.ts";
import { ept } from "../../machine/formats/ept.ts";
import type { Registers } from "../../machine/registers.ts";
import { eptStage, oneStage, twoStages } from "../../machine/stages.ts";
import type { ControlBlock } from "./control-block.ts";
import type { FieldValues } from "./vmcs-fields.ts";

const invlpgExits = 1 << 9;
const cr3LoadExits = 1 << 15;
const cr3StoreExits = 1 << 16;
const eptEnabled = 1 << 1;
const vpidEnabled = 1 << 5;
/** Without it INVPCID is an undefined instruction; with it, it exits where INVLPG does. */
const invpcidEnabled = 1 << 12;
const pageFaultExits = 1 << 14;
const wp = 1 << 16;
const pge = 1 << 7;
const la57 = 1 << 12;
const pcide = 1 << 17;
const eptWriteBack = 6;
const eptMarks = 1 << 6;

/** Where tables start, of a CR3 or an EPTP. */
export function rootOf([low, high]: readonly [number, number]): Gfn | Pfn {
  return frameOf(low, high) as Gfn;
}

function bit(isSet: boolean, mask: number): number {
  return isSet ? mask : 0;
}

/** The fields that `asked` gives a value; a root only where the hypervisor has loaded one. */
export function encodeControls({
  controls,
  root,
  pcid,
  isRootNew,
}: ControlBlock): Partial<FieldValues> {
  const { walk, exitOnInvlpg, exitOnInvpcid, exitOnCr3Write, exitOnCr3Read } = controls;
  assert(exitOnInvlpg === exitOnInvpcid, "VMCS: INVLPG and INVPCID exit by one control");
  const nested = controls.stages(4).at(1) ?? null;
  assert(nested === null || nested.format === ept, "VMCS: nested tables of another format");
  const eptPointer =
    nested === null
      ? ([0, 0] as const)
      : ([
          lowHalf(nested.root!, eptWriteBack | bit(nested.marks, eptMarks)) |
            ((nested.shape.levels - 1) << 3),
          highHalf(nested.root!),
        ] as const);
  return {
    processorControls: [
      0,
      bit(exitOnInvlpg, invlpgExits) |
        bit(exitOnCr3Write, cr3LoadExits) |
        bit(exitOnCr3Read, cr3StoreExits),
    ],
    secondaryControls: [
      0,
      bit(nested !== null, eptEnabled) | bit(controls.vpid, vpidEnabled) | invpcidEnabled,
    ],
    exceptionBitmap: [bit(controls.exitOnPageFault, pageFaultExits), 0],
    cr0Mask: [bit(controls.exitOnCr0Write, wp), 0],
    cr4Mask: [bit(controls.exitOnCr4Write, pge | la57 | pcide), 0],
    eptPointer,
    ...(walk === null ? {} : encodeRegisters(walk)),
    ...(isRootNew ? { guestCr3: [lowHalf(root, pcid), highHalf(root)] as const } : {}),
  };
}

function encodeRegisters({ writeProtect, globalPages, pcid, levels }: Registers) {
  return {
    guestCr0: [bit(writeProtect, wp), 0] as const,
    guestCr4: [bit(globalPages, pge) | bit(pcid, pcide) | bit(levels === 5, la57), 0] as const,
  };
}

/** What silicon is to do, by the fields. Without EPT the paging mode in them is that of the shadow tables. */
export function decodeControls(fields: FieldValues): Controls {
  const [, processor] = fields.processorControls;
  const [, secondary] = fields.secondaryControls;
  const [eptLow] = fields.eptPointer;
  const [cr0] = fields.guestCr0;
  const [cr4] = fields.guestCr4;
  const hasEpt = (secondary & eptEnabled) !== 0;
  const levels = ((eptLow >> 3) & 7) + 1;
  const exitOnInvlpg = (processor & invlpgExits) !== 0;
  const nested = eptStage(rootOf(fields.eptPointer) as Pfn, levels, (eptLow & eptMarks) !== 0);
  const walk: Registers = {
    writeProtect: (cr0 & wp) !== 0,
    globalPages: (cr4 & pge) !== 0,
    pcid: (cr4 & pcide) !== 0,
    levels: ((cr4 & la57) === 0 ? 4 : 5) satisfies PagingLevels,
  };
  return {
    ...bareMetalControls,
    virtualized: true,
    stages: hasEpt ? twoStages(nested) : oneStage,
    walk: hasEpt ? null : walk,
    exitOnPageFault: (fields.exceptionBitmap[0] & pageFaultExits) !== 0,
    exitOnCr3Write: (processor & cr3LoadExits) !== 0,
    exitOnCr3Read: (processor & cr3StoreExits) !== 0,
    exitOnInvlpg,
    exitOnInvpcid: exitOnInvlpg && (secondary & invpcidEnabled) !== 0,
    exitOnCr0Write: fields.cr0Mask[0] !== 0,
    exitOnCr4Write: fields.cr4Mask[0] !== 0,
    vpid: (secondary & vpidEnabled) !== 0,
  };
}
