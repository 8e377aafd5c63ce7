#!/usr/bin/env bash
# chromium.sh: installs Debian's Chromium if it is missing and prints where it is,
# for the browser tests: eval "$(test/peers/chromium.sh)"
# It is the build without a window: the other one draws its own buttons and menus
# for every window, headless too, in two processes more for each.
set -euo pipefail
NAME=chromium
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# fonts: without any, every letter is a box, and the pages' widths mean nothing.
ensure_pkgs chromium-headless-shell fonts-dejavu-core
CHROMIUM=$(command -v chromium-headless-shell) || die 'the package chromium-headless-shell is installed, but there is no program of that name'
"$CHROMIUM" --version >/dev/null 2>&1 || die "$CHROMIUM does not run"
echo "CHROMIUM='$CHROMIUM'"
