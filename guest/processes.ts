/**
 * The processes of a kernel, whichever processor they run on.
 */
import type { Gfn } from "../machine/address.ts";
import { assert } from "../machine/assert.ts";
import type { AddressSpace } from "./address-space.ts";
import type { Pid } from "./guest.ts";
import type { Process } from "./process.ts";

export class Processes {
  private readonly known = new Map<Pid, Process>();
  private pids = 0;

  get all(): readonly Process[] {
    return [...this.known.values()];
  }

  add(stack: Gfn, space: AddressSpace): Process {
    this.pids += 1;
    const process: Process = { pid: this.pids as Pid, stack, space };
    this.known.set(process.pid, process);
    return process;
  }

  get(pid: Pid): Process {
    const process = this.known.get(pid);
    assert(process !== undefined, () => `guest: process ${pid} does not exist`);
    return process;
  }

  remove(pid: Pid): void {
    this.known.delete(pid);
  }
}
