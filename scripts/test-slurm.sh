#!/usr/bin/env bash
# `submit --engine slurm` on a real Slurm of two nodes, started by hand on this machine: a task killed with
# SIGKILL starts again, a cancelled one is what the next submission runs, a killed node's task moves to the
# other node, and the merged files are, byte for byte, those of a single run. About two minutes.
# Needs root, for Slurm's daemons and to install Debian's packages where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/test-outside.sh
. scripts/test-outside.sh

[ "$(id -u)" = 0 ] || { echo "test:slurm: needs root, for daemons that start tasks" >&2; exit 1; }
need test:slurm "sbatch sinfo squeue scancel scontrol slurmctld slurmd munged mungekey" \
  slurmctld slurmd slurm-client munge

fail() {
  echo "test:slurm: $1" >&2
  for log in "$folder"/*.log "$folder"/out/submit/*.log "$folder"/*.txt; do
    [ -s "$log" ] && echo "--- $log" >&2 && tail -n 15 "$log" >&2
  done
  exit 1
}

folder="$(mktemp -d)"
chmod 755 "$folder"
export SLURM_CONF="$folder/slurm.conf"
# Whatever was started from here on has this configuration around it, daemons and orphans included.
finish() {
  local left
  for _ in 1 2 3; do
    left="$(processes_with "SLURM_CONF=$SLURM_CONF")"
    # shellcheck disable=SC2086
    [ -z "$left" ] || kill -9 $left 2>/dev/null || true
  done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

# Processes that have this line in their environment.
processes_with() {
  env --unset=SLURM_CONF grep --files-with-matches --no-messages --null-data \
    --fixed-strings --line-regexp "$1" /proc/[0-9]*/environ | cut -d / -f 3 || true
}

# Slurm gives the tasks of a node its name.
processes_of() {
  comm -12 <(processes_with "SLURMD_NODENAME=$1" | sort) <(processes_with "SLURM_CONF=$SLURM_CONF" | sort)
}

wait_until() {
  local deadline=$((SECONDS + 180))
  until eval "$2"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "waited three minutes in vain until $1"
    sleep 0.1
  done
}

# --- Two nodes on one machine: fake names, own ports, own munge ---
# Not `hostname -s`, which asks the resolver; a machine need not know its own name.
host="$(uname -n)"
host="${host%%.*}"
read -r control_port first_port second_port < <(free_ports 3)
mkdir "$folder/munge" "$folder/state" "$folder/spool.n1" "$folder/spool.n2"
cat >"$folder/slurm.conf" <<CONFIGURATION
ClusterName=shadewalk
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A task that starts again waits until its old credential has expired, two minutes otherwise.
AuthInfo=socket=$folder/munge/socket,cred_expire=5
SlurmctldPort=$control_port
SlurmdTimeout=10
ReturnToService=2
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool.%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
# Microseconds: the scheduler looks ten times a second.
SchedulerParameters=sched_min_interval=100000
# Seconds for which finished jobs can be asked about, on a slow machine too.
MinJobAge=3600
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$first_port CPUs=1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$second_port CPUs=1
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONFIGURATION

mungekey --create --keyfile="$folder/munge/key"
munged --foreground --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munge/pid" --seed-file="$folder/munge/seed" >"$folder/munge.log" 2>&1 &
wait_until "munge listens" '[ -S "$folder/munge/socket" ]'
slurmctld -D >/dev/null 2>&1 &
slurmd -D -N n1 >/dev/null 2>&1 &
slurmd -D -N n2 >/dev/null 2>&1 &
second_node=$!
# Bash need not report their end.
disown -a

wait_until "both nodes are idle" '[ "$(sinfo --noheader --format=%t-%D 2>/dev/null)" = idle-2 ]'

# --- A sweep of five parts, some seconds each ---
cat >"$folder/sweep.yaml" <<'SWEEP'
title: Some seconds for each of five parts
engines: [native, shadow, ept]
presets: [textbook]
seeds: [1, 2, 3, 4, 5, 6]
workloads: [{ workload: uniform, params: [{ pages: 4096, accesses: 2000000 }] }]
SWEEP
out="$folder/out"
submit() {
  timeout 400 node scripts/shadewalk.ts submit "$folder/sweep.yaml" --engine slurm --shards 5 --wait --out "$out"
}
node scripts/shadewalk.ts bench "$folder/sweep.yaml" --quiet --out "$folder/single" >/dev/null

task_on() { processes_of "$1" | while read -r id; do
  grep --quiet --text shardx <(tr '\0' 'x' <"/proc/$id/cmdline" 2>/dev/null) && echo "$id"
done | grep --max-count=1 . || true; }
restarts() { scontrol --oneliner show job | grep -c "Restarts=1 " || true; }

submit >"$folder/first.txt" 2>&1 &
first=$!
wait_until "a task runs on the first node" '[ -n "$(task_on n1)" ]'
kill -9 "$(task_on n1)"
array="$(squeue --noheader --array --format=%F --states=all | sort -n | head -n 1)"
scancel "${array}_4"
if wait "$first"; then fail "a cancelled part, and submit reports success"; fi
grep --quiet "^shadewalk: job .* ended as CANCELLED: .*submit again" "$folder/first.txt" ||
  fail "submit does not say what to do"
wait_until "the first array has ended" '[ -z "$(squeue --noheader)" ]'
[ "$(restarts)" = 1 ] || fail "the killed task did not start again"
[ "$(ls "$out/shards" | wc -l)" = 4 ] || fail "the other four parts are not all finished"

# Only part 4 of 5 is missing: its task must not take the array of one for the whole sweep.
scontrol update nodename=n1 state=drain reason=test
submit >"$folder/second.txt" 2>&1 &
second=$!
wait_until "the part runs on the second node" '[ -n "$(task_on n2)" ]'
# As a power cut would: the daemon, and the task's keeper before the task, so that nobody reports its death.
tasks="$(processes_of n2)"
keepers="$(for task in $tasks; do sed -n 's/^PPid:\t//p' "/proc/$task/status"; done | grep --invert-match --line-regexp 1)"
# shellcheck disable=SC2086
kill -9 "$second_node" $keepers $tasks 2>/dev/null || true
scontrol update nodename=n1 state=resume
wait "$second" || fail "the sweep did not survive its node"
grep --quiet "computes 1 of 5 shards" "$folder/second.txt" || fail "more than the missing part ran"
[ "$(restarts)" = 2 ] || fail "the dead node's task did not start again"

for file in points.csv walks.csv manifest.json charts/slowdown.vl.json; do
  cmp "$folder/single/$file" "$out/$file" || fail "$file differs from a single run's"
done
echo "test:slurm: killed task, cancelled part, killed node; the merged bytes are those of a single run"
