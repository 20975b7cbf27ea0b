#!/usr/bin/env bash
# `submit --engine parallel` over ssh to two hosts, which are this machine under two names with an sshd of the
# test's own, and one host that refuses: its shards move on, and the merged files are, byte for byte, those of
# a single run. Needs root to install Debian's parallel and openssh-server where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

if ! command -v parallel ssh /usr/sbin/sshd >/dev/null; then
  [ "$(id -u)" = 0 ] || { echo "test:parallel: needs root to install parallel and sshd" >&2; exit 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq --yes --no-install-recommends parallel openssh-client openssh-server >/dev/null
fi

folder="$(mktemp -d)"
finish() {
  if [ -s "$folder/sshd.pid" ]; then kill "$(cat "$folder/sshd.pid")"; fi
  rm -rf "$folder"
}
trap finish EXIT

# --- Hosts: one and two are here, three refuses ---
ssh-keygen -q -t ed25519 -N "" -f "$folder/host"
ssh-keygen -q -t ed25519 -N "" -f "$folder/user"
cat >"$folder/sshd_config" <<CONFIGURATION
Port 16822
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
  Port 16822
Host three
  Port 1
CONFIGURATION
mkdir -p /run/sshd
/usr/sbin/sshd -f "$folder/sshd_config" -E "$folder/sshd.log"
export PARALLEL_SSH="ssh -F $folder/ssh_config"

out="$folder/out"
node scripts/shadewalk.ts bench reference --quiet --out "$folder/single" >/dev/null
node scripts/shadewalk.ts submit reference --engine parallel --sshlogin one,two,three --shards 6 \
  --workers 1 --out "$out" >"$folder/submit.log" 2>&1 ||
  { cat "$folder/submit.log" "$folder/sshd.log"; exit 1; }
for file in points.csv walks.csv manifest.json charts/slowdown.vl.json; do
  cmp "$folder/single/$file" "$out/$file"
done
for name in one two; do
  cut -f 2 "$out/submit/parallel.log" | grep --quiet --line-regexp "$name" ||
    { echo "test:parallel: nothing ran on host $name"; exit 1; }
done
echo "test:parallel: two hosts and a dead one; the merged bytes are those of a single run"
