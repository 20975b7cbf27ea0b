/**
 * The lines of a vmmu trace up to and including `boot`: what machine to build and what its memory holds.
 *
 * Everything a later line could contradict is checked here: frames outside memory, vCPUs that do not exist,
 * control bits that paging does not know. FORMAT.md has the whole format.
 */
import { type Gfn, type HostPageSize, hostPageSizes } from "../../machine/address.ts";
import type { Cr3, Registers } from "../../machine/registers.ts";
import type { DirtyLogArming, Fill, TraceHeader, TraceVersion } from "./ops.ts";
import type { Tokens } from "./tokens.ts";

/** 1 TiB: the largest memory that a machine is built with. */
const memoryBytesMax = 2 ** 40;
/** vCPUs of a simulated machine. */
const vcpusMax = 64;
/** KVM_MIN_ALLOC_MMU_PAGES: with fewer, the tables of one access take each other's place for ever. */
const shadowPagesMin = 64;
const pcidMask = 0xfff;

/** Bits of CR0 and CR4 that paging reads (SDM vol. 3A 2.5 "Control Registers"). */
export const cr0WriteProtect = 0x1_0000;
export const cr4GlobalPages = 0x80;
export const cr4Levels5 = 0x1000;
export const cr4Pcid = 0x2_0000;

/** How the line `dirty-log` names what arms a page. */
export const dirtyLogWords: readonly (readonly [DirtyLogArming, string])[] = [
  ["get", "automatic"],
  ["clear", "manual"],
  ["clear-initially-set", "manual initially-set"],
];

/** What decides which CR3 values are legal. */
type Cr3Limits = Pick<TraceHeader, "version" | "memoryFrames">;

export class HeaderReader {
  /** Names of the lines so far: what the trace says itself and does not leave to whoever runs it. */
  readonly said = new Set<string>();
  private readonly tokens: Tokens;
  private version: TraceVersion = 1;
  private memoryFrames = 0;
  private vcpus = 1;
  private backing: HostPageSize = "4k";
  private shadowPagesMax: number | null = null;
  private dirtyLogArmedBy: DirtyLogArming | null = null;
  private registers: Registers = { writeProtect: true, globalPages: true, pcid: false, levels: 4 };
  private readonly fills: Fill[] = [];

  constructor(tokens: Tokens) {
    this.tokens = tokens;
  }

  /** The first line: `# vmmu-trace 1`. */
  title(text: string): void {
    const version = /^# vmmu-trace ([1-4])\s*$/.exec(text)?.[1];
    if (version === undefined) {
      this.tokens.fail("first line", text, "# vmmu-trace 1, 2, 3 or 4");
    }
    this.version = Number(version) as TraceVersion;
  }

  /** A comment. How the log is armed was one before it was a line: `# dirty-log manual`. */
  comment(text: string): void {
    const said = /^# dirty-log manual( initially-set)?\s*$/.exec(text);
    if (said !== null)
      this.dirtyLogArmedBy = said[1] === undefined ? "clear" : "clear-initially-set";
  }

  /** One line with words on it; returns the header when that line was `boot`. */
  line(): TraceHeader | null {
    const { tokens, version } = this;
    const name = tokens.word(0);
    this.said.add(name);
    if (name === "memory") this.readMemory();
    else if (name === "fill") this.fills.push(this.readFill());
    else if (name === "boot") return this.readBoot();
    else if (name === "vcpus" && version >= 2) this.vcpus = this.readSmall(name, [1, vcpusMax]);
    else if (name === "nrmmu" && version >= 2) this.shadowPagesMax = this.readPagesMax();
    else if (name === "backing" && version >= 2) this.readBacking();
    else if (name === "dirty-log" && version === 4) this.readDirtyLog();
    else if (name === "cr0" && version >= 3) this.registers = readCr0(tokens, this.registers);
    else if (name === "cr4" && version >= 3) this.registers = readCr4(tokens, this.registers);
    else tokens.fail("header line", name, this.lineNames());
    return null;
  }

  private lineNames(): string {
    const second = this.version >= 2 ? ", vcpus, backing, nrmmu" : "";
    const third = this.version >= 3 ? ", cr0, cr4" : "";
    const fourth = this.version === 4 ? ", dirty-log" : "";
    return `memory, fill${second}${third}${fourth} or boot before the first op`;
  }

  private readSmall(name: string, range: readonly [number, number]): number {
    this.tokens.exactly(2);
    return this.tokens.small(1, name, range);
  }

  /** The one decimal number of the format: the argument of KVM_SET_NR_MMU_PAGES, which KVM refuses below 64. */
  private readPagesMax(): number {
    this.tokens.exactly(2);
    const text = this.tokens.word(1);
    if (!/^[1-9]\d{0,8}$/.test(text) || Number(text) < shadowPagesMin) {
      this.tokens.fail("nrmmu", text, `a decimal number from ${shadowPagesMin} to 999999999`);
    }
    return Number(text);
  }

