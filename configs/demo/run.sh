#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The demo: eight silos train one model over TLS, with secure aggregation and differential privacy;
# one silo is killed in the middle of a round and comes back. Called by `./dev demo`.
set -euo pipefail

usage() {
    cat <<'TXT'
usage: ./dev demo [--no-dp] [--json] [--dir DIR]

  Sets up a registrar and an aggregator, invites eight silos, splits Fashion-MNIST among them
  (7,500 images each, labels by Dirichlet(1.0)), and trains a small CNN for at most 15 rounds.

  --no-dp    without differential privacy (the sum is still all that the aggregator sees)
  --json     print one JSON object in the end and nothing else on standard output
  --dir DIR  work in DIR, which must not exist (default: a new folder under build/demo)
TXT
}

json=0 dp=1 dir=""
while [ $# -gt 0 ]; do
    case "$1" in
    --json) json=1 ;;
    --no-dp) dp=0 ;;
    --dir) dir="${2:?--dir needs a folder}"; shift ;;
    --help|-h) usage; exit 0 ;;
    *) echo "demo: unknown option '$1'" >&2; usage >&2; exit 2 ;;
    esac
    shift
done

root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${CAIRN_BIN:-$root/build/release/bin}
dataset=${CAIRN_DATASET:-/usr/share/datasets/fashion-mnist}
task_file=$root/configs/tasks/fashion-demo.yaml
[ $dp = 1 ] || task_file=$root/configs/tasks/fashion-demo-no-dp.yaml
task_file=${CAIRN_DEMO_TASK:-$task_file}
silos=8 victim=5 kill_round=4 return_round=6
[ -n "$dir" ] || dir=$root/build/demo/$(date +%Y%m%d-%H%M%S)
if [ -e "$dir" ]; then
    echo "demo: $dir exists already: name another folder, or remove it" >&2
    exit 2
fi
mkdir -p "$dir/log"
agg=$dir/aggregator

