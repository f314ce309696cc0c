#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What goes wrong around a federation: every fault gets a clear word, a next step and the right exit
# code, nobody crashes, and the rounds go on for everybody else.
. "$(dirname "$0")/lib.sh"

# refused CODE WORDS COMMAND...: the command ends with the code and says the words.
refused() {
    local code=$1 words=$2 said
    shift 2
    said=$("$@" 2>&1)
    local got=$?
    [ $got -eq "$code" ] || { echo "  exit code $got, not $code: $said"; return 1; }
    has "$said" "$words"
}
alive() { kill -0 "$agg_pid" 2>/dev/null && answers; }
log_has() { grep -qF -- "$2" "$1" || { echo "  '$2' is not in $1"; return 1; }; }

check "a federation is set up" federation 4
cp "$world/test.csv" "$world/data-9.csv"

# ---- invitations ----
link=$(invite)
check "a link with a letter missing is mistyped" \
    refused 3 "incomplete or mistyped" "$bin/cairn-client" join "${link%?}" "$world/x1"
check "a link with another host is mistyped, not tried" refused 3 "incomplete or mistyped" \
    "$bin/cairn-client" join "${link/127.0.0.1/127.0.0.2}" "$world/x1"
check "a link works once" "$bin/cairn-client" join "$link" "$world/x2" --name x2 >/dev/null
check "a used link is refused with the next step" \
    refused 3 "new invitation" "$bin/cairn-client" join "$link" "$world/x3" --name x3
check "a refused join leaves nothing behind" [ ! -e "$world/x3" ]
link=$(invite --expires 1s)
sleep 2
check "an expired link is refused" \
    refused 3 "expired" "$bin/cairn-client" join "$link" "$world/x4" --name x4
check "a device's folder is not joined into twice" \
    refused 3 "already" "$bin/cairn-client" join "$(invite)" "$world/x2"

# ---- another registrar ----
other_port=$(free_port)
"$bin/cairn-aggregator" init "$world/agg2" --host 127.0.0.1 --port "$other_port" >/dev/null 2>&1
"$bin/cairn-aggregator" serve "$world/agg2" >"$world/agg2.out" 2>&1 &
silo_pid[agg2]=$!
foreign=$("$bin/cairn-aggregator" invite "$world/agg2" --json 2>/dev/null | jq -r '.links[0]')
check "a second federation takes its own device" within 20 \
    "$bin/cairn-client" join "$foreign" "$world/foreign" --name foreign >/dev/null 2>&1
pin=$(sed -n 's/^ *pin: *//p' "$world/silo-1/client.yaml")
sed -i "s/^  port: .*/  port: $port/; s/^  pin: .*/  pin: $pin/" "$world/foreign/client.yaml"
check "a certificate of another registrar is refused" \
    refused 3 "another federation" timeout 20 "$bin/cairn-client" run "$world/foreign"
stop_silo TERM agg2

# ---- the service ----
check "a port in use is told" refused 3 "another process listens" \
    timeout 20 "$bin/cairn-aggregator" serve "$world/agg2" --port "$port"
check "a folder that is served is not served twice" refused 3 "another cairn-aggregator serves" \
    timeout 20 "$bin/cairn-aggregator" serve "$agg"
head -c 4096 /dev/urandom >"/dev/tcp/127.0.0.1/$port"
printf '\xff\xff\xff\xff' >"/dev/tcp/127.0.0.1/$port"
exec {half}<>"/dev/tcp/127.0.0.1/$port"
printf '\x16\x03\x01\x02\x00\x01' >&"$half"
check "garbage and silence do not hurt the service" alive

# ---- tasks ----
task "$world/typo.yaml" 's/learning_rate/learning_rat/'
check "a typo in a task is told with its place and the right word" \
    refused 2 "did you mean 'learning_rate'" "$bin/cairn-aggregator" task submit "$agg" "$world/typo.yaml"
check "and its line" refused 2 "typo.yaml:7:" "$bin/cairn-aggregator" task submit "$agg" "$world/typo.yaml"
task "$world/wide.yaml" 's/units: 2/units: 70000/'
check "a number out of range is told" \
    refused 2 "units" "$bin/cairn-aggregator" task submit "$agg" "$world/wide.yaml"
