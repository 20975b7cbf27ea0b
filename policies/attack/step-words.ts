/**
 * A step of an attack in words, for a terminal and for a page.
 */
import { counted } from "../../machine/counted-text.ts";
import type { Step } from "./attack-guest.ts";

/** Who did something at a step. */
export interface Happened {
  readonly actor: "silicon" | "hypervisor" | "guest";
  readonly text: string;
}

const answers = {
  resume: "answered",
  emulated: "stored for the guest",
  skip: "DENIED, passed over",
  inject: "#PF to the guest",
} as const;

/** What silicon walked, what the hypervisor answered, and faults that only the guest saw, in this order. */
export function happenedAt({ exits, references, guestFaults }: Step): Happened[] {
  const injected = exits.filter(({ answer }) => answer === "inject").length;
  const silently = guestFaults > injected;
  return [
    ...(references === 0
      ? []
      : [
          {
            actor: "silicon" as const,
            text: counted(references, "reference"),
          },
        ]),
    ...exits.map(({ reason, answer }) => ({
      actor: "hypervisor" as const,
      text: `${reason} exit: ${answers[answer]}`,
    })),
    ...(silently ? [{ actor: "guest" as const, text: "#PF to the guest, no exit" }] : []),
  ];
}
