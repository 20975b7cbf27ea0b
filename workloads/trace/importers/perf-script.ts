/**
 * Samples of `perf mem record`, as `perf script -F event,addr` or without -F prints them.
 *
 * Model: samples stand for the accesses between them. Bias: for EPT, because pages that are seldom touched are missing,
 * and with them the working set. Kernel addresses are left out: the guest has a kernel of its own.
 */
import { type Importer, usualBytes } from "./importer.ts";

const sample =
  /(?:^|[\s/,])(?:mem|cpu|ibs|arm_spe)[\w/.,=-]*?(loads?|stores?)[\w/.,=:-]*:\s+([0-9a-f]{1,16})\b/i;
const kernelDigits = 16;

export const perfScript: Importer = {
  title: "perf script of memory samples",
  isLine: (text) => sample.test(text),
  read: (text) => {
    if (/^\s*(?:#.*)?$/.test(text)) return [];
    const [, word = "", address] = sample.exec(text) ?? [];
    if (address === undefined) return /mem[-_]?\w*(?:loads|stores)/.test(text) ? null : [];
    if (/^0*$/.test(address)) return [];
    if (address.length === kernelDigits && /^f/i.test(address)) return [];
    const kind = word.toLowerCase().startsWith("store") ? "store" : "load";
    return [{ kind, address, bytes: usualBytes }];
  },
  allowed: "lines of perf script with an event of loads or stores and an address",
};
