/** Tests of the page in a real browser: `npm run test:page`. They need Chromium, so `npm test` leaves them out. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["./page.browser.ts", "./story.browser.ts", "../explorer/attack.browser.ts"],
    pool: "forks",
    // One browser at a time.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
