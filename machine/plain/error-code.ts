/** The error code of a page fault, in the plain unit. Source: SDM vol. 3A 4.7 "Page-Fault Exceptions". */
import {
  PF_FETCH,
  PF_PRESENT,
  PF_RESERVED,
  PF_SHADOW_STACK,
  PF_USER,
  PF_WRITE,
} from "../page-fault.ts";
import type { Request } from "./tree.ts";

export function errorCode(
  cause: "absent" | "reserved" | "denied",
  { kind, user, isStack }: Request,
): number {
  const present = cause === "absent" ? 0 : PF_PRESENT;
  const reserved = cause === "reserved" ? PF_RESERVED : 0;
  const write = kind === "write" ? PF_WRITE : 0;
  const fetch = kind === "fetch" ? PF_FETCH : 0;
  const mode = (user ? PF_USER : 0) | (isStack ? PF_SHADOW_STACK : 0);
  return present | reserved | write | fetch | mode;
}
