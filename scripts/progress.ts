/**
 * One progress line on stderr: done of total, simulated accesses a second, time left.
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
  /** Share of the work, in the unit of `ProgressOptions.weight`. */
  readonly weight: number;
  /** Accesses simulated. */
  readonly accesses: number;
}

export interface ProgressOptions {
  /** What is counted: `points`, `ops`. */
  readonly unit: string;
  readonly count: number;
  readonly weight: number;
  readonly quiet: boolean;
  readonly stream: NodeJS.WriteStream;
}

/** Milliseconds between two lines. */
const terminalInterval = 100;
const logInterval = 5000;

export function createProgress(options: ProgressOptions): Progress {
  const { unit, count, weight, quiet, stream } = options;
  const start = performance.now();
  const isTerminal = stream.isTTY;
  const clear = isTerminal ? "\r\x1b[K" : "";
  let shown = start;
  let done = 0;
  let weightDone = 0;
  let accesses = 0;

  const line = (now: number) => {
    const seconds = (now - start) / 1000;
    const rate = `${(accesses / 1e6 / Math.max(seconds, 0.001)).toFixed(1)} M accesses/s`;
    const left = weightDone === 0 ? 0 : (seconds * (weight - weightDone)) / weightDone;
    const time = done >= count ? `${duration(seconds)} in all` : `${duration(left)} left`;
    return `${done}/${count} ${unit}, ${rate}, ${time}`;
  };
  const print = (now: number) => {
    shown = now;
    stream.write(isTerminal ? clear + line(now) : `${line(now)}\n`);
  };

  return {
    add(more) {
      done += more.count;
      weightDone += more.weight;
      accesses += more.accesses;
      const now = performance.now();
      const interval = isTerminal ? terminalInterval : logInterval;
      if (!quiet && now - shown >= interval) print(now);
    },
    note(text) {
      stream.write(`${clear}${text}\n`);
    },
    finish() {
      if (quiet) return;
      print(performance.now());
      if (isTerminal) stream.write("\n");
    },
  };
}

function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(0)} s`;
  if (seconds < 6000) return `${(seconds / 60).toFixed(0)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
