#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every ready model as ONNX, run by ONNX Runtime, gives our logits to 1e-4. The runtime comes from
# npm, once, into build/onnx; where the registry can not be reached the test says so and passes.
set -u

readonly version=1.17.3
readonly source=${CAIRN_SOURCE:-$PWD} bin=${CAIRN_BIN:?names the folder of the programs}
readonly modules=$source/build/onnx/node_modules
cases=$(mktemp -d) || exit 3
trap 'rm -rf "$cases"' EXIT

skip() {
    echo "SKIPPED, NOT CHECKED: $1"
    echo "SKIPPED, NOT CHECKED: ONNX files were not compared with ONNX Runtime"
    exit 0
}

installed() {
    [ "$(sed -n 's/^ *"version": *"\(.*\)",*/\1/p' "$modules/onnxruntime-web/package.json" 2>/dev/null)" = $version ]
}

command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not installed"
if ! installed; then
    mkdir -p "$source/build/onnx"
    timeout 300 npm install --prefix "$source/build/onnx" --no-save --no-audit --no-fund \
        --ignore-scripts "onnxruntime-web@$version" >"$cases/npm.log" 2>&1
    if ! installed; then
        tail -n 5 "$cases/npm.log"
        skip "npm could not fetch onnxruntime-web@$version"
    fi
fi
CAIRN_ONNX_DIR=$cases "$bin/../tests/test_task_onnx" --jobs 1 || exit 1
node "$source/tests/e2e/onnx_compare.js" "$modules" "$cases" || exit 1
