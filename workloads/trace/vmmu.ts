/**
 * The vmmu trace format, versions 1 to 4: what a guest executed, one op a line, hexadecimal without 0x.
 *
 *     # vmmu-trace 3                  1: memory fill boot / r w s x i z c p h    2: adds vcpus backing nrmmu / v
 *     memory 4000000                  3 adds, to the header: cr0 VALUE, cr4 VALUE (80 PGE, 1000 LA57, 20000 PCIDE);
 *     cr4 20080                       to `boot` and `c`: PCID in bits 11..0, no-flush in bit 63; and the ops
 *     boot 200001                     cr0 VALUE, cr4 VALUE      MOV to CR0, CR4 (LA57 cannot change)
 *     s ffff800000203000 5067         invpcid TYPE PCID GVA     types 0 to 3 as the instruction has them
 *     c 8000000000200001              y TO FROM                 copy of a 4 KiB page
 *     user                            user, kernel              privilege of the accesses that follow
 *     r 1000                          cr3, cpuid                MOV from CR3, CPUID
 *
 * FORMAT.md explains each line.
 */
import type { PagingLevels, Vpn } from "../../machine/address.ts";
import { canonicalRanges } from "../../machine/gva.ts";
import { readHostEvent } from "./host-event.ts";
import { LineSplitter } from "./lines.ts";
import {
  invpcidTypes,
  OpChunk,
  opFetch,
  opInvlpg,
  opRare,
  opRead,
  opStore,
  opWrite,
  opZeroPage,
  type RareOp,
  type TraceHeader,
} from "./ops.ts";
import { readNewest, skippedIn } from "./skipped.ts";
import { Tokens } from "./tokens.ts";
import { TraceError } from "./trace-error.ts";
import { HeaderReader, readCr0, readCr3, readCr4 } from "./vmmu-header.ts";

/** Ops per chunk: large enough to loop over, small enough to stay in the L2 cache. */
const chunkOps = 16_384;
const pageOffsetMax = 0xfff;
const accessBytes = 8;

/** Push parser: bytes in, header and chunks of ops out. */
export class VmmuParser {
  header: TraceHeader | null = null;
  private readonly tokens: Tokens;
  private readonly lines: LineSplitter;
  private readonly headerReader: HeaderReader;
  private done: OpChunk[] = [];
  private chunk = new OpChunk(chunkOps);
  /** The GVA that `address` read. */
  private vpn = 0 as Vpn;
  private offset = 0;

  constructor(file: string) {
    this.tokens = new Tokens(file);
    this.headerReader = new HeaderReader(this.tokens);
    this.lines = new LineSplitter(file, (bytes, start, end, line) => {
      this.line(bytes, start, end, line);
    });
  }

  /** Names of the header's lines. */
  get said(): ReadonlySet<string> {
    return this.headerReader.said;
  }

  /** Parses what is complete in `bytes`, which may be reused afterwards. */
  push(bytes: Uint8Array): void {
    this.lines.push(bytes);
  }

  /** No more bytes: the last line counts even without a newline. */
  end(): TraceHeader {
    const line = this.lines.end();
    if (this.header === null) {
      const value = `ends after ${line} lines`;
      const { file } = this.tokens;
      throw new TraceError({ file, line, field: "trace", value, allowed: "a header up to boot" });
    }
    this.done.push(this.chunk);
    return this.header;
  }

  /** Chunks finished since the last call; they belong to the caller. */
  take(): OpChunk[] {
    const { done } = this;
    this.done = [];
    return done;
  }

  private line(bytes: Uint8Array, start: number, end: number, line: number): void {
    const { tokens } = this;
    tokens.split(bytes, start, end, line);
    if (line === 1) {
      this.headerReader.title(latin1(bytes, start, end));
    }
    if (tokens.count === 0) {
      if (this.header === null) this.headerReader.comment(latin1(bytes, start, end));
      else this.comment(skippedIn(latin1(bytes, start, end)));
      return;
    }
    if (this.header === null) this.header = this.headerReader.line();
    else this.op(this.header);
  }

  private op(header: TraceHeader): void {
    const { tokens } = this;
    switch (tokens.letter(0)) {
      case 0x72: // r
        return this.access(opRead);
      case 0x77: // w
        return this.access(opWrite);
      case 0x78: // x
        return this.access(opFetch);
      case 0x73: // s
        return this.store();
      case 0x69: // i
        this.address(1, 2);
        return this.append(opInvlpg, 0, 0);
      case 0x7a: // z
        this.address(1, 2);
        return this.append(opZeroPage, 0, 0);
      case 0x63: // c
        tokens.exactly(2);
        return this.rare({ op: "write-cr3", cr3: readCr3(tokens, "CR3", header) });
      default:
        return this.rare(this.rareOp(header));
    }
  }

  private rareOp(header: TraceHeader): RareOp {
    const { tokens } = this;
    const name = tokens.word(0);
    if (name === "p") {
      tokens.exactly(2);
      return { op: "phase", name: tokens.word(1) };
    }
    if (name === "h") return { op: "host", event: readHostEvent(this.tokens, header) };
    if (name === "v" && header.version >= 2) {
      tokens.exactly(2);
      return { op: "vcpu", id: tokens.small(1, "vCPU", [0, header.vcpus - 1]) };
    }
    return header.version >= 3 ? this.newOp(name, header) : this.unknown(name, header);
  }

