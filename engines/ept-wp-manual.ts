/**
 * Write protection with manual protect: a get only reports, a clear by range protects again.
 *
 * Buys: pages are protected bit by bit as they are sent, so a page written between its report and its
 * protection is sent once. Pays: a second call per range.
 *
 * Source: KVM API document, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2.
 */
import type { Engine } from "../hypervisor/engine.ts";
import { createEptWp } from "./ept-wp.ts";

export const eptWpManual: Engine = {
  title: "the same, armed again by the host's clear (manual protect)",
  family: "nested",
  create: createEptWp({ armedBy: "clear" }),
};
