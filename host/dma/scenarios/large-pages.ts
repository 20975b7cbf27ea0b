import { iommuMap } from "../../../linux/iommu/core.ts";
import { IoTable } from "../../../linux/iommu/io-table.ts";
import { smallMachine } from "../../../viommu/small-machine.ts";
import type { DmaScenario } from "../scenario.ts";
import { shadowedGuest } from "../shadowed-guest.ts";

export const largePages: DmaScenario = {
  title:
    "Large pages of the guest where the host has small ones: one call, 512 leaves, and none is missing",
  run(see) {
    const { machine, device, domain, shadow } = shadowedGuest();
    const before = shadow.calls;
    iommuMap(domain, 512, [{ frame: 4096, pages: 512 }], "read-write");
    see(`2 MiB: ${shadow.calls - before} call`, shadow.calls - before === 1);
    const pages = Array.from({ length: 512 }, (_, i) => i);
    const reached = pages.filter(
      (i) => machine.access(device, 512 + i, "write") === machine.pages.place(4096 + i),
    );
    see(`the device reaches ${reached.length} of 512 pages`, reached.length === 512);
    for (const [largeLevels, stores] of [
      [[], 512 + 3],
      [[2, 3], 1 + 2],
    ] as const) {
      const shape = { levels: 4, largeLevels, coherent: true, format: "second-level" } as const;
      const table = new IoTable(smallMachine("pinned").machine.hostTables, shape);
      table.map({ page: 512, frame: 4096, pages: 512, rights: "read-write" }, () => undefined);
      const which = largeLevels.length === 0 ? "small pages only" : "large ones too";
      const made = table.counts.stores;
      see(`hardware with ${which}: ${made} entries written`, made === stores);
    }
  },
};
