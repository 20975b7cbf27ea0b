/**
 * Fields of Hyper-V's enlightened VMCS, version 1: where each lies in the page, and by which bit of the bitmap it is clean.
 *
 * Source: Hyper-V Top-Level Functional Specification 6.0, `HV_VMX_ENLIGHTENED_VMCS`; Linux `struct hv_enlightened_vmcs`
 * and the groups of `copy_enlightened_to_vmcs12`. Fields that say nothing about translation or exits are few here.
 */

/** Bit of each group in the bitmap of clean ones. */
export const groups = {
  controlGroup1: 1 << 3,
  controlProcessor: 1 << 4,
  controlEvent: 1 << 5,
  controlException: 1 << 7,
  controlRegisters: 1 << 8,
  controlTranslation: 1 << 9,
  guestBasic: 1 << 10,
  /** Copied at each entry. */
  always: 0,
} as const;

interface Field {
  /** Which 8 bytes of the page. */
  readonly word: number;
  /** A field of 4 bytes is the low or the high half of them. */
  readonly half: "low" | "high" | "both";
  readonly group: number;
}

export const fields = {
  secondaryControls: { word: 12, half: "high", group: groups.controlGroup1 },
  cr0Mask: { word: 64, half: "both", group: groups.controlRegisters },
  cr4Mask: { word: 65, half: "both", group: groups.controlRegisters },
  guestCr0: { word: 68, half: "both", group: groups.controlRegisters },
  guestCr3: { word: 69, half: "both", group: groups.controlRegisters },
  guestCr4: { word: 70, half: "both", group: groups.controlRegisters },
  eptPointer: { word: 78, half: "both", group: groups.controlTranslation },
  interruptibility: { word: 98, half: "low", group: groups.guestBasic },
  processorControls: { word: 98, half: "high", group: groups.controlProcessor },
  exceptionBitmap: { word: 99, half: "low", group: groups.controlException },
  entryInterruption: { word: 100, half: "low", group: groups.controlEvent },
  tprThreshold: { word: 101, half: "high", group: groups.always },
  guestRip: { word: 102, half: "both", group: groups.always },
} as const satisfies Record<string, Field>;
export type FieldName = keyof typeof fields;
export const fieldNames = Object.keys(fields) as FieldName[];

/** The two halves of each field. */
export type FieldValues = Record<FieldName, readonly [low: number, high: number]>;
