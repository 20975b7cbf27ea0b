/** A process of its own for `report.ts`: measures the storm whose number is the argument, prints what it took. */
import { ownMmu } from "../../machine/fast.ts";
import { measureStorm, storms } from "./storms.ts";

const storm = storms[Number(process.argv[2])];
if (storm === undefined) throw new Error(`bug: speed: no storm ${process.argv[2]}`);
process.stdout.write(JSON.stringify(measureStorm(storm, ownMmu)));
