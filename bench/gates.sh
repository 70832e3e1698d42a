# shellcheck shell=bash
# The gates behind `./dev nightly` and `./dev release`; sourced by ./dev, which brings say, fail, setup and advisories. See docs/gates.md.
#
# A part is a row of chunks. A chunk is one run of one test; when it ends well, what it counted is kept as
# .dev/gates/COMMIT/PART/CHUNK.json and it is not run again for that commit. So a part that was cut goes on where it stopped.

# Nobody looks at these builds with a browser; without this, one for release wants the browser app.
export MILLRACE_WEB=none

PARTS='seeds cells pairs planted kills drills failovers fuzz true-waits'
# No part begins a chunk after this many minutes; called again, it goes on.
PART_MINUTES=${MILLRACE_PART_MINUTES:-60}

gate_commit() {
    local commit
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || commit=no-commit
    # Figures of a tree that nobody else has are not those of its commit.
    if ! git diff --quiet HEAD -- crates Cargo.toml Cargo.lock 2>/dev/null; then commit+=-changed; fi
    printf '%s' "$commit"
}

# gate_binary PACKAGE TARGET: builds a test binary for the gates and prints where it is.
gate_binary() {
    local told
    told=$(CARGO_INCREMENTAL=0 cargo test --locked --profile gate -p "$1" --test "$2" --no-run 2>&1) \
        || fail "$told"
    printf '%s' "$told" | sed -n 's/^ *Executable .*(\(.*\))$/\1/p' | tail -n 1
}

# begin_part PART: the folder and the counters that chunks work with.
begin_part() {
    part=$1 failures=0 chunks=0 done_chunks=0 counts='"runs":1'
    part_folder=$gate_folder/$part
    part_end=$((SECONDS + PART_MINUTES * 60))
    mkdir -p "$part_folder"
    say "── $part"
}

# chunk NAME [VARIABLE=VALUE …] -- COMMAND …: runs it unless it has ended well before. The command writes what it counted to
# the file MILLRACE_TOTALS; where it does not, $counts stands for what it was asked to do.
chunk() {
    local name=$1 settings=() kept log start
    shift
    while [ "$1" != -- ]; do settings+=("$1"); shift; done
    shift
    chunks=$((chunks + 1))
    kept=$part_folder/$name.json log=$part_folder/$name.log
    if [ -s "$kept" ]; then done_chunks=$((done_chunks + 1)); return 0; fi
    if [ "$SECONDS" -ge "$part_end" ]; then return 0; fi
    start=$SECONDS
    rm -f "$kept.new"
    if env "${settings[@]}" MILLRACE_TOTALS="$PWD/$kept.new" "$@" >"$log" 2>&1; then
        [ -s "$kept.new" ] || printf '{%s}' "$counts" >"$kept.new"
        # The time goes along, so that a resumed part knows how long it took in all.
        sed -i "s/}[[:space:]]*\$/,\"chunk seconds\":$((SECONDS - start))}/" "$kept.new"
        mv "$kept.new" "$kept"
        rm -f "$log"
        done_chunks=$((done_chunks + 1))
        say "   $part/$name: held, $((SECONDS - start)) s"
    else
        failures=$((failures + 1))
        say "   $part/$name: FAILED, $((SECONDS - start)) s; the whole of it is in $log"
        tail -n 25 "$log" >&2
    fi
}

# test_of BINARY TEST: a command that plays one test and fails when there is none of this name (libtest would not).
test_of() {
    local binary=$1 name=$2
    "$binary" --list --exact "$name" 2>/dev/null | grep -q ': test$' || { echo "there is no test $name in $binary"; return 1; }
    "$binary" --exact "$name" --include-ignored --nocapture --test-threads 1
}
# tests_in BINARY MODULE: the tests of a module, one a line; a failure where there are none.
tests_in() {
    "$1" --list "$2" 2>/dev/null | sed -n 's/: test$//p' | grep . || fail "There is no test of $2 in $1."
}

