#!/usr/bin/env bash
# `record-system` end to end: a small Linux guest with and without KPTI is recorded, and what the replay counts under five
# schemes, every access checked, is what the recorder saw. One to two minutes, beside the time to fetch packages.
# Not in .ci/run: QEMU 9.2 or newer is in Debian 12's backports only, and which archives a machine reads is its owner's.
#
# Seen failing: no `list_pending_under` (155 words not listed, with KPTI); virtual time that sleeps (two recordings differ);
# a filter that forgets nothing (19,252 exits of a virtual TLB, 19,311 in the whole recording); stores that fault listed as
# reads (336 guest faults in the replay, 470 recorded); fetches where their block was first translated, which is wrong for
# programs that lie elsewhere in each process (12,182 guest faults in perl's second phase, 739 recorded in both). Not seen: a filter that keeps its memory at stores to tables alone.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/test-outside.sh
. scripts/test-outside.sh

need test:record "qemu-system-x86_64 busybox cc" -t "$(. /etc/os-release; echo "$VERSION_CODENAME-backports")" \
  qemu-system-x86 busybox-static gcc libc6-dev
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# A kernel that the machine has, or Debian's, unpacked and not installed.
kernel="$(find /boot -name 'vmlinuz-*' 2>/dev/null | sort --version-sort | tail -n 1)"
if [ -z "$kernel" ]; then
  package="$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p')"
  (cd "$folder" && apt-get --option APT::Sandbox::User=root download "$package" >/dev/null)
  dpkg-deb --extract "$folder"/linux-image-*.deb "$folder/kernel"
  kernel="$(find "$folder/kernel/boot" -name 'vmlinuz-*')"
fi

# record NAME OPTIONS...: two phases, the second with forks, execs, a pipe, and a program that lies elsewhere in each process.
record() {
  local name="$1"
  shift
  node scripts/record-system.ts -o "$folder/$name" --kernel "$kernel" --add /usr/bin/env "$@" -- \
    true 'for i in 1 2; do /usr/bin/env true; done; echo abc | sed s/b/d/'
}
record plain
record again
record whole --every-access
record kpti --kpti

cmp "$folder/plain/guest.trace.zst" "$folder/again/guest.trace.zst"
grep --quiet '^adc' "$folder/plain/console.txt"

for name in plain whole kpti; do
  node scripts/launch.js run --trace "$folder/$name/guest.trace.zst" --check --json \
    -e shadow,shadow-vtlb,shadow-lazy,ept >"$folder/$name.json"
done

node --eval '
  const { deepStrictEqual: equal } = require("node:assert");
  const { readFileSync } = require("node:fs");
  const [, folder] = process.argv;
  const read = (file) => JSON.parse(readFileSync(`${folder}/${file}`, "utf8"));
  const sum = ({ sections }, counter) =>
    sections.reduce((total, { ledger }) => total + ledger[counter], 0);

  for (const name of ["plain", "kpti"]) {
    const seen = read(`${name}/manifest.json`);
    const { wordsNobodyStored, wordsNotListed, registersMissing, deviceAccesses } = seen;
    equal({ wordsNobodyStored, wordsNotListed, registersMissing, deviceAccesses },
      { wordsNobodyStored: 0, wordsNotListed: 0, registersMissing: 0, deviceAccesses: 0 });
    for (const outcome of read(`${name}.json`)) {
      const { engine } = outcome.run;
      equal([engine, outcome.sections.length], [engine, 2]);
      for (const counter of ["guestPageFaults", "cr3Writes", "invlpgs"])
        equal([name, engine, counter, sum(outcome, counter)], [name, engine, counter, seen[counter]]);
      if (engine === "native") continue;
      equal([engine, sum(outcome, "exitsCpuid")], [engine, seen.cpuids]);
      if (engine !== "ept") equal([engine, sum(outcome, "exitsCr3Read")], [engine, seen.cr3Reads]);
    }
  }

  // What the filter drops changes no exit and no fault.
  const whole = read("whole.json");
  for (const [i, outcome] of read("plain.json").entries())
    for (const counter of Object.keys(outcome.sections[0].ledger))
      if (/^exits|Faults|^shadowPages|^entries/i.test(counter))
        equal([outcome.run.engine, counter, sum(outcome, counter)],
          [outcome.run.engine, counter, sum(whole[i], counter)]);
' "$folder"
echo "test:record: recordings repeat to the byte, and their replay counts what was recorded"
