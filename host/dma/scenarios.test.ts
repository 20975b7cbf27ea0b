/**
 * What shadow tables for devices are described to do happens, and a scenario shows it when it does not.
 */
import { afterEach, describe, expect, test } from "vitest";
import { Planting } from "../../check/dma/planting.ts";
import { DeviceTlb } from "../../machine/iommu/device-tlb.ts";
import { DirtyBitsHost } from "../../viommu/dirty-dma.ts";
import { DmaMachine } from "../../viommu/dma-machine.ts";
import { HostPages } from "../../viommu/host-pages.ts";
import { TrappedMsixTable } from "../../viommu/msix-table.ts";
import { type DmaScenario, sightsOf } from "./scenario.ts";
import { dmaScenarios } from "./scenarios.ts";

const names = Object.keys(dmaScenarios) as (keyof typeof dmaScenarios)[];
const failed = (scenario: DmaScenario) =>
  sightsOf(scenario).flatMap(({ what, holds }) => (holds ? [] : [what]));

test.each(names)("%s", (name) => {
  const sights = sightsOf(dmaScenarios[name]);
  expect(sights.length).toBeGreaterThan(1);
  expect(failed(dmaScenarios[name])).toEqual([]);
});

describe("a scenario does not hold when", () => {
  const planting = new Planting();
  afterEach(() => planting.end());
  const none = () => undefined;

  const planted: readonly (readonly [string, keyof typeof dmaScenarios, () => void])[] = [
    [
      "a device keeps its TLB",
      "device-tlb",
      () => planting.around(DeviceTlb.prototype, "invalidate", none),
    ],
    [
      "an unmapping waits for nobody",
      "stable-snapshot",
      () => planting.around(DmaMachine.prototype, "land", none),
    ],
    [
      "D bits are taken without a flush",
      "dirty-tracking",
      () => planting.around(DirtyBitsHost.prototype, "flush", none),
    ],
    [
      "a pinned page counts as any other",
      "pinned-pages",
      () => planting.around(HostPages.prototype, "isPinned", () => false),
    ],
    [
      "a message's stores are not taken",
      "msix",
      () => planting.around(TrappedMsixTable.prototype, "store", none),
    ],
  ];
  test.each(planted)("%s", (_what, name, plant) => {
    plant();
    expect(failed(dmaScenarios[name])).not.toEqual([]);
  });
});
