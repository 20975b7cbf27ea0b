/**
 * A guest's tables lead outside its memory: the guest's mistake (a trace's), not ours.
 */
import { hexAddress, type Vpn } from "./address.ts";

export class OutsideMemory extends Error {
  readonly vpn: Vpn;
  readonly gfn: number;

  constructor(vpn: Vpn, gfn: number, guestFrames: number) {
    const memory = hexAddress(guestFrames);
    super(
      `GVA 0x${hexAddress(vpn)} leads to GPA 0x${hexAddress(gfn)}, outside memory (0x${memory} bytes)`,
    );
    this.vpn = vpn;
    this.gfn = gfn;
  }
}
