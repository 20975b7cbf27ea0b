import { columnLength } from "../mmu.ts";
import { room } from "./room.ts";

export const low = room.int32(columnLength);
export const high = room.int32(columnLength);
