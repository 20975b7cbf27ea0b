/**
 * How a hypervisor keeps its dirty log: what its user space asks for when it starts one.
 *
 * Source: KVM API document, `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`, `KVM_CAP_DIRTY_LOG_RING`; the KVM module
 * parameter `eager_page_split`.
 */
export interface DirtyLogOptions {
  /**
   * What arms a reported page again, so that its next write is seen: the get itself, or a later clear of its
   * range (manual protect). `clear-initially-set` starts with every page dirty and none armed, so nothing is
   * protected before the first clear.
   */
  readonly armedBy: "get" | "clear" | "clear-initially-set";
  /** 2 MiB leaves become 4 KiB ones before logging, or stay read-only until somebody writes there. */
  readonly split: "first" | "when-written";
  /** After logging, 2 MiB leaves come back at the next fault (Linux 6.12), at once (6.13), or never. */
  readonly collapse: "next-fault" | "at-once" | "never";
  /** Entries of each vCPU's dirty ring, more than 576; null: the log is a bitmap. A ring is reset by the get. */
  readonly ringEntries: number | null;
}
