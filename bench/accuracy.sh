#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How good our models become on real data, and with --peers PyTorch's beside them.
#
#   bench/accuracy.sh [--peers] [tables] [cnn5] [lstm]        all three unless told
#
# Needs the release build, Debian's apt-get for the data (configs/data/fetch.py) and jq; --peers
# needs python3-torch. Targets: cnn5 91 %, WDBC 96 %, German credit AUC 0.77; lstm beside PyTorch.
set -eu
cd "$(dirname "$0")/.."

readonly cairn=${CAIRN_BIN:-build/release/bin}/cairn data=build/datasets
readonly fashion=/usr/share/datasets/fashion-mnist lstm_steps=1000 python=/usr/bin/python3
peers=0 what=()
for word in "$@"; do
    case $word in
    --peers) peers=1 ;;
    tables | cnn5 | lstm) what+=("$word") ;;
    *) echo "accuracy.sh: unknown word '$word'" >&2 && exit 2 ;;
    esac
done
[ ${#what[@]} -gt 0 ] || what=(tables cnn5 lstm)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

peer() { [ $peers -eq 0 ] || "$python" bench/peers/accuracy.py "$@"; }

# task MODEL SED-EXPRESSION: a ready model with other settings, as a file.
task() {
    sed "$2" "configs/models/$1.yaml" >"$work/$1.yaml"
    echo "$work/$1.yaml"
}

# table NAME COLUMNS RATE DECAY: logistic regression on five folds, means over them.
table() {
    local file fold
    file=$(task logistic "s/\[30\]/[$2]/; s/learning_rate: 0.1/learning_rate: $3/
        s/weight_decay: 0.001/weight_decay: $4/; s/epochs: 1/epochs: 100/; s/count: 30/count: 1/")
    for fold in 0 1 2 3 4; do
        "$cairn" train "$file" --data "csv:$data/$1-train-$fold.csv,label=label" --seed 1 --quiet \
            --out "$work/model" --json >/dev/null
        "$cairn" model evaluate "$work/model" --task "$file" --json \
            --data "csv:$data/$1-test-$fold.csv,label=label" >"$work/score-$fold"
    done
    jq -rs --arg name "$1" '"\($name): accuracy \(map(.accuracy) | add / length * 1e4 | round / 100) %, " +
        "AUC \(map(.auc) | add / length * 1e4 | round / 1e4) (means of five folds)"' "$work"/score-*
    for fold in 0 1 2 3 4; do
        peer table "$data/$1-train-$fold.csv" "$data/$1-test-$fold.csv" 100 "$3" "$4"
    done
}

for part in "${what[@]}"; do
    case $part in
    tables)
        configs/data/fetch.py --out "$data" wdbc german-credit
        table wdbc 30 0.1 0.001
        table german-credit 61 0.01 0.01
        ;;
    cnn5)
        file=$(task cnn5 's/epochs: 1/epochs: 5/; s/count: 30/count: 1/')
        "$cairn" train "$file" --seed 1 --json \
            --data "idx:$fashion/train-images-idx3-ubyte.gz,$fashion/train-labels-idx1-ubyte.gz" \
            --test "idx:$fashion/t10k-images-idx3-ubyte.gz,$fashion/t10k-labels-idx1-ubyte.gz" |
            jq -r '"cnn5: accuracy \(.test.accuracy * 1e4 | round / 100) % after 5 epochs, \(.seconds | round) s"'
        peer cnn5 "$fashion" 5
        ;;
    lstm)
        [ -s "$data/austen-test.txt" ] || configs/data/fetch.py --out "$data" austen
        file=$(task lstm-char "s/steps: 500/steps: $lstm_steps/; s/count: 30/count: 1/")
        head -c 65536 "$data/austen-test.txt" >"$work/test.txt"
        "$cairn" train "$file" --seed 1 --json --data "text:$data/austen-train.txt,length=64" \
            --test "text:$work/test.txt,length=64" --every $lstm_steps |
            jq -r '"lstm: \(.test.loss / (2 | log) * 1e4 | round / 1e4) bits per character, \(.seconds | round) s"'
        peer lstm "$data/austen-train.txt" "$work/test.txt" $lstm_steps
        ;;
    esac
done
