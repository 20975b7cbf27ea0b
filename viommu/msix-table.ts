/**
 * The MSI-X table of an assigned device: the guest's stores into its page exit, what it says is kept, and the device is given
 * messages that name remapping entries of the host's.
 *
 * Posted: the entry names the vCPU's descriptor, and a vCPU that runs takes the interrupt without an exit. Else the host takes it
 * and injects the guest's vector.
 *
 * Model: the emulator takes the guest's message as x86 has it, physical destination. Bias: none in exits.
 *
 * Source: PCI 3.0 6.8.2 "MSI-X Capability and Table Structures"; QEMU hw/vfio/pci.c `vfio_msix_vector_do_use`; Linux 6.1
 * drivers/pci/msi/msi.c `pci_write_msg_msix`, arch/x86/kvm/vmx/posted_intr.c `vmx_pi_update_irte`.
 */
import type { InterruptTable } from "../linux/iommu/interrupts.ts";
import type { InterruptEntry, InterruptRemapper } from "../machine/iommu/interrupts.ts";

/** The four words of an entry. */
type MsixWord = "addressLow" | "addressHigh" | "data" | "control";

/** In the control word: no message is sent. */
const MASKED = 1;
/** The host's own vectors for what it injects: one per message from here on. */
const hostVectors = 0x80;

interface Vector {
  readonly words: Record<MsixWord, number>;
  /** Entry of the host's, from the first unmasking on. */
  entry: number | null;
}

export interface MsixOptions {
  readonly source: number;
  readonly vectors: number;
  readonly table: InterruptTable;
  readonly remapper: InterruptRemapper;
  /** Frame of a vCPU's posted-interrupt descriptor; null: the host cannot post. */
  readonly descriptorOf: (destination: number) => number | null;
}

export class TrappedMsixTable {
  /** Stores of the guest into the page. */
  exitsStore = 0;
  /** Interrupts that the host took for the guest. */
  exitsInterrupt = 0;
  private readonly options: MsixOptions;
  private readonly vectors: readonly Vector[];

  constructor(options: MsixOptions) {
    this.options = options;
    this.vectors = Array.from({ length: options.vectors }, () => ({
      words: { addressLow: 0, addressHigh: 0, data: 0, control: MASKED },
      entry: null,
    }));
  }

  /** The guest stores one word of one entry. */
  store(index: number, word: MsixWord, value: number): void {
    this.exitsStore += 1;
    const vector = this.vectorAt(index);
    vector.words[word] = value;
    if ((vector.words.control & MASKED) !== 0) return;
    const entry = this.entryFor(vector, index);
    if (vector.entry === null) vector.entry = this.options.table.allocate(entry);
    else this.options.table.modify(vector.entry, entry);
  }

  /**
   * The device sends message `index`: the vector that arrives at the guest and where, null when none does. A vCPU whose
   * descriptor has something outstanding already is not told again.
   */
  send(index: number): { readonly vector: number; readonly notified: number | null } | null {
    const { entry, words } = this.vectorAt(index);
    if (entry === null || (words.control & MASKED) !== 0) return null;
    const outcome = this.options.remapper.request(this.options.source, entry);
    if (outcome.kind === "blocked") return null;
    if (outcome.kind === "posted") return { vector: outcome.vector, notified: outcome.notify };
    this.exitsInterrupt += 1;
    // What the host does for its own vector: the guest's message again.
    const asked = this.vectorAt(outcome.vector - hostVectors).words;
    return { vector: asked.data & 0xff, notified: destinationOf(asked.addressLow) };
  }

  private entryFor({ words }: Vector, index: number): InterruptEntry {
    const { source, descriptorOf } = this.options;
    const destination = destinationOf(words.addressLow);
    const descriptor = descriptorOf(destination);
    return descriptor === null
      ? { kind: "remapped", source, vector: hostVectors + index, destination }
      : { kind: "posted", source, vector: words.data & 0xff, descriptor };
  }

  private vectorAt(index: number): Vector {
    const vector = this.vectors[index];
    if (vector === undefined) throw new Error(`bug: msix: no entry ${index}`);
    return vector;
  }
}

const destinationOf = (addressLow: number) => (addressLow >>> 12) & 0xff;
