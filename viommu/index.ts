/** The registry of schemes for a guest's DMA: a new one is its file and a line here. */
import type { DmaScheme } from "./scheme.ts";
import { amd } from "./schemes/amd.ts";
import { bare } from "./schemes/bare.ts";
import { coiommu } from "./schemes/coiommu.ts";
import { nested } from "./schemes/nested.ts";
import { optimistic } from "./schemes/optimistic.ts";
import { pinned } from "./schemes/pinned.ts";
import { riommu } from "./schemes/riommu.ts";
import { shadowBuffers } from "./schemes/shadow-buffers.ts";
import { shadowCm } from "./schemes/shadow-cm.ts";
import { shadowNp } from "./schemes/shadow-np.ts";
import { shadowPri } from "./schemes/shadow-pri.ts";
import { shadowWp } from "./schemes/shadow-wp.ts";
import { sidecore } from "./schemes/sidecore.ts";
import { virtio } from "./schemes/virtio.ts";

export const dmaSchemes = {
  bare,
  amd,
  riommu,
  pinned,
  "shadow-cm": shadowCm,
  "shadow-np": shadowNp,
  "shadow-wp": shadowWp,
  "shadow-pri": shadowPri,
  nested,
  virtio,
  coiommu,
  optimistic,
  sidecore,
  "shadow-buffers": shadowBuffers,
} as const satisfies Record<string, DmaScheme>;

export type DmaSchemeName = keyof typeof dmaSchemes;