  private readMemory(): void {
    const bytes = this.readSmall("memory", [0x1000, memoryBytesMax]);
    if (bytes % 4096 !== 0) this.tokens.fail("memory", this.tokens.word(1), "a multiple of 1000");
    this.memoryFrames = bytes / 4096;
  }

  private readBacking(): void {
    this.tokens.exactly(2);
    const word = this.tokens.word(1);
    const allowed = this.version >= 3 ? hostPageSizes : hostPageSizes.slice(0, 2);
    const size = allowed.find((one) => one === word);
    if (size === undefined) return this.tokens.fail("backing", word, allowed.join(" or "));
    this.backing = size;
  }

  private readDirtyLog(): void {
    const { tokens } = this;
    const words = [tokens.word(1), tokens.word(2)].join(" ").trim();
    const arming = dirtyLogWords.find(([, text]) => text === words)?.[0];
    if (arming === undefined || tokens.count > 3) {
      const allowed = dirtyLogWords.map(([, text]) => text).join(", ");
      return tokens.fail("dirty-log", words, allowed);
    }
    this.dirtyLogArmedBy = arming;
  }

  private readFill(): Fill {
    const { tokens } = this;
    tokens.exactly(5);
    const bytes = this.memoryFrames * 4096;
    const first = tokens.small(1, "fill GPA", [0, memoryBytesMax]);
    if (first % 8 !== 0) tokens.fail("fill GPA", tokens.word(1), "a multiple of 8");
    const count = tokens.small(2, "fill count", [0, memoryBytesMax / 8]);
    if (first + count * 8 > bytes) {
      const range = `${tokens.word(1)}..${(first + count * 8).toString(16)}`;
      tokens.fail("fill", range, `entries below memory's end at ${bytes.toString(16)}`);
    }
    tokens.hex(3, "fill value");
    const { low, high } = tokens;
    tokens.hex(4, "fill step");
    const gfn = Math.floor(first / 4096) as Gfn;
    const index = (first % 4096) / 8;
    return { gfn, index, count, low, high, stepLow: tokens.low, stepHigh: tokens.high };
  }

  private readBoot(): TraceHeader {
    const { tokens, version, memoryFrames, vcpus, backing, shadowPagesMax, registers, fills } =
      this;
    const { dirtyLogArmedBy } = this;
    tokens.exactly(2);
    if (memoryFrames === 0) tokens.fail("line", "boot", "memory before boot");
    const boot = readCr3(tokens, "boot", { version, memoryFrames });
    return {
      version,
      memoryFrames,
      vcpus,
      backing,
      shadowPagesMax,
      dirtyLogArmedBy,
      registers,
      fills,
      boot,
    };
  }
}

/** Word 1 as a CR3 value: a frame in memory; in version 3 also the PCID and, in bit 63, no-flush. */
export function readCr3(tokens: Tokens, field: string, limits: Cr3Limits): Cr3 {
  tokens.hex(1, field);
  const { low, high } = tokens;
  const keep = high < 0;
  const pcid = low & pcidMask;
  if (limits.version < 3 && (keep || pcid !== 0)) {
    tokens.fail(field, tokens.word(1), "a page's address (PCID and bit 63 need # vmmu-trace 3)");
  }
  const root = (high & 0x7fff_ffff) * 0x10_0000 + (low >>> 12);
  if (root >= limits.memoryFrames) {
    tokens.fail(
      field,
      tokens.word(1),
      `an address below ${(limits.memoryFrames * 4096).toString(16)}`,
    );
  }
  return { root: root as Gfn, pcid, keep };
}

export function readCr0(tokens: Tokens, registers: Registers): Registers {
  tokens.exactly(2);
  const bits = tokens.small(1, "cr0", [0, cr0WriteProtect]);
  if (bits !== 0 && bits !== cr0WriteProtect) tokens.fail("cr0", tokens.word(1), "0 or 10000 (WP)");
  return { ...registers, writeProtect: bits !== 0 };
}

export function readCr4(tokens: Tokens, registers: Registers): Registers {
  tokens.exactly(2);
  const bits = tokens.small(1, "cr4", [0, cr4GlobalPages + cr4Levels5 + cr4Pcid]);
  if ((bits & ~(cr4GlobalPages | cr4Levels5 | cr4Pcid)) !== 0) {
    tokens.fail("cr4", tokens.word(1), "sums of 80 (PGE), 1000 (LA57) and 20000 (PCIDE)");
  }
  const levels = (bits & cr4Levels5) !== 0 ? 5 : 4;
  return {
    ...registers,
    levels,
    globalPages: (bits & cr4GlobalPages) !== 0,
    pcid: (bits & cr4Pcid) !== 0,
  };
}
