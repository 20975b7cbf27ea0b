/**
 * The memory that a boot loader leaves behind: kernel tables with text, entry area and direct map.
 *
 * Written as bytes before the first instruction, because nobody can run code without tables. From frame 0:
 * kernel text, entry area, then the tables. A and D are set in all of it, as Linux sets them, so that
 * silicon has nothing to note down on kernel pages.
 */
import { entriesPerTable, type Gfn, indexAt, pagesPerEntry, type Vpn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import {
  asGlobal,
  asLarge,
  frameOf,
  highHalf,
  kernelPage,
  lowHalf,
  noExecute,
  withoutWrite,
} from "../machine/formats/x86-entry.ts";
import type { Isa } from "../machine/isa/isa.ts";
import type { GuestMemory } from "../hypervisor/hypervisor.ts";
import { entryPages, type KernelLayout, textPages } from "./layout.ts";
import type { KernelOptions } from "./options.ts";

export interface BootImage {
  /** Kernel root: its user half is empty for ever; the root of each process starts as a copy of it. */
  readonly root: Gfn;
  /** First frame behind the image. */
  readonly end: number;
}

interface Mapping {
  readonly vpn: number;
  readonly frame: number;
  readonly level: number;
  readonly flags: number;
  readonly nx: number;
}

/** What tables are to be like. */
interface Tables {
  readonly levels: number;
  readonly isa: Isa;
}

class ImageWriter {
  private readonly memory: GuestMemory;
  private readonly levels: number;
  private readonly isa: Isa;
  readonly root: Gfn;
  private cursor: number;

  constructor(memory: GuestMemory, { levels, isa }: Tables, firstTable: number) {
    this.memory = memory;
    this.levels = levels;
    this.isa = isa;
    this.cursor = firstTable;
    this.root = this.take();
  }

  get end(): number {
    return this.cursor;
  }

  map({ vpn, frame, level, flags, nx }: Mapping): void {
    const { isa, memory } = this;
    let at = this.root;
    for (let above = this.levels; above > level; above--) {
      const index = indexAt(vpn, above);
      const [low, high] = [memory.readLow(at, index), memory.readHigh(at, index)];
      if (low !== 0) {
        at = frameOf(isa.readLow(low, high), isa.readHigh(low, high)) as Gfn;
        continue;
      }
      const below = this.take();
      const link = [lowHalf(below, kernelPage), highHalf(below)] as const;
      memory.write(at, index, isa.linkLow(...link), isa.linkHigh(...link));
      at = below;
    }
    const sized = level === 1 ? flags : asLarge(flags);
    const leaf = [lowHalf(frame, sized), highHalf(frame, nx)] as const;
    memory.write(at, indexAt(vpn, level), isa.leafLow(...leaf), isa.leafHigh(...leaf));
  }

  private take(): Gfn {
    const { frames } = this.memory;
    assert(this.cursor < frames, `boot image: does not fit into ${frames} frames`);
    this.cursor += 1;
    return (this.cursor - 1) as Gfn;
  }
}

/** Writes the image and says where it ends. `memory.frames` is the size of guest memory. */
export function writeBootImage(
  memory: GuestMemory,
  layout: KernelLayout,
  options: KernelOptions & { readonly isa: Isa },
): BootImage {
  const { directMap, kpti, globalPages, isa } = options;
  // With large pages the text is one 2 MiB page from frame 0, so the image starts with a whole one.
  const textLevel = directMap === "4k" ? 1 : 2;
  const entryFrame = textPages.count;
  const { levels } = layout;
  const writer = new ImageWriter(memory, { levels, isa }, entryFrame + entryPages.count);
  // Under KPTI kernel translations must not survive the way back to user mode, except the entry area.
  const shared = globalPages ? asGlobal(kernelPage) : kernelPage;
  const kernel = kpti ? kernelPage : shared;

  const textMapped = textLevel === 1 ? textPages.count : 1;
  for (let i = 0; i < textMapped; i++) {
    writer.map({
      vpn: layout.text + i,
      frame: i,
      level: textLevel,
      flags: withoutWrite(kernel),
      nx: 0,
    });
  }
  for (let i = 0; i < entryPages.count; i++) {
    const isText = i === entryPages.text;
    const flags = i === entryPages.stack ? shared : withoutWrite(shared);
    const vpn = layout.entryArea + i;
    writer.map({ vpn, frame: entryFrame + i, level: 1, flags, nx: isText ? 0 : noExecute });
  }
  mapAllMemory(writer, memory.frames, layout.directMap, { largest: directMap, flags: kernel });
  return { root: writer.root, end: textLevel === 1 ? writer.end : Math.max(512, writer.end) };
}

function mapAllMemory(
  writer: ImageWriter,
  frames: number,
  base: Vpn,
  { largest, flags }: { largest: KernelOptions["directMap"]; flags: number },
): void {
  const levelMax = { "4k": 1, "2m": 2, "1g": 3 }[largest];
  assert(frames <= entriesPerTable ** 3, `boot image: ${frames} frames exceed the direct map`);
  for (let frame = 0; frame < frames;) {
    let level: number = levelMax;
    while (frame % pagesPerEntry(level) !== 0 || frame + pagesPerEntry(level) > frames) level -= 1;
    writer.map({ vpn: base + frame, frame, level, flags, nx: noExecute });
    frame += pagesPerEntry(level);
  }
}
