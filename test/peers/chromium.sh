#!/usr/bin/env bash
# chromium.sh: installs Debian's Chromium if it is missing and prints where it is,
# for the browser tests: eval "$(test/peers/chromium.sh)"
set -euo pipefail
NAME=chromium
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# fonts: without any, every letter is a box, and the pages' widths mean nothing.
ensure_pkgs chromium fonts-dejavu-core
CHROMIUM=$(command -v chromium) || die 'the package chromium is installed, but there is no program chromium'
"$CHROMIUM" --version >/dev/null 2>&1 || die "$CHROMIUM does not run"
echo "CHROMIUM='$CHROMIUM'"
