/** A guest that writes down what a lackey log makes it do; for tests. */
import type { Guest } from "../../guest/guest.ts";
import { decodeLackey, playChunk } from "./lackey-replay.ts";

export type Call = readonly [name: string, ...args: unknown[]];

export const allAccesses = { pageSize: "4k", accessesMax: Infinity } as const;

/** A guest, and the calls that it has got. */
export function recorder(): { guest: Guest; calls: Call[] } {
  const calls: Call[] = [];
  const guest = new Proxy({} as Guest, {
    get: (_, name) => {
      return (...args: unknown[]) => {
        calls.push([String(name), ...args]);
        return 0;
      };
    },
  });
  return { guest, calls };
}

/** Every call that `text` leads to. */
export function callsOf(text: string): Call[] {
  const { guest, calls } = recorder();
  for (const chunk of decodeLackey(Buffer.from(text), "t.lackey").chunks) {
    playChunk(guest, chunk, allAccesses);
  }
  return calls;
}

/** Reads, writes and fetches only. */
export function accessesOf(text: string): Call[] {
  return callsOf(text).filter(([name]) => ["read", "write", "fetch"].includes(name));
}
