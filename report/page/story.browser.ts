/**
 * The story of the page as a reader meets it: the first screen, prices under the hand, links, slides.
 */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { syntheticRows } from "../synthetic.ts";
import { madeUpContent } from "./made-up-content.ts";
import { madeUpPage } from "./made-up-page.ts";
import { renderPage } from "./page.ts";

const made = madeUpPage();

const desk = { width: 1440, height: 900 };

async function open(at = "", viewport = desk) {
  return made.open({ viewport }, at);
}

/** The status line of the prices, and each program's winner. */
async function winners(page: Page): Promise<{ status: string; winners: string[] }> {
  return {
    status: await page.locator("#frontier .verdict").innerText(),
    winners: await page.locator(".winners tbody .winner").allInnerTexts(),
  };
}

test("the first screen of a desk has sentence, picture, verdict and three ways on", async () => {
  const { page } = await open();
  for (const selector of ["#sentence", "#story .verdict", ".story-picture", ".ways a >> nth=2"]) {
    const box = await page.locator(selector).boundingBox();
    expect(box, selector).not.toBeNull();
    expect((box?.y ?? 0) + (box?.height ?? Infinity), selector).toBeLessThanOrEqual(desk.height);
  }
  expect(await page.locator("#story .verdict").innerText()).toMatch(
    /Over \d+ programs .* [\d.]+ times with nested paging, [\d.]+ times with shadow paging/,
  );
  await page.getByRole("link", { name: "Read the argument" }).click();
  const top = async () => (await page.locator("#answer").boundingBox())?.y ?? Infinity;
  await expect.poll(top).toBeLessThan(120);
  // The bar stays.
  expect((await page.locator("header").boundingBox())?.y).toBe(0);
});

test("a slider makes an exit free: winners change, the line moves, the link says so", async () => {
  const { page, complaints } = await open();
  const before = await winners(page);
  expect(before.winners).toContain("nested");
  expect(before.status).toContain("no winner has changed");
  const line = () => page.locator(".frontier-line").getAttribute("d");
  const lineBefore = await line();
  for (const name of ["VM exit", "hypervisor software"]) {
    await page.getByRole("slider", { name }).fill("0");
  }
  const after = await winners(page);
  expect(after.winners).not.toEqual(before.winners);
  expect(after.winners.join(" ")).toMatch(/(?:shadow|draw), was nested/);
  expect(after.status).toMatch(/winners? ha(?:s|ve) changed/);
  expect(await line()).not.toBe(lineBefore);
  const link = new URL(page.url()).hash;
  expect(link).toBe("#frontier?exit=0&software=0");
  const again = await open(link);
  expect(await winners(again.page)).toEqual(after);
  await again.page.getByRole("button", { name: "Prices of the cost file" }).click();
  expect(await winners(again.page)).toEqual(before);
  expect(complaints).toEqual([]);
});

// As many rows as the default sweep has. Seen failing: with rows priced ten times over.
test("835 points are priced again, and the picture drawn, within 100 ms", async () => {
  const content = madeUpContent();
  const { points, walks } = syntheticRows({ engines: 10, workloads: 17, seeds: 5 });
  expect(points.length / 2).toBeGreaterThanOrEqual(835);
  const { text: large } = await renderPage({ ...content, rows: { points, walks } });
  const { page } = await made.openOther(large, { viewport: desk });
  const times: number[] = await page.evaluate(`(() => {
    const slider = document.getElementById("price-exit");
    return [1, 2, 3, 4, 5, 6, 7, 8, 9].map((round) => {
      slider.value = String(round * 500);
      const from = performance.now();
      slider.dispatchEvent(new Event("input"));
      document.body.getBoundingClientRect();
      return performance.now() - from;
    });
  })()`);
  // The fastest: whoever else uses the processor must not decide this.
  const fastest = Math.min(...times);
  console.log(`${points.length / 2} points priced and drawn in ${fastest.toFixed(1)} ms`);
  expect(fastest).toBeLessThan(100);
});

test("a link opens an engine at its step: EPT, step 12", async () => {
  const { page } = await open("#walk?engine=ept&step=12&backing=2m&address=0x7ffd12345678");
  const section = page.locator("#walk");
  expect(await section.locator(".step").innerText()).toContain("Read 12 of 19");
  expect(await section.getByLabel("Host pages").inputValue()).toBe("2m");
  expect((await section.boundingBox())?.y ?? Infinity).toBeLessThan(desk.height);
  await section.getByRole("button", { name: "Next" }).click();
  expect(new URL(page.url()).hash).toContain("step=13");
  expect(new URL(page.url()).hash).toContain("address=0x7ffd12345678");
});

