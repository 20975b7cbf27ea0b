/**
 * Shadow IO tables by caching mode under a guest whose drivers copy through a pool that stays mapped.
 *
 * Buys: no exit once the pool is there; the strictest protection. Pays: a copy per page.
 *
 * Source: Markuze 2016 (True IOMMU Protection from DMA Attacks, ASPLOS).
 */
import { ShadowBufferDma } from "../../linux/iommu/shadow-buffers.ts";
import type { DmaScheme } from "../scheme.ts";
import { shadowCm } from "./shadow-cm.ts";

export const shadowBuffers: DmaScheme = {
  ...shadowCm,
  title: "Caching mode, and data copied through buffers that stay mapped (shadow buffers)",
  create(machine, options) {
    const inner = shadowCm.create(machine, options);
    const pool = {
      take: (pages: number) => machine.takeBuffers(pages),
      copyPage: (to: number, from: number) => machine.guest.copyPage(to, from),
    };
    const apis = inner.apis.map((api) => new ShadowBufferDma(api, pool));
    return {
      apis,
      counts: () => ({
        ...inner.counts(),
        pagesCopied: apis.reduce((sum, { pagesCopied }) => sum + pagesCopied, 0),
      }),
    };
  },
};
