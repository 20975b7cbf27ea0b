import { counted } from "../../../machine/counted-text.ts";
import { smallInterrupts, smallMsix, source } from "../../../viommu/small-interrupts.ts";
import type { DmaScenario } from "../scenario.ts";

export const remapping: DmaScenario = {
  title:
    "Interrupt remapping: a message is an entry; moved by one invalidation, sent by nobody else, posted without an exit",
  run(see) {
    const { machine, table, descriptor, submissions } = smallInterrupts();
    const { interrupts } = machine.iommu;
    const to = (vector: number, destination: number) =>
      ({ kind: "remapped", source, vector, destination }) as const;
    const index = table.allocate(to(0x41, 3));
    const first = interrupts.request(source, index);
    see("vector 0x41 goes to processor 3", first.kind === "delivered" && first.destination === 3);
    const cost = submissions(() => table.modify(index, to(0x41, 5)));
    see(`moved to processor 5 by ${cost} submission`, cost === 1);
    const moved = interrupts.request(source, index);
    see("and goes there", moved.kind === "delivered" && moved.destination === 5);
    const foreign = interrupts.request(source + 8, index);
    see("another device cannot send it", foreign.kind === "blocked");
    const posted = [0x21, 0x60].map((vector) =>
      table.allocate({ kind: "posted", source, vector, descriptor: descriptor.frame }),
    );
    const sent = posted.map((at) => interrupts.request(source, at));
    const notified = sent.filter((one) => one.kind === "posted" && one.notify !== null);
    see(`two posted: ${notified.length} notification`, notified.length === 1);
    see("and both wait for the vCPU", descriptor.take().join() === [0x21, 0x60].join());
  },
};

export const msix: DmaScenario = {
  title:
    "MSI-X: the guest's stores into the table's page exit; the device is given messages of the host's",
  run(see) {
    for (const canPost of [false, true]) {
      const { trapped, write } = smallMsix(canPost);
      write(2, 0x51, 5);
      const sent = trapped.send(2);
      const which = canPost ? "posted" : "not posted";
      see(`${which}: ${trapped.exitsStore} exits to write a message`, trapped.exitsStore === 5);
      see(`${which}: the guest hears its own vector`, sent?.vector === 0x51);
      const { exitsInterrupt } = trapped;
      see(
        `${which}: ${counted(exitsInterrupt, "exit")} to deliver it`,
        exitsInterrupt === (canPost ? 0 : 1),
      );
    }
  },
};
