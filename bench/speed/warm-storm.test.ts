import { expect, test } from "vitest";
import { fastMmu } from "../../machine/fast.ts";
import { warmStorm } from "./warm-storm.ts";

// Seen failing with pages beyond the TLBs' reach, and before the storm was warm.
test.each(["native", "shadow", "shadow-lazy"] as const)(
  "warm accesses need no walk and no exit: %s",
  (engine) => {
    const storm = warmStorm(engine, fastMmu);
    storm.run(20_000);
    const { accesses, walks, exits } = storm.run(50_000);
    expect({ accesses, walks, exits }).toEqual({ accesses: 50_000, walks: 0, exits: 0 });
  },
);
