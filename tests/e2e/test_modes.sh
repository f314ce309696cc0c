#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rounds without masks where owners allow them, evidence on both sides, links that stand in no list of
# processes, and an aggregator whose ledger was set back.
. "$(dirname "$0")/lib.sh"

log_has() { grep -sqF -- "$2" "$1" || { echo "  '$2' is not in $1"; return 1; }; }
lines() { jq -r "select(.kind == \"$2\") | .kind" "$1" | wc -l; }
device_lines() { [ "$(lines "$world/silo-1/ledger.jsonl" "$1")" -ge "$2" ]; }

check "a federation is set up" federation 3
table "$world/data-4.csv" 400 4
check "a link is read from the standard input" "$bin/cairn-client" join - "$world/silo-4" --name silo-4 \
    --data "csv:$world/data-4.csv,label=outcome" <<<"$(invite)" >/dev/null
check "nothing on the standard input is told" has \
    "$("$bin/cairn-client" join - "$world/x" </dev/null 2>&1)" "no link came"

# ---- without masks ----
for n in 1 2 3; do "$bin/cairn-client" limits "$world/silo-$n" --unmasked allowed >/dev/null; done
for n in 1 2 3 4; do start_silo $n; done
task "$world/off.yaml" 's/update_range: 20/mode: off, update_range: 20/; s/count: 3/count: 2/'
check "a task without masks is taken" submit "$world/off.yaml"
check "and said so" log_has "$world/submit.log" "sees each device's own update"
check "its rounds are published" within 60 at_least_published 2
all=$(status)
check "the status says that there are no masks" same "$(jq -r '.tasks[-1].secure_aggregation' <<<"$all")" off
check "with those who allow it, and nobody else" json_true "$all" \
    '[.tasks[-1].rounds[] | select(.published) | .survivors] == [3, 3]'
check "the one that does not says why" log_has "$world/silo-4.log" "own update"
check "those that do are told, too" log_has "$world/silo-1.log" "shows this device's own update"
check "the model is learned all the same" within 20 evaluated

check "the aggregator stops" stop_agg TERM
cp -a "$agg" "$world/agg-old"
check "and starts again" start_agg

# ---- with masks, and evidence ----
task "$world/on.yaml" 's/task: e2e/task: on/; s/count: 3/count: 2/'
check "a task with masks is taken" submit "$world/on.yaml"
check "its rounds are published, too" within 60 at_least_published 2
check "the status says it" same "$(status | jq -r '.tasks[-1].secure_aggregation')" on
check "a device has a receipt for every round" within 10 device_lines receipt 4
for n in 1 2 3 4; do stop_silo TERM $n; done
check "the aggregator stops again" stop_agg TERM
check "it has every device's signature" same "$(lines "$agg/ledger.jsonl" participation)" 14
check "all evidence verifies together" "$bin/cairn" audit verify "$agg/ledger.jsonl" \
    "$world"/silo-*/ledger.jsonl >/dev/null

# ---- the ledger is set back: an old copy of the folder, which agrees with itself ----
rm -rf "$agg"
cp -a "$world/agg-old" "$agg"
check "the aggregator starts from its old copy" start_agg
refused() { # WORDS: a device does not take part, and says so
    local said
    said=$(timeout 20 "$bin/cairn-client" run "$world/silo-1" 2>&1) && { echo "  it took part"; return 1; }
    [ $? -ne 124 ] && has "$said" "$1"
}
check "a device sees that lines are missing" refused "shorter"
check "it does not forget that" refused "seen two versions"
check "and names the way out" refused "--accept-ledger"
check "the aggregator hears of it, too" log_has "$world/agg.log" "seen another ledger"
check "both signed heads are in the device's ledger" \
    [ "$(jq -r 'select(.kind == "checkpoint" and .reason != null) | .count' "$world/silo-1/ledger.jsonl" | wc -l)" = 1 ]
"$bin/cairn-client" run "$world/silo-1" --accept-ledger >"$world/accepted.log" 2>&1 &
silo_pid[1]=$!
check "an owner can hold to the new ledger" within 20 log_has "$world/accepted.log" '"connected"'
stop_silo TERM 1
start_silo 1
check "from then on" within 20 log_has "$world/silo-1.log" '"connected"'
