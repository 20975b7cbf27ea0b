# Sourced by the tests that need more than Node: Debian's programs, ports nobody listens on.
# shellcheck shell=bash

# Daemons live in /usr/sbin, which is not in everybody's path.
export PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin"

# need TEST "PROGRAMS" PACKAGES...: installs Debian's packages if a program is missing, or ends the test with
# one line that says why it cannot.
need() {
  local test="$1" programs="$2" program missing="" log try
  shift 2
  for program in $programs; do
    command -v "$program" >/dev/null || missing+=" $program"
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$test: not found:$missing; root on Debian can install them: apt-get install $*" >&2
    exit 1
  fi
  log="$(mktemp)"
  # A mirror's hiccup or another apt-get must not fail a test of ours.
  for try in 1 2 3 4; do
    if install_packages "$@" >"$log" 2>&1 </dev/null; then
      rm -f "$log"
      return 0
    fi
    [ "$try" = 4 ] || sleep $((try * 10))
  done
  echo "$test: apt-get cannot install $*: $(grep --max-count=1 '^E:' "$log" || tail -n 1 "$log")" >&2
  rm -f "$log"
  exit 1
}

install_packages() {
  local status=0 policy=/usr/sbin/policy-rc.d
  export DEBIAN_FRONTEND=noninteractive
  # What an interrupted installation left behind.
  dpkg --configure -a
  # One unreachable archive of several does not mean that the packages are.
  timeout 180 apt-get --option DPkg::Lock::Timeout=120 update || true
  # The tests start daemons of their own; an sshd on port 22 is nobody's wish.
  if [ -e "$policy" ]; then
    policy=
  else
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  timeout 600 apt-get --option DPkg::Lock::Timeout=120 --option Acquire::Retries=3 \
    install --yes --no-install-recommends "$@" || status=$?
  [ -z "$policy" ] || rm -f "$policy"
  return "$status"
}

# free_ports COUNT: that many numbers of TCP ports on which nothing listens now.
free_ports() {
  node --eval '
    const { createServer } = require("node:net");
    const servers = Array.from({ length: Number(process.argv[1]) }, () => createServer().listen(0));
    let open = 0;
    for (const server of servers) {
      server.on("listening", () => {
        open += 1;
        if (open < servers.length) return;
        console.log(servers.map((one) => one.address().port).join(" "));
        for (const one of servers) one.close();
      });
    }
  ' "$1"
}