# sum FILE …: one flat JSON object with the sums of the numbers under each name.
sum() {
    cat "$@" 2>/dev/null | awk '
        { gsub(/\\"/, "~"); text = text $0 }
        END {
            while (match(text, /"[^"]*"[[:space:]]*:[[:space:]]*-?[0-9]+(\.[0-9]+)?/)) {
                pair = substr(text, RSTART, RLENGTH); text = substr(text, RSTART + RLENGTH)
                name = pair; sub(/^"/, "", name); sub(/".*/, "", name)
                value = pair; sub(/.*:[[:space:]]*/, "", value)
                if (name == "seed" || name == "factor") continue
                if (!(name in total)) order[++count] = name
                total[name] += value
            }
            printf "{"
            for (i = 1; i <= count; i++) printf "%s\"%s\":%.0f", (i > 1 ? "," : ""), order[i], total[order[i]]
            printf "}\n"
        }'
}

# end_part: the totals of the part, in .dev/gates/COMMIT/PART.json.
end_part() {
    local counted files=("$part_folder"/*.json)
    counted=$(sum "${files[@]}")
    counted=${counted#\{} counted=${counted%\}}
    printf '{"part chunks":%d,"part chunks held":%d,"part failures":%d%s}\n' \
        "$chunks" "$done_chunks" "$failures" "${counted:+,$counted}" >"$gate_folder/$part.json"
    if [ "$failures" -gt 0 ]; then
        gate_failed=1
    elif [ "$done_chunks" -lt "$chunks" ]; then
        say "   $part: $done_chunks of $chunks chunks are done; the same command goes on from here"
        gate_cut=1
    fi
}

part_seeds() {
    local it from step=500
    it=$(gate_binary millrace it)
    for ((from = 0; from < seeds; from += step)); do
        chunk "$from" "MILLRACE_SEED_FROM=$from" "MILLRACE_SEEDS=$step" -- \
            bash -c "$(declare -f test_of); test_of $it seeded::seeds_keep_the_contract"
    done
}

part_cells() {
    local it
    it=$(gate_binary millrace it)
    chunk all "MILLRACE_TOTALS_DIR=$PWD/$gate_folder/seeds" -- \
        bash -c "$(declare -f test_of); test_of $it seeded::no_cell_is_empty"
}

# How many pairs there are is for the test to say: a chunk that counts fewer `pairs` than it was given is the last one. A night
# plays every third chunk, the commit says which; a release plays them all.
part_pairs() {
    local it from=0 stride=1 step=2000
    it=$(gate_binary millrace it)
    if [ "$gate" = nightly ]; then
        stride=3
        from=$(((16#$(git rev-parse --short=7 HEAD 2>/dev/null || echo 0) % stride) * step))
    fi
    for ((; ; from += stride * step)); do
        chunk "$from" "MILLRACE_PAIR_FROM=$from" "MILLRACE_PAIRS=$step" -- \
            bash -c "$(declare -f test_of); test_of $it seeded::crash_pairs"
        [ -s "$part_folder/$from.json" ] || break
        [ "$(count_of pairs "$part_folder/$from.json")" -ge "$step" ] || break
    done
}

part_planted() {
    chunk all -- env CARGO_INCREMENTAL=0 cargo test --locked --profile gate -p millrace --features planted --test it planted
}

# Twenty-five seeds in a row are the twenty-five configurations of one kind of warehouse, of which there are six without a real
# Odoo (docs/gates.md, Kills). Configuration and kind go on together: a night plays every configuration and every kind.
part_kills() {
    local it world seed step=40
    it=$(gate_binary millrace it)
    for ((world = 0; world < kills / step; world++)); do
        seed=$(((world + world / 25) % 6 * 100 + world % 100))
        chunk "$seed" "MILLRACE_KILL_SEED=$seed" "MILLRACE_KILLS=$step" -- \
            bash -c "$(declare -f test_of); test_of $it main_job::kills::kills_neither_lose_nor_double_anything"
    done
}

# Each test is one kind of drill, and makes as many as it is told.
part_drills() {
    local it tests test each
    it=$(gate_binary millrace it)
    tests=$(tests_in "$it" main_job::recovery::)
    each=$(((drills + $(wc -l <<<"$tests") - 1) / $(wc -l <<<"$tests")))
    counts="\"drills\":$each"
    for test in $tests; do
        chunk "${test##*::}" "MILLRACE_DRILLS=$each" -- bash -c "$(declare -f test_of); test_of $it $test"
    done
}

part_failovers() {
    local it tests test
    it=$(gate_binary millrace it)
    tests=$(tests_in "$it" main_job::failover::)
    counts="\"failovers\":$failovers"
    for test in $tests; do
        chunk "${test##*::}" "MILLRACE_FAILOVERS=$failovers" -- bash -c "$(declare -f test_of); test_of $it $test"
    done
}

# One hour in all. Each commit has inputs of its own, and the same ones each time.
part_fuzz() {
    local it readers targets target binary seed each
    readers=$(gate_binary connectors fuzz)
    it=$(gate_binary millrace it)
    targets=$({
        "$readers" --list 2>/dev/null | sed -n '/record/d; /never_become/d; s/: test$/ readers/p'
        "$it" --list fuzz:: 2>/dev/null | sed -n 's/: test$/ it/p'
    })
    each=$((fuzz_seconds / $(printf '%s\n' "$targets" | wc -l)))
    seed=$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1)
    seed=$((16#$seed))
    while read -r target binary; do
        [ "$binary" = it ] && binary=$it || binary=$readers
        chunk "${target//::/.}" "MILLRACE_FUZZ_SECONDS=$each" "MILLRACE_FUZZ_SEED=$seed" -- \
            bash -c "$(declare -f test_of); test_of $binary $target"
    done <<<"$targets"
}

part_true-waits() {
    local it
    it=$(gate_binary millrace it)
    chunk all MILLRACE_FACTOR=1 -- \
        bash -c "$(declare -f test_of); test_of $it main_job::true_waits::twenty_orders_at_the_speed_that_is_given"
}

part_soak() {
    local it
    it=$(gate_binary millrace it)
    # It takes as long as it was asked to, in one piece: memory that grows is seen in one process only.
    chunk "${MILLRACE_SOAK_HOURS:-72}" "MILLRACE_SOAK_HOURS=${MILLRACE_SOAK_HOURS:-72}" -- \
        bash -c "$(declare -f test_of); test_of $it main_job::soak::twice_the_load_for_hours"
}

# count_of NAME FILE
count_of() {
    local found
    found=$(sed -n "s/.*\"$1\"[[:space:]]*:[[:space:]]*\([0-9]*\).*/\1/p" "$2" | head -n 1)
    printf '%s' "${found:-0}"
}

# What the bound of a part is a bound of, and its name among the counts.
counted_in() {
    case $1 in
        seeds | kills | pairs | drills | failovers) echo "$1" ;;
        fuzz) echo inputs ;;
        *) echo '' ;;
    esac
}