  /** The ops that version 3 adds. */
  private newOp(name: string, header: TraceHeader): RareOp {
    const { tokens } = this;
    if (name === "cr0") {
      return { op: "write-cr0", writeProtect: readCr0(tokens, header.registers).writeProtect };
    }
    if (name === "cr4") {
      const { levels, globalPages, pcid } = readCr4(tokens, header.registers);
      if (levels !== header.registers.levels) {
        tokens.fail("cr4", tokens.word(1), "the LA57 bit (1000) as the header has it");
      }
      return { op: "write-cr4", globalPages, pcid };
    }
    if (name === "invpcid") {
      this.address(3, 4);
      const pcid = tokens.small(2, "PCID", [0, 0xfff]);
      const type = invpcidTypes[tokens.small(1, "INVPCID type", [0, 3])]!;
      return { op: "invpcid", type, pcid, vpn: this.vpn };
    }
    if (name === "y") {
      this.address(2, 3);
      const from = this.vpn;
      this.address(1, 3);
      return { op: "copy-page", to: this.vpn, from };
    }
    const newest = header.version === 4 ? readNewest(tokens, name) : null;
    if (newest !== null) return newest;
    const isBare = name === "user" || name === "kernel" || name === "cr3" || name === "cpuid";
    if (!isBare) return this.unknown(name, header);
    tokens.exactly(1);
    if (name === "user") return { op: "privilege", mode: "user" };
    if (name === "kernel") return { op: "privilege", mode: "supervisor" };
    if (name === "cr3") return { op: "read-cr3" };
    return { op: "cpuid" };
  }

  private comment(said: RareOp | null): void {
    if (said !== null) this.rare(said);
  }

  private unknown(name: string, { version }: TraceHeader): never {
    const second = version >= 2 ? " v" : "";
    const third = version >= 3 ? " y cr0 cr3 cr4 invpcid user kernel cpuid" : "";
    const fourth = version === 4 ? " e n" : "";
    return this.tokens.fail("op", name, `r w s z x i c p h${second}${third}${fourth}`);
  }

  private access(code: number): void {
    this.address(1, 2);
    if (this.offset > pageOffsetMax + 1 - accessBytes) {
      this.tokens.fail("GVA", this.tokens.word(1), "8 bytes inside one page (two lines otherwise)");
    }
    this.append(code, 0, 0);
  }

  private store(): void {
    const { tokens } = this;
    this.address(1, 3);
    if (this.offset % accessBytes !== 0) tokens.fail("GVA", tokens.word(1), "a multiple of 8");
    tokens.hex(2, "value");
    this.append(opStore, tokens.low, tokens.high);
  }

  /** Reads word `index` of `count` as a canonical address into `vpn` and `offset`. */
  private address(index: number, count: number): void {
    const { tokens } = this;
    tokens.exactly(count);
    tokens.hex(index, "GVA");
    // Bits 63 to 47 (56 with LA57) must be equal; a page number drops what they repeat.
    const bits = this.header!.registers.levels === 5 ? 57 : 48;
    const sign = tokens.high >> (bits - 33);
    if (sign !== 0 && sign !== -1)
      tokens.fail("GVA", tokens.word(index), canonicalText(this.header!.registers.levels));
    const high = tokens.high & (2 ** (bits - 32) - 1);
    this.vpn = (high * 0x10_0000 + (tokens.low >>> 12)) as Vpn;
    this.offset = tokens.low & pageOffsetMax;
  }

  private rare(op: RareOp): void {
    this.append(opRare, this.chunk.rare.push(op) - 1, 0);
  }

  private append(code: number, low: number, high: number): void {
    const { chunk } = this;
    const at = chunk.length;
    chunk.code[at] = code;
    chunk.page[at] = this.vpn;
    chunk.offset[at] = this.offset;
    chunk.low[at] = low;
    chunk.high[at] = high;
    chunk.line[at] = this.tokens.line;
    chunk.length = at + 1;
    if (!chunk.isFull) return;
    this.done.push(chunk);
    this.chunk = new OpChunk(chunkOps);
  }
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString("latin1");
}

function canonicalText(levels: PagingLevels): string {
  return `a canonical ${levels === 5 ? 57 : 48}-bit address, ${canonicalRanges(levels, "")}`;
}

/** A trace on its way in: the header is known, the ops follow. */
export interface VmmuTrace {
  readonly file: string;
  readonly header: TraceHeader;
  /** Names of the header's lines; what none says has its default in `header`. */
  readonly said: ReadonlySet<string>;
  readonly chunks: AsyncIterable<OpChunk>;
}

/** Reads bytes up to the end of the header; the rest is read as `chunks` is consumed. */
export async function readVmmu(
  source: AsyncIterable<Uint8Array>,
  file: string,
): Promise<VmmuTrace> {
  const parser = new VmmuParser(file);
  const pieces = source[Symbol.asyncIterator]();
  let ended = false;
  const advance = async () => {
    const next = await pieces.next();
    if (next.done === true) {
      parser.end();
      ended = true;
    } else {
      parser.push(next.value);
    }
  };
  while (parser.header === null) await advance();
  const chunks = async function* () {
    for (;;) {
      yield* parser.take();
      if (ended) return;
      await advance();
    }
  };
  return { file, header: parser.header, said: parser.said, chunks: chunks() };
}

/** A whole trace in memory: for tests, shrinkers and short files. */
export interface DecodedTrace {
  readonly file: string;
  readonly header: TraceHeader;
  readonly chunks: Iterable<OpChunk>;
}

export function decodeVmmu(bytes: Uint8Array, file: string): DecodedTrace {
  const parser = new VmmuParser(file);
  parser.push(bytes);
  return { file, header: parser.end(), chunks: parser.take() };
}
