/** Another tool's trace as the text of a vmmu-trace, piece by piece. */
import { openTrace } from "../../workloads/trace/open.ts";
import { toVmmu } from "../../workloads/trace/to-vmmu.ts";

/** Throws a `TraceError` for a file that is no such trace. */
export function vmmuText(file: string): AsyncGenerator<string> {
  return toVmmu(() => openTrace(file));
}