# shown FILE: the counts of a part for people. Single faults and reasons are in the file; of the cells it is the emptiest that matters.
shown() {
    awk '
        { gsub(/\\"/, "~"); text = text $0 }
        END {
            while (match(text, /"[^"]*":-?[0-9]+/)) {
                pair = substr(text, RSTART, RLENGTH); text = substr(text, RSTART + RLENGTH)
                name = pair; sub(/^"/, "", name); sub(/":.*/, "", name)
                value = pair; sub(/.*:/, "", value); value += 0
                if (name ~ /^(part |chunk seconds$|fault |why:)/) continue
                if (name ~ /^cell /) { if (cells++ == 0 || value < least) least = value; continue }
                line = line (line == "" ? "" : ", ") name ": " value
            }
            if (cells) line = line (line == "" ? "" : ", ") "cells: " cells ", each hit at least " least " times"
            print line
        }' "$1"
}

# gate_summary PART …: what has been played on this commit, and what it proves.
gate_summary() {
    local file name n bound
    printf '\nGate %s on %s, %s, %s processors\n\n' "$gate" "$(gate_commit)" "$(date -u +%Y-%m-%d)" "$(nproc)"
    printf '| Part | Chunks held | Failures | Minutes | Counted | Failing at most (95 %%) |\n|---|---|---|---|---|---|\n'
    for name in "$@"; do
        file=$gate_folder/$name.json
        if ! [ -s "$file" ]; then printf '| %s | not played | | | | |\n' "$name"; continue; fi
        bound='' n=$(counted_in "$name")
        [ -n "$n" ] && n=$(count_of "$n" "$file")
        # With no failure in n runs the rate is below 3/n with 95 % confidence.
        if [ "${n:-0}" -gt 0 ] && [ "$(count_of 'part failures' "$file")" = 0 ]; then
            bound=$(awk -v n="$n" 'BEGIN { printf "3/%d = %.4g %%", n, 300 / n }')
        fi
        printf '| %s | %s of %s | %s | %s | %s | %s |\n' "$name" \
            "$(count_of 'part chunks held' "$file")" "$(count_of 'part chunks' "$file")" "$(count_of 'part failures' "$file")" \
            "$(($(count_of 'chunk seconds' "$file") / 60))" \
            "$(shown "$file")" \
            "$bound"
    done
}

# run_gate nightly|release [PART …]
run_gate() {
    gate=$1
    shift
    local all=$PARTS name
    seeds=10000 kills=1000 drills=20 failovers=10 fuzz_seconds=3600
    if [ "$gate" = release ]; then
        seeds=100000 kills=10000 drills=20 failovers=50
        all="$PARTS soak"
    fi
    local chosen=("$@")
    [ ${#chosen[@]} -gt 0 ] || read -ra chosen <<<"$all"
    for name in "${chosen[@]}"; do
        [[ " $all " == *" $name "* ]] || fail "The $gate gate has no part '$name'. Its parts: $all"
    done
    setup
    gate_folder=.dev/gates/$(gate_commit)
    [ "$gate" = nightly ] || gate_folder+=-$gate
    gate_failed=0 gate_cut=0
    mkdir -p "$gate_folder"
    for name in "${chosen[@]}"; do
        begin_part "$name"
        "part_$name"
        end_part
    done
    # shellcheck disable=SC2086 # the names of the parts are words
    gate_summary $all | tee "$gate_folder/summary.md"
    # What is known about libraries is known today: nothing of it is kept for the commit.
    if [ "$gate" = release ] && [ $# = 0 ]; then (advisories) || gate_failed=1; fi
    [ "$gate_failed" = 0 ] || fail 'The gate does not hold: see the failures above.'
    [ "$gate_cut" = 0 ] || say 'Not everything has been played yet: the same command goes on.'
}
