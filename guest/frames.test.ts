import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { assert } from "../machine/assert.ts";
import { FrameAllocator, OutOfFrames } from "./frames.ts";

const first = 700;
const frames = 512 * 6 + 100;

describe("the frame allocator", () => {
  // Planted and caught: release freeing at count 1; unlink leaving the neighbour's pointer; takeBlock
  // handing out a block that is broken; whole blocks forgetting to clear their free list.
  test("never hands out a frame that somebody holds, and has all of them in the end", () => {
    const step = fc.record({
      kind: fc.constantFrom("take", "take", "take", "block", "share", "release", "release"),
      pick: fc.nat(100_000),
      repeat: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(fc.nat(1000), fc.array(step, { size: "max", maxLength: 100 }), (seed, steps) => {
        const allocator = new FrameAllocator({ first, frames }, seed);
        const references = new Map<number, number>();
        const held: number[] = [];
        const hold = (frame: number): void => {
          // Not `expect`, which would take most of the test's time.
          assert(!references.has(frame), `frame ${frame} is handed out twice`);
          assert(frame >= first && frame < frames, `frame ${frame} is not the allocator's`);
          references.set(frame, 1);
          held.push(frame);
        };
        const drop = (at: number): void => {
          const frame = held[at]!;
          held[at] = held.at(-1)!;
          held.pop();
          allocator.release(frame);
          const left = references.get(frame)! - 1;
          if (left === 0) references.delete(frame);
          else references.set(frame, left);
        };
        for (const { kind, pick, repeat } of steps) {
          for (let i = 0; i < repeat; i++) {
            if (kind === "take" && allocator.free > 0) hold(allocator.take());
            if (kind === "block" && i === 0) {
              const block = allocator.takeBlock();
              if (block !== null) expect(block % 512).toBe(0);
              for (let k = 0; block !== null && k < 512; k++) hold(block + k);
            }
            if (held.length === 0) continue;
            const at = (pick + i * 7) % held.length;
            if (kind === "release") drop(at);
            if (kind === "share") {
              const frame = held[at]!;
              const exclusive = references.get(frame) === 1;
              assert(allocator.isExclusive(frame) === exclusive, `frame ${frame} miscounted`);
              allocator.share(frame);
              references.set(frame, references.get(frame)! + 1);
              held.push(frame);
            }
          }
        }
        while (held.length > 0) drop(held.length - 1);
        expect(allocator.free).toBe(frames - first);
        for (let i = first; i < frames; i++) hold(allocator.take());
        expect(() => allocator.take()).toThrow(OutOfFrames);
      }),
      { numRuns: 30 },
    );
  });

  test("makes a block whole again when its last frame is free", () => {
    const allocator = new FrameAllocator({ first: 0, frames: 512 }, 1);
    const frame = allocator.take();
    expect(allocator.takeBlock()).toBeNull();
    allocator.release(frame);
    expect(allocator.takeBlock()).toBe(0);
  });

  test("breaks blocks in an order that the seed decides", () => {
    const order = (seed: number) => {
      const allocator = new FrameAllocator({ first: 0, frames: 512 * 64 }, seed);
      return Array.from({ length: 64 }, () => allocator.takeBlock());
    };
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
  });
});
