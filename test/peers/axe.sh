#!/usr/bin/env bash
# axe.sh: fetches axe-core, the accessibility checker, from npm into a cache
# outside the repository and prints where it is, for the browser tests:
# eval "$(test/peers/axe.sh)". It is part of no build and of nothing that is shipped.
set -euo pipefail
NAME=axe
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
VERSION=4.14.1
SHA512=FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==
cache=${TIELINE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tieline-test}
script=$cache/axe-core-$VERSION.js
if [ ! -s "$script" ]; then
  command -v npm >/dev/null || ensure_pkgs npm
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  log "fetching axe-core $VERSION"
  (cd "$work" && npm pack --silent "axe-core@$VERSION") >/dev/null 2>"$work/npm.log" || { cat "$work/npm.log" >&2; die 'npm could not fetch axe-core'; }
  sum=$(openssl dgst -sha512 -binary "$work/axe-core-$VERSION.tgz" | base64 -w0)
  [ "$sum" = "$SHA512" ] || die "axe-core $VERSION has the checksum $sum, expected $SHA512"
  tar -xzf "$work/axe-core-$VERSION.tgz" -C "$work" package/axe.js
  mv "$work/package/axe.js" "$script"
fi
echo "AXE_JS='$script'"