printf 'not a model' >"$world/not.safetensors"
task "$world/task.yaml"
check "a file that is no model is refused" refused 3 "not.safetensors" \
    "$bin/cairn-aggregator" task submit "$agg" "$world/task.yaml" --start-from "$world/not.safetensors"

# ---- devices whose data is wrong ----
for n in 1 2 3 4; do start_silo $n; done
rm "$world/data-4.csv"
check "the task is taken" submit "$world/task.yaml"
check "rounds go on without a silo that lost its data" within 60 at_least_published 3
check "the silo says which file" log_has "$world/silo-4.log" "data-4.csv"
check "the aggregator knows that it declined" log_has "$world/agg.log" "declined"
check "but not the path" [ -z "$(grep -F data-4.csv "$world/agg.log")" ]
check "the model of a finished task is evaluated" within 20 evaluated
task "$world/other.yaml" 's/units: 2/units: 3/; s/classes: 2/classes: 3/; s/task: e2e/task: other/'
check "a model with other shapes is refused" refused 3 "dense" \
    "$bin/cairn-aggregator" task submit "$agg" "$world/other.yaml" \
    --start-from "$agg/models/e2e-latest.safetensors"

# ---- a budget that is spent ----
stop_silo TERM 3
table "$world/data-4.csv" 400 4
"$bin/cairn-client" limits "$world/silo-3" --epsilon-life 0.01 >/dev/null
start_silo 3
task "$world/second.yaml" 's/task: e2e/task: second/; s/count: 3/count: 2/'
check "a second task is taken" submit "$world/second.yaml"
check "rounds go on without a silo whose budget is spent" within 60 at_least_published 2
check "the silo says why" log_has "$world/silo-3.log" "past the owner's limit of 0.010"
check "and its budget verb answers no" refused 1 "for life" "$bin/cairn-client" budget "$world/silo-3"

# ---- fewer devices than the threshold ----
"$bin/cairn-client" limits "$world/silo-3" --epsilon-life 8 >/dev/null
stop_silo TERM 3
stop_silo TERM 4
start_silo 3
task "$world/third.yaml" 's/task: e2e/task: third/; s/count: 3/count: 2/; s/train_s: 20/train_s: 3/'
kill -STOP "${silo_pid[2]}"
check "a third task is taken" submit "$world/third.yaml"
check "a round with too few is abandoned" within 60 at_least_abandoned 1
check "with its reason" json_true "$(status)" \
    '[.tasks[-1].rounds[] | select(.published | not)][0].reason | length > 10'
kill -CONT "${silo_pid[2]}"
check "and the next ones succeed" within 90 at_least_published 2

# ---- a full disk ----
if mkdir "$world/small" && mount -t tmpfs -o size=256k tmpfs "$world/small" 2>/dev/null; then
    stop_silo TERM 3
    cp -a "$world/silo-3" "$world/small/"
    dd if=/dev/zero of="$world/small/fill" bs=1k 2>/dev/null
    "$bin/cairn-client" run "$world/small/silo-3" >"$world/silo-small.log" 2>&1 &
    silo_pid[small]=$!
    start_silo 4
    task "$world/fourth.yaml" 's/task: e2e/task: fourth/; s/count: 3/count: 2/'
    check "a fourth task is taken" submit "$world/fourth.yaml"
    check "rounds go on without a silo whose disk is full" within 90 at_least_published 2
    check "the silo with the full disk says so" log_has "$world/silo-small.log" "no space left"
    stop_silo TERM small
    rm "$world/small/fill"
    check "its ledger verifies" "$bin/cairn" audit verify "$world/small/silo-3/ledger.jsonl" >/dev/null
    umount "$world/small"
else
    echo "no tmpfs can be mounted here: the full disk is left to the unit tests"
fi
check "the service is still there" alive

for n in "${!silo_pid[@]}"; do stop_silo TERM "$n"; done
check "the aggregator stops cleanly" stop_agg TERM
check "all ledgers verify together" "$bin/cairn" audit verify "$agg/ledger.jsonl" \
    "$world"/silo-[124]/ledger.jsonl >/dev/null
