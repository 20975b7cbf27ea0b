/** What nested paging is made of, and what it hands back where others map the same memory. */
import type { Gfn } from "../../machine/address.ts";
import type { Controls } from "../../machine/controls.ts";
import type { DirtyTracker, LoggedTables } from "../../hypervisor/dirty/tracker.ts";
import type { Hypervisor } from "../../hypervisor/hypervisor.ts";
import type { MmuNotifier } from "../../hypervisor/memory/notifier.ts";
import type { LinePermissions } from "../../hypervisor/policy/line-permissions.ts";
import type { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { CreateGuard } from "../guard/guard.ts";
import type { TableLayout } from "./layouts.ts";
import type { NestedFormat } from "./nested-format.ts";

export interface NestedScheme extends NestedFormat {
  readonly tracker: DirtyTracker;
  /** How the tables lie; absent: level by level. */
  readonly layout?: TableLayout;
  /** Rules on frames; pages are none of its business. */
  readonly policy?: MemoryPolicy | undefined;
  /** Is the right to execute its one for approved code, whoever runs it? Absent: no, unless the format tells modes apart. */
  readonly approvesCode?: boolean;
  /** What `subPages` leads to, where silicon knows lines; needs a policy. */
  readonly lines?: LinePermissions;
  /** Who watches the guest's own tables, so that rules on pages hold too; needs a policy. */
  readonly createGuard?: CreateGuard;
}

export interface NestedOn {
  readonly hypervisor: Hypervisor;
  readonly notifier: MmuNotifier;
  /** Unmaps the frames; whoever calls flushes. */
  readonly dropFrames: (start: Gfn, frames: number) => void;
  readonly tables: LoggedTables;
  /** What it loads where no log wants more. */
  readonly controls: Controls;
}