# ---- printing ----
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ $json = 0 ]; then
    bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' yellow=$'\e[33m' red=$'\e[31m' plain=$'\e[0m'
else
    bold="" dim="" green="" yellow="" red="" plain=""
fi
say() { [ $json = 1 ] || printf '%s\n' "$*"; }
step() { [ $json = 1 ] || printf '  %s%-12s%s %s\n' "$dim" "$1" "$plain" "$2"; }
fail() {
    echo "${red}demo: $1${plain}" >&2
    [ -z "${2:-}" ] || { echo "--- the end of $2:" >&2; tail -n 15 "$2" >&2; }
    exit 3
}

# ---- processes: whatever happens, nothing is left running ----
pids=()
cleanup() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    gone "${pids[@]}"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

silo_dir() { echo "$dir/silo-$1"; }
start_silo() {
    "$bin/cairn-client" run "$(silo_dir "$1")" >>"$dir/log/silo-$1.log" 2>&1 &
    silo_pid[$1]=$!
    pids+=($!)
    disown $! # so that the shell says nothing when one is killed
}
gone() { # waits up to 10 s for processes that are not this shell's children any more
    local pid i
    for pid in "$@"; do
        for ((i = 0; i < 100; i++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
    done
}

started=$(date +%s.%N)
seconds_since() { awk -v a="$1" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }'; }

# ---- set up ----
promise="differential privacy"
[ $dp = 1 ] || promise="no differential privacy"
say "${bold}Cairn demo${plain}: eight silos, secure aggregation, $promise"
say ""
"$bin/cairn" data split --data "idx:$dataset/train-images-idx3-ubyte.gz,$dataset/train-labels-idx1-ubyte.gz" \
    --parts $silos --dirichlet 1.0 --seed 1 --out "$dir/data" --quiet >"$dir/log/split.log" 2>&1 ||
    fail "the data could not be split (./dev demo installs it)" "$dir/log/split.log"
step data "Fashion-MNIST, $silos silos of 7,500 images, labels by Dirichlet(1.0)"

# A port nobody answers on; the aggregator itself says so if another program was quicker.
port=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
done
"$bin/cairn-aggregator" init "$agg" --host 127.0.0.1 --port $port >"$dir/log/init.log" 2>&1 ||
    fail "the aggregator could not be set up" "$dir/log/init.log"
"$bin/cairn-aggregator" task submit "$agg" "$task_file" \
    --test "idx:$dataset/t10k-images-idx3-ubyte.gz,$dataset/t10k-labels-idx1-ubyte.gz" \
    >"$dir/log/submit.log" 2>&1 || fail "the task was refused" "$dir/log/submit.log"
"$bin/cairn-aggregator" invite "$agg" --count $silos --expires 1h --json >"$dir/log/invite.json" \
    2>"$dir/log/invite.log" || fail "the invitations could not be made" "$dir/log/invite.log"
"$bin/cairn-aggregator" serve "$agg" --until-done >"$dir/log/aggregator.out" \
    2>"$dir/log/aggregator.log" &
agg_pid=$!
pids+=("$agg_pid")
step aggregator "127.0.0.1:$port, TLS 1.3; registrar, store and ledger in $agg"

silo_pid=()
for i in $(seq 1 $silos); do
    link=$(jq -r ".links[$((i - 1))]" "$dir/log/invite.json")
    "$bin/cairn-client" join "$link" "$(silo_dir "$i")" --name "silo-$i" \
        --data "idx:$dir/data/part-$i-images.gz,$dir/data/part-$i-labels.gz" \
        >"$dir/log/join-$i.log" 2>&1 || fail "silo-$i could not join" "$dir/log/join-$i.log"
    [ $dp = 1 ] || "$bin/cairn-client" limits "$(silo_dir "$i")" --privacy optional >/dev/null
    start_silo "$i"
done
step silos "$silos joined, each with a key, a ledger and limits of its own"
step "set up in" "$(seconds_since "$started") s"
say ""

# ---- follow the rounds ----
status() { "$bin/cairn-aggregator" status "$agg" --json 2>/dev/null; }

if [ $dp = 1 ]; then spent_head="   epsilon"; else spent_head=""; fi
say "${bold}round  cohort  survivors    loss  accuracy$spent_head   up/silo  down/silo   train  secure sum  test${plain}"

print_round() { # one published round, as JSON
    [ $json = 0 ] || return 0
    jq -r '[.round, .cohort, .survivors, (.metrics.loss // 0), (100 * (.metrics.accuracy // 0)),
            (.metrics.epsilon // 0), .metrics.bytes_up / 1000, .metrics.bytes_down / 1000,
            .metrics.train_s, (.metrics.shares_s + .metrics.upload_s + .metrics.unmask_s),
            .metrics.evaluate_s] | @tsv' <<<"$1" |
        awk -F'\t' -v dp=$dp '{
            printf "%5d  %6d  %9d  %6.3f  %6.1f %%", $1, $2, $3, $4, $5
            if (dp) printf "  %8.3f", $6
            printf "  %5.0f kB  %6.0f kB  %4.1f s  %8.1f s  %3.1f s\n", $7, $8, $9, $10, $11 }'
}

seen=0 killed=0 returned=0 abandoned=0 notice=""
follow() {
    local all count i
    all=$(status) || return 0
    count=$(jq '[.tasks[0].rounds[] | select(.published)] | length' <<<"$all")
    for ((i = seen; i < count; i++)); do
        # The test of a round runs beside the next one: wait for its numbers.
        local round
        round=$(jq -c "[.tasks[0].rounds[] | select(.published)][$i]" <<<"$all")
        [ "$(jq '.metrics.accuracy' <<<"$round")" != null ] || break
        if [ -n "$notice" ] && [ "$i" -ge $((kill_round - 1)) ]; then
            say "$notice"
            notice=""
        fi
        print_round "$round"
        seen=$((i + 1))
    done
    local failed
    failed=$(jq '[.tasks[0].rounds[] | select(.published | not)] | length' <<<"$all")
    if [ "$failed" -gt "$abandoned" ]; then
        say "       ${yellow}$(jq -r '[.tasks[0].rounds[] | select(.published | not)][-1] |
            "round \(.round) attempt \(.attempt) abandoned: \(.reason)"' <<<"$all")${plain}"
        abandoned=$failed
    fi
}

# A round takes about a second: the one who kills watches the silo's log closely.
(
    until grep -q "\"taking part\".*\"round\":$kill_round," "$dir/log/silo-$victim.log"; do sleep 0.02; done
    kill -9 "${silo_pid[$victim]}"
    touch "$dir/log/killed"
) 2>/dev/null &
pids+=($!)

kill_and_return() {
    if [ $killed = 0 ] && [ -e "$dir/log/killed" ]; then
        gone "${silo_pid[$victim]}"
        killed=1
        notice="       ${yellow}silo-$victim: kill -9 in the middle of round $kill_round${plain}"
    elif [ $killed = 1 ] && [ $returned = 0 ] && [ "$seen" -ge $((return_round - 1)) ]; then
        start_silo $victim
        returned=1
        say "       ${green}silo-$victim: back, with its key and its ledger${plain}"
    fi
}

while kill -0 "$agg_pid" 2>/dev/null; do
    follow
    kill_and_return
    sleep 0.2
    if awk -v s="$(seconds_since "$started")" 'BEGIN { exit !(s > 900) }'; then
        fail "not done after 15 minutes" "$dir/log/aggregator.log"
    fi
done
wait "$agg_pid" || fail "the aggregator stopped with an error" "$dir/log/aggregator.log"
follow
for i in $(seq 1 $silos); do kill "${silo_pid[$i]}" 2>/dev/null || true; done
gone "${silo_pid[@]}"

# ---- what came of it ----
final=$(status)
total=$(seconds_since "$started")
ledgers=("$agg/ledger.jsonl")
for i in $(seq 1 $silos); do ledgers+=("$(silo_dir "$i")/ledger.jsonl"); done
ledger_ok=true
"$bin/cairn" audit verify "${ledgers[@]}" >"$dir/log/verify.txt" 2>&1 || ledger_ok=false
model=$agg/models/$(jq -r '.tasks[0].name' <<<"$final")-latest.safetensors

if [ $json = 1 ]; then
    jq -c --argjson ledger_ok $ledger_ok --argjson seconds "$total" --argjson dropped "$killed" '
        .tasks[0] as $t | [$t.rounds[] | select(.published)] as $r |
        {rounds: ($r | length), accuracy: $r[-1].metrics.accuracy,
         epsilon: $r[-1].metrics.epsilon, delta: $t.delta, seconds: $seconds,
         bytes_up_per_client: ([$r[].metrics.bytes_up] | add | round),
         bytes_down_per_client: ([$r[].metrics.bytes_down] | add | round),
         dropped: ([$r[] | .cohort - .survivors] | add), ledger_ok: $ledger_ok}' <<<"$final"
else
    say ""
    say "${bold}$(jq -r '[.tasks[0].rounds[] | select(.published)][-1] |
        "Test accuracy \(1000 * .metrics.accuracy | round / 10) % after \(.round) rounds"' <<<"$final") in $total s${plain}"
    say ""
    if [ $dp = 1 ]; then
        say "Privacy of every image, from each silo's own ledger (add or remove one image):"
        for i in $(seq 1 $silos); do
            "$bin/cairn-client" budget "$(silo_dir "$i")" --json | jq -r --arg name "silo-$i" \
                '"  \($name)  epsilon \(1000 * .epsilon_life | round / 1000) at delta \(.delta), \(.tasks[0].rounds) rounds, limit \(.epsilon_life_limit)"'
        done
        say ""
    fi
    say "cairn audit verify, the aggregator's ledger and the silos' own:"
    sed 's/^/  /' "$dir/log/verify.txt"
    say ""
    say "The model      $model"
    say "Everything     $dir"
    say ""
    say "${bold}Try next${plain}"
    say "  $bin/cairn model evaluate $model --task $task_file \\"
    say "      --data idx:$dataset/t10k-images-idx3-ubyte.gz,$dataset/t10k-labels-idx1-ubyte.gz"
    say "  $bin/cairn audit report ${ledgers[1]}"
    say "  $bin/cairn-client budget $(silo_dir 1)"
fi
[ $ledger_ok = true ] || exit 1
