/**
 * The first screen: one sentence, one picture, a verdict with a number, three ways on.
 */
import { baselineEngine } from "../../bench/results/result.ts";
import { short } from "../format.ts";
import { type Story, storyOf, storyParts, type StoryProgram } from "../story.ts";
import type { PageContent } from "./content.ts";
import { html, type Html } from "./html.ts";

export function storySection({ rows, titles, why }: PageContent): Html {
  const story = storyOf(rows);
  return html`<section id="story" class="slide" aria-labelledby="sentence">
    <div class="story-words">
      <h1 id="sentence">
        <em class="nested">Nested paging</em> pays for every TLB miss.
        <em class="shadow">Shadow paging</em> pays for every change of a page table.
      </h1>
      ${story === null ? html`` : verdictHtml(story)}
      <dl class="terms">
        <div>
          <dt class="shadow">Shadow paging</dt>
          <dd>
            The hypervisor keeps one table that leads from the guest’s addresses straight to memory:
            a walk reads 4 entries. But whenever the guest changes its own tables, the processor
            must leave the guest, so that the hypervisor can follow: a <dfn>VM exit</dfn>.
          </dd>
        </div>
        <div>
          <dt class="nested">Nested paging</dt>
          <dd>
            EPT on Intel, NPT on AMD: the processor walks the guest’s tables and the hypervisor’s.
            Changes are free. But after a <dfn>TLB miss</dfn>, when the translation is not at hand,
            a walk reads up to 24 entries.
          </dd>
        </div>
      </dl>
      <p class="ways">
        <a class="button" href="#walk">See a walk</a>
        <a class="button" href="#frontier">See the frontier move</a>
        ${
          why !== null
            ? html`<a class="button" href="#answer">Read the argument</a>`
            : html`<a class="button" href="#charts">See all programs</a>`
        }
      </p>
    </div>
    ${story === null ? html`` : pictureHtml(story, titles)}
  </section>`;
}

function verdictHtml({ verdict, all, setting }: Story): Html {
  const { programs, shadow, nested, shadowWins, nestedWins } = verdict;
  const draws = programs - shadowWins - nestedWins;
  return html`<p class="verdict">
      Over ${programs} programs a virtual machine is slower than bare metal
      <strong class="nested">${short(nested)} times</strong> with nested paging,
      <strong class="shadow">${short(shadow)} times</strong> with shadow paging.
    </p>
    <p class="quiet">
      Nested paging is faster in ${nestedWins}, shadow paging in
      ${shadowWins}${draws === 0 ? "" : `, ${draws} ${draws === 1 ? "is" : "are"} even`}.
      ${setting}; geometric means${all.programs === verdict.programs ? "" : othersText(all)}.
    </p>`;
}

/** What isolates its kernel, starts on a cold host or has another size is no program of its own. */
function othersText({ programs, nested, shadow }: Story["all"]): string {
  return `; with other kernels, hosts and sizes of the same programs, ${programs} rows, ${short(nested)} and ${short(shadow)}`;
}

function pictureHtml(story: Story, titles: PageContent["titles"]): Html {
  const { touches, changes } = story;
  const all = [touches, changes].flatMap(({ bars }) => bars.map(({ slowdown }) => slowdown));
  const longest = Math.max(...all);
  return html`<figure class="story-picture" aria-label="Two programs, cycles by cause">
    ${programHtml(touches, { ...story, longest, titles, about: "touches memory" })}
    ${programHtml(changes, { ...story, longest, titles, about: "changes its page tables" })}
    <figcaption>
      ${storyParts.map(
        ({ name }, index) => html`<span class="key"><i class="part-${index}"></i>${name}</span>`,
      )}
      <span class="quiet">Cycles in units of bare metal’s; medians over seeds.</span>
    </figcaption>
  </figure>`;
}

interface ProgramOptions extends Pick<Story, "shadow" | "nested"> {
  readonly longest: number;
  readonly about: string;
  readonly titles: PageContent["titles"];
}

/** Room for the figure behind the longest bar, in percent. */
const barsPercent = 82;

function programHtml(
  program: StoryProgram,
  { longest, about, titles, shadow, nested }: ProgramOptions,
): Html {
  const words = (engine: string) => {
    if (engine === baselineEngine) return html`bare metal`;
    if (engine === shadow) return html`shadow paging <small>${engine}</small>`;
    return engine === nested ? html`nested paging <small>${engine}</small>` : html`${engine}`;
  };
  return html`<h2>
      <small>A program that ${about}</small> ${titles[program.workload] ?? ""} (${program.name})
    </h2>
    <div class="story-bars">
      ${program.bars.map(({ engine, slowdown, shares }) => {
        const bar = shares.map((share, index) => {
          const width = ((barsPercent * share) / longest).toFixed(2);
          return html`<i class="part-${index}" style="width:${width}%"></i>`;
        });
        return html`<div class="story-bar">
          <span>${words(engine)}</span>
          <span class="bar">${bar}<b>${short(slowdown)}</b></span>
        </div>`;
      })}
    </div>`;
}
