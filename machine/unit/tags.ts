/** Tags: low = VPN bits 31..0 (masked to the page size), high = VALID | context | VPN bits 44..32. */
export const VALID = 0x4000_0000;
export const contextShift = 13;
export const contextsMax = 1 << 16;
export const VPN_HIGH = 0x1fff;
/** PCIDs are 12 bits; the next number stands for a VPID's global entries. */
export const globalsOfVpid = 4096;

/** Leaf tables that are remembered by hash, per dimension. */
export const leavesLength = 4096;
