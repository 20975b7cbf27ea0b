/**
 * The error code of a page fault: what the access was, and what it met.
 *
 * Source: SDM vol. 3A 4.7 "Page-Fault Exceptions".
 */

/** Clear: an entry on the way was not present. */
export const PF_PRESENT = 1;
export const PF_WRITE = 2;
export const PF_USER = 4;
export const PF_RESERVED = 8;
export const PF_FETCH = 16;
export const PF_SHADOW_STACK = 64;
