/**
 * For tests: Chromium for the tests of one file, and the page of made-up results in it.
 */
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import { madeUpContent } from "./made-up-content.ts";
import { openPage, type OpenPage, startBrowser } from "./open-page.ts";
import { renderPage } from "./page.ts";

interface MadeUpPage {
  /** As `openPage` does. */
  open(options?: BrowserContextOptions, at?: string): Promise<OpenPage>;
  /** Another page in the same browser. */
  openOther(text: string, options?: BrowserContextOptions): Promise<OpenPage>;
}

/** Call it at the top of a file of tests. */
export function madeUpPage(): MadeUpPage {
  let browser: Browser;
  let text: string;
  beforeAll(async () => {
    browser = await startBrowser();
    ({ text } = await renderPage(madeUpContent()));
  });
  afterAll(() => browser.close());
  return {
    open: (options, at) => openPage(browser, text, options, at),
    openOther: (other, options) => openPage(browser, other, options),
  };
}
