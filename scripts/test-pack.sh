#!/usr/bin/env bash
# A packed and installed copy works: it runs on the Node that came with it, and a sweep, worker threads and
# shards included, gives the bytes committed in results/reference. Takes about half a minute, most of it npm's.
set -euo pipefail
cd "$(dirname "$0")/.."
repository="$PWD"

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

npm pack --silent --pack-destination "$folder" >"$folder/pack.log"
cd "$folder"
npm init --yes >/dev/null
# Somebody's own project, whose commit must not be taken for ours.
git init --quiet .
git -c user.name=test -c user.email=test@localhost commit --quiet --allow-empty --message=own
# What `npm ci` has just fetched need not be fetched again.
npm install --silent --no-audit --no-fund --prefer-offline ./shadewalk-*.tgz

npx shadewalk list >list.txt
grep --quiet "^  quick$" list.txt || { echo "test:pack: list names no sweeps"; exit 1; }
printf 'PT_WRITE 0x1000->0x5000\nACCESS 0x1000\n' | npx shadewalk trace - >trace.txt
grep --quiet "SHADOW_UPDATE 0x1000->0x8A000" trace.txt || { echo "test:pack: trace failed"; exit 1; }

cat >library.mts <<'END'
import { engines, runPoint, type Point } from "shadewalk";
const point: Point = runPoint({ engine: "ept", workload: "uniform", params: { pages: 64, accesses: 100 } });
console.log(Object.keys(engines).includes("shadow-lazy"), point.counters.accesses);
END
"$repository/node_modules/.bin/tsc" --noEmit --strict --module nodenext --target es2024 --lib es2024,dom --types "" \
  --skipLibCheck library.mts || { echo "test:pack: the library has no types"; exit 1; }
[ "$("$repository/node_modules/.bin/node" library.mts)" = "true 100" ] ||
  { echo "test:pack: the library does not run"; exit 1; }

compare() {
  for file in points.csv walks.csv manifest.json charts/slowdown.vl.json; do
    cmp "$repository/results/reference/$file" "$1/$file"
  done
}
npx shadewalk bench reference --quiet --out single >single.txt
compare single
npx shadewalk submit reference --engine local --shards 3 --out shards >shards.txt 2>&1
compare shards
grep --quiet '"commit": "unknown"' single/host.json ||
  { echo "test:pack: host.json names a foreign commit"; exit 1; }

npx shadewalk report single >report.txt
grep --quiet "<html" single/index.html || { echo "test:pack: report wrote no page"; exit 1; }

echo "test:pack: the installed copy lists, runs and gives the reference bytes"
