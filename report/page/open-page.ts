/**
 * For tests: the page in headless Chromium, without any network, every complaint and request written down.
 */
import { existsSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** It must not speak to anybody, and runs as root where the tests do. */
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export function startBrowser(): Promise<Browser> {
  const executablePath = places.find((place) => existsSync(place));
  if (executablePath === undefined) {
    throw new Error(
      `no Chromium: none of ${places.join(", ")}; \`npm run test:page\` as root on Debian installs it`,
    );
  }
  return chromium.launch({ executablePath, args: flags });
}

export interface OpenPage {
  readonly page: Page;
  /** What the console said, errors of scripts included. */
  readonly complaints: readonly string[];
  readonly requests: readonly string[];
}

/** Writes the page to a file, opens it from there and waits until everything is drawn; `at` is query and hash. */
export async function openPage(
  browser: Browser,
  text: string,
  options: BrowserContextOptions = {},
  at = "",
): Promise<OpenPage> {
  const file = join(await mkdtemp(join(tmpdir(), "shadewalk-page-")), "page.html");
  await writeFile(file, text);
  const context = await browser.newContext({ offline: true, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(pathToFileURL(file).href + at);
  await page.waitForSelector("html[data-ready]");
  return { page, complaints, requests };
}
