#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Four silos train with noise; everything they and the aggregator wrote adds up.
. "$(dirname "$0")/lib.sh"

check "a federation is set up" federation 4
for n in 1 2 3 4; do start_silo $n; done
task "$world/task.yaml"
check "the task is taken" submit "$world/task.yaml"
check "three rounds are published" within 60 at_least_published 3
check "the last round is evaluated" within 20 evaluated
all=$(status)
last=$(jq -c '[.tasks[0].rounds[] | select(.published)][-1]' <<<"$all")
check "rounds are numbered one by one" \
    same "$(jq -c '[.tasks[0].rounds[] | select(.published) | .round]' <<<"$all")" "[1,2,3]"
check "nobody was lost" json_true "$last" '.cohort == 4 and .survivors == 4'
check "the model has learned" json_true "$last" '.metrics.accuracy > 0.8'
check "epsilon is told and grows" json_true "$all" \
    '[.tasks[0].rounds[] | .metrics.epsilon] | (.[0] > 0 and .[1] > .[0] and .[2] > .[1])'
check "bytes are counted" json_true "$last" '.metrics.bytes_up > 100 and .metrics.bytes_down > 100'

for n in 1 2 3 4; do stop_silo TERM $n; done
check "the aggregator stops cleanly" stop_agg TERM

ledgers=("$agg/ledger.jsonl" "$world"/silo-*/ledger.jsonl)
check "all ledgers verify together" "$bin/cairn" audit verify "${ledgers[@]}" >/dev/null
for n in 1 2 3 4; do
    budget=$("$bin/cairn-client" budget "$world/silo-$n" --json)
    check "silo $n paid for three rounds" json_true "$budget" '.tasks[0].rounds == 3'
    check "silo $n and the aggregator agree on epsilon" json_true \
        "{\"silo\": $budget, \"round\": $last}" \
        '(.silo.epsilon_life - .round.metrics.epsilon) | fabs < 0.001'
done
sed 's/"round":2,/"round":3,/' "$world/silo-1/ledger.jsonl" >"$world/changed.jsonl"
check "a changed digit is found, exit code 1" \
    same "$("$bin/cairn" audit verify "$world/changed.jsonl" >/dev/null 2>&1; echo $?)" 1
check "the model is where the status says, and loads" \
    "$bin/cairn" model show "$agg/models/e2e-latest.safetensors" >/dev/null
