import { counted } from "../../../machine/counted-text.ts";
import { iommuMap } from "../../../linux/iommu/core.ts";
import { IntelIommu } from "../../../linux/iommu/intel.ts";
import { emulatedCapabilities } from "../../../viommu/dma-machine.ts";
import { EmulatedVtd } from "../../../viommu/emulated-vtd.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";

export const ioCache: DmaScenario = {
  title:
    "IO cache coherence: a line flush per 8 entries where walks do not snoop, a register where writes are buffered",
  run(see) {
    for (const [coherent, lines] of [
      [false, 8],
      [true, 0],
    ] as const) {
      const domain = domainWith({ coherent });
      const { counts } = domain.table;
      const before = counts.linesFlushed;
      iommuMap(domain, 8, [{ frame: 1008, pages: 64 }], "read-write");
      const flushed = counts.linesFlushed - before;
      const which = coherent ? "walks snoop" : "walks do not snoop";
      see(`64 entries, ${which}: ${flushed} lines flushed`, flushed === lines);
    }
    for (const [writeBufferFlush, registers] of [
      [true, 1],
      [false, 0],
    ] as const) {
      let writes = 0;
      const domain = domainWith({ writeBufferFlush }, () => (writes += 1));
      writes = 0;
      iommuMap(domain, 8, [{ frame: 1008, pages: 2 }], "read");
      const which = writeBufferFlush ? "a write buffer" : "no write buffer";
      see(`a mapping with ${which}: ${counted(writes, "register write")}`, writes === registers);
    }
  },
};

/** One page mapped already, so that tables are there. */
function domainWith(
  capabilities: { coherent?: boolean; writeBufferFlush?: boolean },
  onRegister: () => void = () => undefined,
) {
  const { machine } = smallMachine("pinned");
  const vtd = new EmulatedVtd(machine.guest, { ...emulatedCapabilities, ...capabilities });
  const port = {
    capabilities: vtd.capabilities,
    write(...words: Parameters<typeof vtd.write>) {
      onRegister();
      vtd.write(...words);
    },
  };
  const domain = new IntelIommu(port, machine.guest).createDomain();
  iommuMap(domain, 0, [{ frame: 1000, pages: 1 }], "read-write");
  return domain;
}
