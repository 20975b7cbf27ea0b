#!/usr/bin/env bash
# For `npm run test:page`: a browser is there, or root on Debian gets one installed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/test-outside.sh
. scripts/test-outside.sh

# With no fonts at all, Chromium draws boxes.
command -v google-chrome >/dev/null || command -v chromium-browser >/dev/null ||
  need test:page chromium chromium fonts-dejavu-core
