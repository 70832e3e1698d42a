# shellcheck shell=bash
# The OpenAPI document held against the real program; sourced by ./dev, which brings say, fail and need_packages. Schemathesis
# makes requests from the document, right ones and wrong ones, and every answer must be as it says: no server error, no status
# that is not documented, no body or header of another shape, nothing open without a key.

# Pinned: another version may look for other things. Proven with Python 3.11.
SCHEMATHESIS=schemathesis==4.32.5
# The run is the same every time; MILLRACE_SCHEMA_SEED plays another one.
SCHEMA_SEED=${MILLRACE_SCHEMA_SEED:-20260501}
# Requests per operation, and the longest the whole may take, in seconds.
SCHEMA_EXAMPLES=${MILLRACE_SCHEMA_EXAMPLES:-12}
SCHEMA_LIMIT=${MILLRACE_SCHEMA_LIMIT:-600}

need_schemathesis() {
    local has
    has=$(.dev/venv/bin/pip show schemathesis 2>/dev/null | sed -n 's/^Version: /schemathesis==/p') || true
    [ "$has" = "$SCHEMATHESIS" ] && return 0
    command -v python3 >/dev/null 2>&1 && python3 -c 'import venv, ensurepip' 2>/dev/null \
        || need_packages python3 python3-venv
    say "Installing $SCHEMATHESIS into .dev/venv …"
    python3 -m venv .dev/venv && .dev/venv/bin/pip install -q --disable-pip-version-check "$SCHEMATHESIS" \
        || fail "That failed. Type:  python3 -m venv .dev/venv && .dev/venv/bin/pip install $SCHEMATHESIS"
}

# Waits until a program has written a line that matches to its log, and prints what is in the parentheses.
schema_line() {
    local log=$1 pattern=$2 found
    for _ in $(seq 300); do
        found=$(sed -nE "s#.*$pattern.*#\1#p" "$log" | head -n 1)
        [ -n "$found" ] && { printf '%s' "$found"; return 0; }
        sleep 0.2
    done
    fail "It did not start: $(tail -n 5 "$log")"
}

# ask_schema NAME CONFIG WHICH…: Schemathesis asks these operations, at the program that check_schema has started, and prints
# what it found wrong.
ask_schema() {
    local log=$folder/schemathesis-$1.log config=$2
    shift 2
    # In the folder: it writes down there what it found. A slow machine is no fault of the document, so how long it takes to
    # think of a request is not judged. One worker: two that read Python sources at once make Python 3.11 fail now and then
    # ("AST constructor recursion depth mismatch").
    # shellcheck disable=SC2154
    (cd "$folder" && timeout "$SCHEMA_LIMIT" "$OLDPWD/.dev/venv/bin/schemathesis" --config-file "$config" run openapi.json \
        --url "$address" --header "Authorization: Bearer $key" --seed "$SCHEMA_SEED" --max-examples "$SCHEMA_EXAMPLES" \
        --no-shrink --workers 1 --request-timeout 60 --suppress-health-check too_slow "$@") >"$log" 2>&1 && return 0
    awk '/= (ERRORS|FAILURES) =/ { found = 1 } found' "$log" | cut -c 1-400 | head -n 150 >&2
    return 1
}

check_schema() {
    need_schemathesis
    # The waits of both are divided, so that the account's call budget does not decide how long it takes.
    local folder program simulator base address key code=0
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "kill \$(jobs -p) 2>/dev/null; rm -rf '$folder'" EXIT
    mkdir -p "$folder/wms/in" "$folder/wms/out"
    target/debug/millrace --json simulate brightpearl --time-factor 20 >"$folder/brightpearl.log" 2>&1 &
    simulator=$!
    base=$(schema_line "$folder/brightpearl.log" '(http://127\.0\.0\.1:[0-9]+)')
    millrace() { target/debug/millrace --data "$folder/data" --allow-stand-ins --time-factor 20 --json "$@"; }
    key=$(millrace init | sed -nE 's/.*"administrator_key": *"([^"]+)".*/\1/p')
    sed -e "s#BASE_URL#$base#" -e "s#FOLDER#$folder/wms#" bench/schema.toml >"$folder/millrace.toml"
    BP_PASSWORD=${BP_PASSWORD:-$(sed -nE 's/.*"password": *"([^"]+)".*/\1/p' "$folder/brightpearl.log" | head -n 1)} \
        millrace apply -f "$folder/millrace.toml" >"$folder/apply.log" 2>&1 || fail "$(cat "$folder/apply.log")"
    # Not through the function: then the number would be that of a shell around it, and the program would outlive it.
    target/debug/millrace --data "$folder/data" --allow-stand-ins --time-factor 20 --json \
        serve --requests-per-minute 0 --listen 127.0.0.1:0 >"$folder/serve.log" 2>&1 &
    program=$!
    address=$(schema_line "$folder/serve.log" 'listening on (http://[0-9.:]+)')
    say "Asking $address what openapi.json says it answers …"
    millrace openapi >"$folder/openapi.json"
    # Once as it comes, once with names that exist. The stream of events has no end, so a test of its own looks at it. Whoever
    # revokes keys goes last: it may find our own.
    cp bench/schemathesis.toml "$folder/any.toml"
    {
        cat bench/schemathesis.toml
        printf '\n[parameters]\n'
        printf '"path.%s" = "%s"\n' connection main store BP warehouse WH channel stock
    } >"$folder/named.toml"
    ask_schema any any.toml --exclude-operation-id-regex '^(follow_events|revoke_key)$' || code=$?
    ask_schema named named.toml --include-path-regex '\{(connection|store|warehouse)\}' || code=$?
    ask_schema last any.toml --include-operation-id revoke_key || code=$?
    # What went wrong inside is in its log; a fault that was answered as one is found there as well.
    if [ "$code" != 0 ] || ! kill -0 "$program" 2>/dev/null || grep -q 'panicked at' "$folder/serve.log"; then
        mkdir -p .dev/schema && cp "$folder"/*.log .dev/schema/
        grep -A 5 'panicked at' "$folder/serve.log" >&2 || true
        fail "The program and its OpenAPI document disagree (code $code). All of it: .dev/schema/*.log"
    fi
    grep -hE 'Warnings:|⚠|passed' "$folder"/schemathesis-*.log >&2
    kill "$program" "$simulator" 2>/dev/null || true
    trap - EXIT
    rm -rf "$folder"
}
