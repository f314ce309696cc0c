#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Ten times, at a random moment, the aggregator or a silo is killed and started again. The federation
# goes on from the last published round, the ledgers verify, and nothing was spent that is not written.
. "$(dirname "$0")/lib.sh"

seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"

check "a federation is set up" federation 4
for n in 1 2 3 4; do
    "$bin/cairn-client" limits "$world/silo-$n" --epsilon-life 500 --epsilon-round 0 >/dev/null
    start_silo $n
done
task "$world/task.yaml" 's/count: 3/count: 10000/; s/noise_multiplier: 4/noise_multiplier: 40/'
check "the task is taken" submit "$world/task.yaml"
check "the first round is published" within 60 at_least_published 1

for kill in 1 2 3 4 5 6 7 8 9 10; do
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
    before=$(published)
    if ((RANDOM % 2)); then
        stop_agg KILL
        check "kill $kill: the aggregator starts again" start_agg
        who=aggregator
    else
        n=$((1 + RANDOM % 4))
        stop_silo KILL $n
        sleep "0.$((RANDOM % 10))"
        start_silo $n
        who=silo-$n
    fi
    after=$(published)
    check "kill $kill ($who): nothing published is forgotten" [ "$after" -ge "$before" ]
    check "kill $kill ($who): the next round is published" within 90 at_least_published $((after + 1))
done

for n in 1 2 3 4; do stop_silo TERM $n; done
stop_agg TERM
all=$(status)
check "rounds are numbered one by one, each published once" json_true "$all" \
    '[.tasks[0].rounds[] | select(.published) | .round] | . == [range(1; length + 1)]'
check "every abandoned round says why" json_true "$all" \
    '[.tasks[0].rounds[] | select(.published | not) | .reason | length > 0] | all'
check "all ledgers verify together" "$bin/cairn" audit verify "$agg/ledger.jsonl" \
    "$world"/silo-*/ledger.jsonl >/dev/null

# Every masked vector in a published sum was paid for before, in the ledger of the device it came from.
paid=$(cat "$world"/silo-*/ledger.jsonl | jq -r 'select(.kind == "spent") | .binding' | sort | uniq -c)
check "every survivor of every round has paid" awk '
    NR == FNR { paid[$2] = $1; next }
    { n++; if (paid[$1] < $2) { print "round " $1 ": " paid[$1] + 0 " of " $2 " paid"; bad = 1 } }
    END { exit bad || n == 0 }' <(echo "$paid") \
    <(jq -r 'select(.kind == "round_published") | "\(.binding) \(.survivors)"' "$agg/ledger.jsonl")
check "nobody paid for a round that was not opened" awk '
    NR == FNR { opened[$1] = 1; next }
    !($2 in opened) { print "unknown: " $2; bad = 1 } END { exit bad }' \
    <(jq -r 'select(.kind == "round_opened") | .binding' "$agg/ledger.jsonl") <(echo "$paid")
check "no attempt is paid for twice by one silo" same "$(for n in 1 2 3 4; do
    jq -r 'select(.kind == "spent") | .binding' "$world/silo-$n/ledger.jsonl" | sort | uniq -d
done)" ""
