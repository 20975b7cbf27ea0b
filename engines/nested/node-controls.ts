/**
 * The control fields of nested paging: a processor walks the tables of its own node, and each vCPU has a log of its own.
 */
import type { Pfn } from "../../machine/address.ts";
import type { Controls } from "../../machine/controls.ts";
import type { VirtualCpu } from "../../machine/virtual-cpu.ts";
import { nestedControls } from "../../hypervisor/controls.ts";
import type { Platform } from "../../hypervisor/platform.ts";
import type { NestedTables } from "./layouts.ts";

export class NodeControls {
  /** Those of node 0, where vCPUs start, without a log. */
  readonly first: Controls;
  private readonly others: readonly Controls[];
  private logs: ReadonlyMap<number, Pfn> | null = null;

  constructor({ nodes, hasVpid }: Platform, stages: NestedTables["stages"]) {
    const on = (node: number) => nestedControls(stages(node), hasVpid);
    this.first = on(0);
    this.others = Array.from({ length: (nodes?.count ?? 1) - 1 }, (_, i) => on(i + 1));
  }

  /** Does silicon log modified pages? */
  get isLogging(): boolean {
    return this.logs !== null;
  }

  /** From now on silicon logs modified pages in these frames, by vCPU, or none of them: null. */
  setLogs(logs: ReadonlyMap<number, Pfn> | null, vcpus: readonly VirtualCpu[]): void {
    this.logs = logs;
    for (const vcpu of vcpus) this.load(vcpu);
  }

  /** For the processor that runs the vCPU. */
  load(vcpu: VirtualCpu): void {
    const near = this.others[vcpu.node - 1] ?? this.first;
    vcpu.setControls({ ...near, pml: this.logs?.get(vcpu.id) ?? null });
  }
}
