/** Tells a person why nothing happens yet. */
export function waiting(line: string): void {
  console.error(`shadewalk: ${line}`);
}