test("the walk says what it looks for, cuts the address, counts cycles and follows arrow keys", async () => {
  const { page } = await open("#walk");
  const section = page.locator("#walk");
  const sentence = () => section.locator(".sentence").innerText();
  expect(await sentence()).toMatch(
    /^To find the guest’s PML4E at GPA 0x[0-9a-f]+: nested level 4, index \d+\.$/,
  );
  await section.getByRole("group", { name: "Walk grid" }).focus();
  for (let step = 0; step < 4; step++) await page.keyboard.press("ArrowRight");
  expect(await sentence()).toBe(
    "The guest’s own PML4E, index 0: where the table of level 3 lies, as a GPA.",
  );
  expect(await section.locator(".split-part.now").innerText()).toMatch(/0\s+PML4E/);
  expect(await section.locator(".step").innerText()).toContain("170 cycles so far, 34 a read");
  await page.keyboard.press("ArrowLeft");
  expect(await section.locator(".step").innerText()).toContain("Read 4 of 24");
  const beside = await section.locator(".beside-row b").allInnerTexts();
  expect(beside).toEqual(["4 reads, 136 cycles", "4 reads, 136 cycles", "24 reads, 816 cycles"]);
  await section.getByLabel("Host pages").selectOption("1g");
  expect(await section.locator(".walk-summary").innerText()).toMatch(/^14 references/);
});

/** Waits until the slide that was turned to is drawn. */
const drawn = (page: Page) => page.waitForSelector(".slide.now:not([aria-busy])");

test("slides show one claim each, turned by keys", async () => {
  const { page } = await made.open({ viewport: desk }, "?slides");
  const idNow = () => page.locator(".slide.now").getAttribute("id");
  expect(await idNow()).toBe("story");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press(" ");
  expect(await idNow()).toBe("answer-1");
  for (const slide of await page.locator(".slide:not(.now)").all()) {
    expect(await slide.isVisible()).toBe(false);
  }
  const letters = await page
    .locator("#answer-1 > summary strong")
    .evaluate((node) => Number.parseFloat(getComputedStyle(node).fontSize));
  expect(letters).toBeGreaterThanOrEqual(28);
  await page.keyboard.press("PageUp");
  expect(await idNow()).toBe("frontier");
  // The address is that of the slide; a button that was pressed leaves the keys to the slides.
  await page.getByRole("button", { name: "Next", exact: true }).first().click();
  expect(new URL(page.url()).hash).toBe("#answer-1");
  await page.keyboard.press("ArrowRight");
  expect(await idNow()).toBe("answer-2");
  await page.keyboard.press("Home");
  expect(await idNow()).toBe("story");
  const linked = await made.open({ viewport: desk }, "?slides#answer-2");
  expect(await linked.page.locator(".slide.now").getAttribute("id")).toBe("answer-2");
});

// Seen failing: with figures in their natural size, and with evidence on the slides.
test.each([
  [1440, 900],
  [1920, 1080],
])(
  "each slide ends where a screen of %i x %i does, and its letters are large",
  async (width, height) => {
    const { page } = await made.open({ viewport: { width, height } }, "?slides");
    const count = Number((await page.getByRole("status").first().innerText()).split(" ").at(-1));
    expect(count).toBeGreaterThan(4);
    for (let slide = 1; slide <= count; slide++) {
      await drawn(page);
      const { id, down, across, smallest } = await page.evaluate(measureSlide);
      expect({ id, down, across }).toEqual({ id, down: height, across: width });
      expect(smallest, id).toBeGreaterThanOrEqual(13);
      await page.keyboard.press("PageDown");
    }
  },
);

/** What the page needs in both directions, and the height of the smallest letters as they are painted. */
function measureSlide() {
  const now = document.querySelector(".slide.now");
  const { scrollHeight: down, scrollWidth: across } = document.documentElement;
  const letters = [...(now?.querySelectorAll<HTMLElement | SVGGraphicsElement>("*") ?? [])]
    .filter((node) =>
      [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent?.trim()),
    )
    .filter((node) => node.getClientRects().length > 0 && node.tagName !== "title")
    .map((node) => {
      const size = Number.parseFloat(getComputedStyle(node).fontSize);
      const { c, d } = (node instanceof SVGGraphicsElement && node.getScreenCTM()) || {
        c: 0,
        d: 1,
      };
      return size * Math.hypot(c, d);
    });
  return { id: now?.id ?? "", down, across, smallest: Math.min(...letters) };
}

test("a waterfall is one, with a slider over its variants", async () => {
  const { page } = await open("#answer-2");
  const figure = page.locator('[data-figure="gap"]');
  const bars = () => figure.locator("svg .mark-rect path").count();
  expect(await bars()).toBe(3);
  expect(await figure.locator("output").innerText()).toBe("some");
  await figure.getByLabel("Variant").fill("2");
  await expect.poll(() => figure.locator("output").innerText()).toBe("much");
  await expect.poll(() => figure.locator("svg").textContent()).toContain("+3");
});

test.each([1440, 1920, 768, 360])("at %i pixels no letter is below 11", async (width) => {
  const { page } = await open("", { width, height: 900 });
  const small = await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    const nodes = [...document.querySelectorAll("body *:not(script, style, noscript)")];
    return nodes
      .filter((node) =>
        [...node.childNodes].some((one) => one.nodeType === 3 && one.textContent?.trim()),
      )
      .filter((node) => node.getClientRects().length > 0)
      .filter((node) => Number.parseFloat(getComputedStyle(node).fontSize) < 11)
      .map((node) => `${node.tagName} ${node.textContent}`);
  });
  expect(small).toEqual([]);
});
