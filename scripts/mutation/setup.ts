/**
 * Runs before each test file of a mutation run.
 *
 * Stryker's switches stand at the top of each changed file. Code that is assembled from source text runs
 * outside of any file, so it finds the same switches here.
 */
import fc from "fast-check";

interface Switchboard {
  activeMutant?: string | undefined;
  hitCount?: number;
  hitLimit?: number;
  currentTestId?: string | undefined;
  mutantCoverage?: {
    static: Record<string, number>;
    perTest: Record<string, Record<string, number>>;
  };
}

// A mutant is dead at the first failure; the smallest failing example interests nobody.
fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true });

const scope = globalThis as typeof globalThis & {
  __stryker__?: Switchboard;
  stryMutAct_9fa48?: (id: string) => boolean;
  stryCov_9fa48?: (...ids: string[]) => void;
};

scope.stryMutAct_9fa48 = (id) => {
  const board = (scope.__stryker__ ??= {});
  if (board.activeMutant !== id) return false;
  if (board.hitCount !== undefined && board.hitLimit !== undefined) {
    board.hitCount += 1;
    if (board.hitCount > board.hitLimit) throw new Error("Stryker: hit count limit reached");
  }
  return true;
};

scope.stryCov_9fa48 = (...ids) => {
  const board = (scope.__stryker__ ??= {});
  const { static: loading, perTest } = (board.mutantCoverage ??= { static: {}, perTest: {} });
  const counts =
    board.currentTestId === undefined ? loading : (perTest[board.currentTestId] ??= {});
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
};
