#!/usr/bin/env bash
# `submit --engine parallel` over ssh to two hosts, which are this machine under two names with an sshd of the
# test's own, and one host that refuses: its shards move on, and the merged files are, byte for byte, those of
# a single run. Needs root, for sshd and to install Debian's parallel and openssh-server where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/test-outside.sh
. scripts/test-outside.sh

[ "$(id -u)" = 0 ] || { echo "test:parallel: needs root, for an sshd of its own" >&2; exit 1; }
need test:parallel "parallel ssh ssh-keygen sshd" parallel openssh-client openssh-server

folder="$(mktemp -d)"
finish() {
  if [ -s "$folder/sshd.pid" ]; then kill "$(cat "$folder/sshd.pid")"; fi
  rm -rf "$folder"
}
trap finish EXIT

# --- Hosts: one and two are here, three refuses ---
read -r port closed < <(free_ports 2)
ssh-keygen -q -t ed25519 -N "" -f "$folder/host"
ssh-keygen -q -t ed25519 -N "" -f "$folder/user"
cat >"$folder/sshd_config" <<CONFIGURATION
Port $port
ListenAddress 127.0.0.1
HostKey $folder/host
PidFile $folder/sshd.pid
AuthorizedKeysFile $folder/user.pub
PermitRootLogin prohibit-password
PasswordAuthentication no
# The folder of the test is nobody's home.
StrictModes no
# Parallel opens one connection for each task.
MaxStartups 100
CONFIGURATION
cat >"$folder/ssh_config" <<CONFIGURATION
Host *
  HostName 127.0.0.1
  IdentityFile $folder/user
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  LogLevel ERROR
Host one two
  Port $port
Host three
  Port $closed
CONFIGURATION
mkdir -p /run/sshd
# sshd starts itself anew for each connection, so it wants to be called by its path.
"$(command -v sshd)" -f "$folder/sshd_config" -E "$folder/sshd.log" ||
  { cat "$folder/sshd.log"; echo "test:parallel: sshd does not start" >&2; exit 1; }
export PARALLEL_SSH="ssh -F $folder/ssh_config"

out="$folder/out"
node scripts/shadewalk.ts bench reference --quiet --out "$folder/single" >/dev/null
timeout 300 node scripts/shadewalk.ts submit reference --engine parallel --sshlogin one,two,three \
  --shards 6 --workers 1 --out "$out" >"$folder/submit.log" 2>&1 ||
  { cat "$folder/submit.log" "$folder/sshd.log"; exit 1; }
for file in points.csv walks.csv manifest.json charts/slowdown.vl.json; do
  cmp "$folder/single/$file" "$out/$file"
done
for name in one two; do
  cut -f 2 "$out/submit/parallel.log" | grep --quiet --line-regexp "$name" ||
    { echo "test:parallel: nothing ran on host $name"; exit 1; }
done
echo "test:parallel: two hosts and a dead one; the merged bytes are those of a single run"
