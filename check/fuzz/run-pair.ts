/**
 * Runs a program, clones the guest in the middle, and lets both go on in turns, pages shared by copy-on-write
 * and merged again now and then, with an oracle on each.
 *
 * The clone leaves out some of what its template does, so the two drift apart; neither may ever see it.
 */
import type { Prng } from "../../guest/prng.ts";
import { assert } from "../../machine/assert.ts";
import { Machine, shareHost } from "../../machine/machine.ts";
import { createMerger } from "../../hypervisor/memory/merger.ts";
import { hostMemoryOf } from "../../hypervisor/memory/host-memory.ts";
import { Player } from "../../workloads/trace/replay.ts";
import { attachOracle } from "../oracle/oracle.ts";
import type { Program } from "./program.ts";
import { chunkOf, hypervisorFor, machineFor, problemOf, type Target } from "./run-program.ts";

/** Versions of the clone's stores, far from those of its template. */
const cloneVersions = 2 ** 30;
/** Groups between two passes of the merger. */
const groupsPerMerge = 40;

/** What went wrong, or null. Not for bare metal. */
export function runPair(program: Program, target: Target, prng: Prng): string | null {
  const { groups, header } = program;
  const options = machineFor(program, target);
  const rooms = shareHost(2, options);
  const guests = rooms.map((host, i) => {
    const machine = new Machine({ ...options, host });
    const made = hypervisorFor(program, target, machine);
    const memory = hostMemoryOf(made);
    assert(memory !== null, `fuzz: ${target.engine} shares no memory`);
    const versionsFrom = i * cloneVersions;
    const oracle = attachOracle(machine, { ...target, versionsFrom });
    const hypervisor = oracle.watch(made);
    const source = { file: "fuzz", header, chunks: [] };
    const settings = { onPhase: () => undefined, options: { fetchEachOp: false } };
    return {
      machine,
      memory,
      oracle,
      player: new Player({ machine, hypervisor, source, ...settings }),
    };
  });
  const [template, clone] = guests;
  assert(template !== undefined && clone !== undefined, "fuzz: a pair is two guests");
  const mergers = (["on-write", "on-any-use"] as const).map((unmerging) =>
    createMerger(template.machine.memory, unmerging),
  );
  const cloneAt = prng.below(groups.length + 1);
  try {
    template.player.boot();
    for (const [i, group] of groups.entries()) {
      if (i === cloneAt) {
        clone.oracle.frames.inherit(template.oracle.frames);
        clone.memory.adopt(template.memory.share());
        clone.player.resume(template.player);
      }
      template.player.run(chunkOf(group));
      if (i < cloneAt) continue;
      if (prng.chance(70)) clone.player.run(chunkOf(group));
      // By turns: what the one has closed the other may join.
      const merger = mergers[(i / groupsPerMerge) % mergers.length];
      merger?.pass([template.memory, clone.memory]);
      if (i % groupsPerMerge === 0) for (const { oracle } of guests) oracle.sharing.checkTables();
    }
    for (const { oracle } of guests) {
      oracle.sharing.checkTables();
      oracle.sharing.checkSnapshot();
    }
    return null;
  } catch (error) {
    return problemOf(error);
  }
}
