/**
 * A network card with a receive ring: each packet's buffer is mapped, written once, unmapped; some packets are answered.
 *
 * Shape: small mappings with short lives, so what mapping and unmapping cost decides. A packet of 1500 bytes takes 1.2 us at
 * 10 Gb/s.
 *
 * Source: Linux drivers/net/ethernet: a driver polls up to 64 packets at a time (NAPI_POLL_WEIGHT) and refills the ring.
 */
import type { DeviceProgram, DmaBuffer, DmaHandle } from "./device-program.ts";

type NicParams = {
  /** Receive descriptors. */
  readonly slots: number;
  readonly packets: number;
  /** Packets that the driver takes at a time. */
  readonly poll: number;
  /** Share of packets that are answered by one. */
  readonly answerPercent: number;
};

interface Slot {
  readonly buffer: DmaBuffer;
  readonly handle: DmaHandle;
}

/** Packets arrive in bursts of ten times their own time apart: the wire is a tenth busy (assumed). */
const microsecondsPerPacket = 12;

export const nicRing: DeviceProgram<NicParams> = {
  title: "Network card, a page per packet",
  summary: "Mappings of one page that live for one packet.",
  defaults: { slots: 256, packets: 20_000, poll: 64, answerPercent: 20 },
  bufferPages: ({ slots, poll }) => 2 * slots + 2 * poll + 64,

  run(io, { slots, packets, poll, answerPercent }, prng) {
    const ring = io.map(io.buffer(1 + Math.ceil(slots / 256), "contiguous"), "both");
    // More buffers than slots: a page that a packet was in is the network stack's for a while.
    const pool = Array.from({ length: slots + poll }, () => io.buffer(1, "contiguous"));
    const answers = Array.from({ length: poll }, () => io.buffer(1, "contiguous"));
    const take = (): Slot => {
      const buffer = pool.shift();
      if (buffer === undefined) throw new Error("bug: nic-ring: no buffer left");
      return { buffer, handle: io.map(buffer, "from-device") };
    };
    const filled: Slot[] = Array.from({ length: slots }, take);
    io.measure();
    for (let packet = 0; packet < packets; packet += poll) {
      const count = Math.min(poll, packets - packet);
      for (let i = 0; i < count; i++) receive(filled[i]);
      for (const slot of filled.splice(0, count)) {
        io.unmap(slot.handle);
        pool.push(slot.buffer);
        filled.push(take());
        if (prng.chance(answerPercent)) answer(packet % poll);
      }
      io.pass(count * microsecondsPerPacket);
    }

    function receive(slot: Slot | undefined): void {
      if (slot === undefined) return;
      io.read(ring, 0, 1);
      io.write(slot.handle, 0, 1);
      io.write(ring, ring.pages - 1, 1);
    }

    function answer(index: number): void {
      const buffer = answers[index] ?? answers[0];
      if (buffer === undefined) return;
      const handle = io.map(buffer, "to-device");
      io.read(ring, 0, 1);
      io.read(handle, 0, 1);
      io.unmap(handle);
    }
  },
};
