/**
 * A word that is written all the time, in a page with one line of 128 bytes that nobody may store to: false sharing of a
 * lock. What each store beside the line costs, and what one to it does.
 *
 * The guest is the one that attacks run in. All has been used before, so that what is counted is owed to the lock alone.
 */
import { type Ledger, subtract } from "../../machine/counters.ts";
import type { Vcpu } from "../../machine/vcpu.ts";
import { type HostName, hosts } from "../../bench/points/boot-machine.ts";
import { attachOracle } from "../../check/oracle/oracle.ts";
import { buildComputer } from "../../engines/computer.ts";
import type { Engine } from "../../hypervisor/engine.ts";
import { MemoryPolicy } from "../../hypervisor/policy/memory-policy.ts";
import type { PolicyRule } from "../../hypervisor/policy/rules.ts";
import { bootAttacked } from "../attack/attack-guest.ts";
import { direct, frames, guestFrames } from "../attack/layout.ts";

const page = direct(frames.target);
const lines = 32;
const lineBytes = 128;

/** The first line of the page. */
const lineLock: PolicyRule = {
  kind: "lock-lines",
  start: frames.target,
  frames: 1,
  lines: 1,
};

export interface LineStores {
  readonly engine: Engine;
  readonly host: HostName;
  readonly stores: number;
  /** Is the line locked? */
  readonly isLocked: boolean;
  /** Is every access held against the oracle? */
  readonly check?: boolean;
}

export interface CountedStores {
  /** What so many stores took, to the other lines in turn. */
  readonly beside: Ledger;
  /** What one store to the line took. */
  readonly toLine: Ledger;
}

export function countLineStores({
  engine,
  host,
  stores,
  isLocked,
  check = false,
}: LineStores): CountedStores {
  const policy = new MemoryPolicy();
  const { preset } = hosts[host];
  const { machine, vcpu, hypervisor } = buildComputer({ engine, preset, guestFrames, policy });
  const oracle = check ? attachOracle(machine, { native: false }) : null;
  oracle?.police(policy);
  bootAttacked(oracle?.watch(hypervisor) ?? hypervisor, vcpu);
  vcpu.write(page);
  if (isLocked) policy.enact(lineLock);
  storeBeside(vcpu, lines);
  const counted = (act: () => void): Ledger => {
    const before = vcpu.snapshot().ledger;
    act();
    return subtract(vcpu.snapshot().ledger, before);
  };
  return {
    beside: counted(() => storeBeside(vcpu, stores)),
    toLine: counted(() => vcpu.write(page)),
  };
}

function storeBeside(vcpu: Vcpu, stores: number): void {
  for (let i = 0; i < stores; i++) vcpu.write(page, (1 + (i % (lines - 1))) * lineBytes);
  vcpu.drain();
}
