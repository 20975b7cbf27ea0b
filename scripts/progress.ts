/**
 * One progress line on stderr: done of total, how fast, time left.
 *
 * On a terminal the line rewrites itself; elsewhere a new line appears now and then, so that logs stay
 * short. The only file beside `bench/host-time.ts` that reads the clock.
 */
export interface Progress {
  add(done: Done): void;
  /** Prints a line above the progress line. */
  note(line: string): void;
  /** The last line, always printed unless quiet. */
  finish(): void;
}

/** What was finished since the last call. */
export interface Done {
  readonly count: number;
  /** Share of the work, in the unit of `ProgressOptions.weightLeft`. */
  readonly weight: number;
  /** Accesses simulated. */
  readonly accesses: number;
}

export interface ProgressOptions {
  /** What is counted: `points`, `ops`. */
  readonly unit: string;
  readonly count: number;
  /** Work that is left; asked after each `add`. */
  readonly weightLeft: () => number;
  /** What the speed is told in: simulated accesses, or what is counted. */
  readonly speed: "accesses" | "count";
  readonly quiet: boolean;
  readonly stream: Pick<NodeJS.WriteStream, "isTTY" | "write">;
  /** Milliseconds; the host's clock unless a test has its own. */
  readonly now?: () => number;
}

/** Milliseconds between two lines. */
const terminalInterval = 100;
const logInterval = 5000;

export function createProgress(options: ProgressOptions): Progress {
  const { unit, count, weightLeft, speed, quiet, stream } = options;
  const clock = options.now ?? (() => performance.now());
  const start = clock();
  const isTerminal = stream.isTTY;
  const clear = isTerminal ? "\r\x1b[K" : "";
  let shown = start;
  let done = 0;
  let weightDone = 0;
  let accesses = 0;

  const line = (now: number, isOver: boolean) => {
    const seconds = (now - start) / 1000;
    const perSecond = (total: number) => total / Math.max(seconds, 0.001);
    const rate =
      speed === "count"
        ? `${perSecond(done).toFixed(0)} ${unit}/s`
        : `${(perSecond(accesses) / 1e6).toFixed(1)} M accesses/s`;
    const left = weightDone === 0 ? 0 : (seconds * weightLeft()) / weightDone;
    const time = isOver ? `${duration(seconds)} in all` : `${duration(left)} left`;
    return `${done}/${count} ${unit}, ${rate}, ${time}`;
  };
  const print = (now: number, isOver: boolean) => {
    shown = now;
    const text = line(now, isOver);
    stream.write(isTerminal ? clear + text : `${text}\n`);
  };

  return {
    add(more) {
      done += more.count;
      weightDone += more.weight;
      accesses += more.accesses;
      const now = clock();
      const interval = isTerminal ? terminalInterval : logInterval;
      // The last line is for `finish`.
      if (!quiet && done < count && now - shown >= interval) print(now, false);
    },
    note(text) {
      stream.write(`${clear}${text}\n`);
    },
    finish() {
      if (quiet) return;
      print(clock(), true);
      if (isTerminal) stream.write("\n");
    },
  };
}

function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
