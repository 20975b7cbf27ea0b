/**
 * The attack matrix of the page, in Chromium.
 */
import { expect, test } from "vitest";
import { attackMatrix } from "../../policies/attack/run-attack.ts";
import { schemeNames } from "../../policies/attack/schemes.ts";
import { madeUpPage } from "../page/made-up-page.ts";

const made = madeUpPage();

// The same run as `shadewalk attack`, and the same verdicts. Seen failing: cells of the first row only.
test("the attack matrix is run in the page, and a cell shows its steps", async () => {
  const { page, complaints } = await made.open({
    viewport: { width: 1280, height: 900 },
  });
  const section = page.locator("#attack");
  await section.scrollIntoViewIfNeeded();
  await expect
    .poll(() => section.getByText("…", { exact: true }).count(), { timeout: 60_000 })
    .toBe(0);
  const verdicts = await section
    .locator("tbody tr")
    .evaluateAll((rows) =>
      rows.map((row) => [
        row.querySelector("th")?.firstChild?.textContent ?? "",
        ...[...row.querySelectorAll("button")].map(({ textContent }) => textContent),
      ]),
    );
  const expected = schemeNames.map((scheme) => [
    scheme,
    ...attackMatrix([scheme]).map(
      ({ isBroken, exits }) => `${isBroken ? "BROKEN" : "held"} ${exits}`,
    ),
  ]);
  expect(verdicts).toEqual(expected);
  const heading = section.getByRole("status");
  expect(await heading.innerText()).toContain(
    "ept-frame (EPT, frame locked) is broken, 0 exits; shadow (shadow, page and frame locked) holds, 2 exits",
  );
  expect(await section.locator(".instructions > li").count()).toBe(3);
  await section
    .locator("tbody tr", { hasText: "shadow-deputy" })
    .getByRole("button")
    .nth(6)
    .click();
  expect(await heading.innerText()).toMatch(/^deputy: .* shadow-deputy \(.*\) is broken, 3 exits/);
  expect(page.url()).toContain("#attack?scheme=shadow-deputy&attack=deputy");
  expect(complaints).toEqual([]);
});
