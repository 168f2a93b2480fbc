#!/usr/bin/env bash
# Make data/three.min.js from npm's packages, in a folder of its own that goes afterwards.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/three/entry.js" "$work"
cd "$work"
npm install --silent --no-audit --no-fund three@0.187.0 esbuild@0.28.2
# The licence goes with every copy, so into every report.
licence=$(printf '/* three.js 0.187.0\n\n%s\n*/' "$(cat node_modules/three/LICENSE)")
npx esbuild entry.js --bundle --minify --format=iife --global-name=THREE --target=es2020 \
  --legal-comments=none --banner:js="$licence" --outfile=three.min.js
cp three.min.js "$here/../data/three.min.js"
sha256sum three.min.js
wc -c three.min.js
