# SPDX-License-Identifier: Apache-2.0
# For the end-to-end tests: a federation of real processes in a folder of its own, on a small table.
# Sourced; needs bash, jq, awk and CAIRN_BIN.
set -uo pipefail

bin=${CAIRN_BIN:?CAIRN_BIN is to name the folder of the programs}
world=$(mktemp -d "${TMPDIR:-/tmp}/cairn-e2e-XXXXXX")
agg=$world/agg
passed=0 failed=0
agg_pid=""
declare -A silo_pid=()

finish() {
    trap - EXIT
    local pid
    for pid in $agg_pid "${silo_pid[@]}"; do kill -9 "$pid" 2>/dev/null; done
    wait 2>/dev/null
    if [ $failed -eq 0 ]; then
        rm -rf "$world"
    else
        echo "what is left for a look: $world"
        tail -n 12 "$world"/*.log 2>/dev/null
    fi
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
    exit $?
}
trap finish EXIT

# check NAME COMMAND...: one test.
check() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
    fi
}

# A condition as words for check: test expressions, substrings, JSON.
same() { [ "$1" = "$2" ] || { echo "  '$1' is not '$2'"; return 1; }; }
has() { case $1 in *"$2"*) ;; *) echo "  '$2' is not in: $1"; return 1 ;; esac; }
json_true() { [ "$(jq "$2" <<<"$1")" = true ] || { echo "  not true: $2 of $1"; return 1; }; }

# within SECONDS COMMAND...: waits until the command succeeds.
within() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $until ] || return 1
        sleep 0.1
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

# table FILE ROWS SEED: four features, two classes that a straight line nearly separates.
table() {
    awk -v n="$2" -v seed="$3" 'BEGIN {
        srand(seed); print "a,b,c,d,outcome"
        for (i = 0; i < n; i++) {
            a = rand() * 2 - 1; b = rand() * 2 - 1; c = rand() * 2 - 1; d = rand() * 2 - 1
            y = (a + b - 0.5 * c + 0.2 * (rand() - 0.5) > 0)
            printf "%.4f,%.4f,%.4f,%.4f,%d\n", a, b, c, d, y
        }
    }' >"$1"
}

# task FILE [sed script]: a quick task with noise; the script changes it.
task() {
    cat >"$1" <<'YAML'
task: e2e
model:
  input: [1, 1, 4]
  layers:
    - {type: dense, units: 2}
data: {classes: 2}
training: {learning_rate: 2, steps: 4, batch: 200, sampling_rate: 0.5}
privacy: {unit: example, clip_norm: 0.5, noise_multiplier: 4, delta: 1.0e-5}
secure_aggregation: {update_range: 20}
rounds:
  count: 3
  cohort_min: 3
  cohort_max: 8
  gather_s: 2
  train_s: 20
  keys_s: 5
  exchange_s: 4
  upload_s: 4
  survivors_s: 4
  reveal_s: 4
YAML
    [ $# -lt 2 ] || sed -i "$2" "$1"
}

start_agg() { # [serve options]
    "$bin/cairn-aggregator" serve "$agg" "$@" >>"$world/agg.out" 2>>"$world/agg.log" &
    agg_pid=$!
    within 20 answers || { echo "the aggregator does not answer"; return 1; }
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

start_silo() {
    "$bin/cairn-client" run "$world/silo-$1" >>"$world/silo-$1.log" 2>&1 &
    silo_pid[$1]=$!
}

stop_silo() { # SIGNAL N
    kill "-$1" "${silo_pid[$2]}" 2>/dev/null
    wait "${silo_pid[$2]}" 2>/dev/null
    unset "silo_pid[$2]"
}

stop_agg() { # SIGNAL
    kill "-$1" "$agg_pid" 2>/dev/null
    wait "$agg_pid" 2>/dev/null
    local code=$?
    agg_pid=""
    return $code
}

invite() { "$bin/cairn-aggregator" invite "$agg" --json "$@" 2>>"$world/invite.log" | jq -r '.links[0]'; }

join_silo() { # N [options]
    local n=$1
    shift
    "$bin/cairn-client" join "$(invite)" "$world/silo-$n" --name "silo-$n" \
        --data "csv:$world/data-$n.csv,label=outcome" "$@" >>"$world/join-$n.log" 2>&1
}

# federation SILOS: an aggregator that serves, and silos that have joined but do not run yet.
federation() {
    local n
    port=$(free_port)
    "$bin/cairn-aggregator" init "$agg" --host 127.0.0.1 --port "$port" >"$world/init.log" 2>&1 || return 1
    table "$world/test.csv" 500 99
    start_agg || return 1
    for n in $(seq 1 "$1"); do
        table "$world/data-$n.csv" 400 "$n"
        join_silo "$n" || { cat "$world/join-$n.log"; return 1; }
    done
}

submit() { # FILE [options]
    local file=$1
    shift
    "$bin/cairn-aggregator" task submit "$agg" "$file" --test "csv:$world/test.csv,label=outcome" "$@" \
        >>"$world/submit.log" 2>&1
}

status() { "$bin/cairn-aggregator" status "$agg" --json 2>/dev/null; }
published() { status | jq '[.tasks[-1].rounds[] | select(.published)] | length'; }
abandoned() { status | jq '[.tasks[-1].rounds[] | select(.published | not)] | length'; }
at_least_published() { [ "$(published)" -ge "$1" ]; }
at_least_abandoned() { [ "$(abandoned)" -ge "$1" ]; }
evaluated() { [ "$(status | jq '[.tasks[-1].rounds[] | select(.published)][-1].metrics.accuracy')" != null ]; }
