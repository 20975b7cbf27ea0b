/** The walk of an IOMMU for a device's first access to a page, reference by reference, for a terminal. */
import { firstAccess, stepDma, type StepRequest, type SteppedDma } from "../host/dma/step-dma.ts";

/** A page that the driver has just mapped; the processor named `textbook` has no caches. */
export function deviceWalkText(
  request: Pick<StepRequest, "scheme" | "backing" | "preset">,
): string {
  const stepped = stepDma({ ...request, flush: "strict", seed: 1, pages: 1 });
  return [`${stepped.scheme}: ${stepped.title}`, ...walkLines(stepped)].join("\n");
}

function walkLines({ steps }: SteppedDma): readonly string[] {
  const access = steps.find(({ what }) => what === firstAccess);
  if (access === undefined) throw new Error("bug: walk: a device that has made no access");
  const { lines, references } = access;
  let step = 0;
  return lines.map(({ actor, text }, index) => {
    const isLast = index === lines.length - 1;
    const count = `${references} reference${references === 1 ? "" : "s"}`;
    if (isLast) return `The ${actor} ${text}; ${count}`;
    step += 1;
    return `${`${step}`.padStart(2)}  ${actor === "silicon" ? "" : `${actor} `}${text}`;
  });
}
