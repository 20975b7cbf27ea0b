/** `shadewalk lab`: exercises with hidden answers, and marks for a file of answers. */
import { Command } from "@commander-js/extra-typings";
import { grade, makeSheet } from "../../claims/lab/sheet.ts";
import { readTextFile } from "../../bench/input/text-file.ts";
import { refuseGiven } from "./given.ts";
import { seedMax, wholeNumber } from "./options.ts";

export const lab = () =>
  new Command("lab")
    .description("Print exercises on exits and walks; the answers come from runs.")
    .option("-s, --seed <n>", "decides the exercises", wholeNumber("--seed", 0, seedMax), 1)
    .option("-n, --count <n>", "how many", wholeNumber("--count", 1, 100), 6)
    .option("--answers", "print the answers and what was counted", false)
    .option(
      "--grade <file>",
      "mark a file of lines NUMBER: ANSWER instead; exit code 1 unless all are right",
    )
    .addHelpText(
      "after",
      `
Same seed and count, same exercises: give each student a seed. docs/lab.md has the rules that one needs, and a
ready lab in the place of "rebuild KVM with ept=0 and count exits".

Examples:
  npx shadewalk lab --seed 7
  npx shadewalk lab --seed 7 --answers
  npx shadewalk lab --seed 7 --grade answers.txt`,
    )
    .action(({ seed, count, answers, grade: file }, command) => {
      if (file !== undefined) refuseGiven(command, ["answers"], "is not used with --grade");
      const sheet = makeSheet({ seed, count });
      if (file !== undefined) {
        const marks = grade(sheet, readTextFile("--grade", file), file);
        for (const { number, given, isRight } of marks) {
          const verdict = given === null ? "not answered" : isRight ? "right" : `wrong: ${given}`;
          console.log(`${number}: ${verdict}`);
        }
        const right = marks.filter(({ isRight }) => isRight).length;
        console.log(`${right} of ${sheet.length} right`);
        if (right < sheet.length) process.exitCode = 1;
        return;
      }
      sheet.forEach(({ question, answer, counted }, index) => {
        console.log(`${index + 1}. ${question}\n`);
        if (answers) console.log(`   Answer: ${answer}. Counted: ${counted}.\n`);
      });
    });
