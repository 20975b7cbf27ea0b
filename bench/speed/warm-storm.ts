/**
 * Accesses to 1024 pages in random order, within reach of the second-level TLB: once warm, they cost translation and
 * nothing else, under every scheme.
 */
import type { EngineName } from "../../engines/index.ts";
import type { Vpn } from "../../machine/address.ts";
import type { Ledger } from "../../machine/counters.ts";
import type { MmuFactory } from "../../machine/machine.ts";
import { Prng } from "../../guest/prng.ts";
import { tableBench } from "./table-bench.ts";

const pagesUsed = 1024;
const writePercent = 30;

export interface WarmStorm {
  /** Makes so many accesses and counts what that was. */
  readonly run: (accesses: number) => Ledger;
}

export function warmStorm(engine: EngineName, mmu: MmuFactory): WarmStorm {
  const { vcpu, base, during } = tableBench(engine, "skylake-sp", mmu);
  const prng = new Prng(1);
  return {
    run: (accesses) =>
      during(() => {
        for (let i = 0; i < accesses; i++) {
          const vpn = (base + prng.below(pagesUsed)) as Vpn;
          if (prng.chance(writePercent)) vcpu.write(vpn);
          else vcpu.read(vpn);
        }
      }),
  };
}
