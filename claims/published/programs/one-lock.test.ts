/** One lock and many vCPUs: free below what it can serve, a queue above. */
import { expect, test } from "vitest";
import { cyclesBehindLock } from "./one-lock.ts";

// Seen failing: `arrivals[id] = free`, work beside the lock forgotten.
test("nobody waits while the lock has time left", () => {
  for (const vcpus of [1, 2, 8, 20]) {
    expect(cyclesBehindLock({ vcpus, cycles: 1000, held: 50 })).toBeCloseTo(1000);
  }
});

test("above, a piece takes as long as all others hold it", () => {
  for (const vcpus of [21, 40, 96]) {
    expect(cyclesBehindLock({ vcpus, cycles: 1000, held: 50 })).toBeCloseTo(vcpus * 50);
  }
});

test("a lock that is never held slows nobody", () => {
  expect(cyclesBehindLock({ vcpus: 96, cycles: 1000, held: 0 })).toBeCloseTo(1000);
});
