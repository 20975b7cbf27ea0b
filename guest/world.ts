/** What a guest's kernel knows of what is outside: whom it passes events to. */
import type { HostEvent } from "../hypervisor/host-events.ts";

/** What lies outside the guest. */
export interface World {
  /** Frames that a host event reports. */
  host(event: HostEvent): number;
  /** The workload says that its set-up is done. */
  onMeasure(): void;
}
