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
# Orders at the source, and the longest that is waited until some have gone all the way, in seconds.
SCHEMA_ORDERS=100
SCHEMA_SETTLE=${MILLRACE_SCHEMA_SETTLE:-60}

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

# Asks the program that check_schema has started: asks KEY PATH [curl's options].
asks() {
    local with=$1 path=$2
    shift 2
    # shellcheck disable=SC2154
    curl -fsS --noproxy '*' --max-time 30 -H "Authorization: Bearer $with" -H 'Content-Type: application/json' "$@" "$address/api/v1$path"
}

# The first of a list: first KEY PATH FIELD. Nothing where there is none, or no answer.
first() {
    asks "$1" "$2" 2>/dev/null | jq -r ".items[0].$3 // empty" 2>/dev/null || true
}

# Lets orders go as far as they go: the client of the documentation ships what it is given, one request is given up, stock is
# counted, and a file came that nobody can read. Prints nothing; what there is to name is asked for afterwards.
settle_schema() {
    local client request='' sku='' end=$((SECONDS + SCHEMA_SETTLE))
    # shellcheck disable=SC2154
    while [ -z "$request" ]; do
        [ "$SECONDS" -lt "$end" ] || fail "No request came to the warehouse's desk: $(tail -n 5 "$folder/serve.log")"
        sleep 0.5
        request=$(first "$desk" '/desk/requests?state=waiting&limit=1' request)
    done
    sku=$(first "$desk" '/desk/requests?limit=1' 'lines[0].sku')
    asks "$desk" "/desk/requests/$request/give-up" -d '{"reason": "discontinued"}' >/dev/null || fail 'No request could be given up.'
    asks "$desk" /desk/stock -d "{\"id\": \"COUNT-1\", \"counted_at\": \"$(date -u +%FT%TZ)\", \"levels\": [{\"sku\": \"$sku\", \"physical\": 7}]}" \
        >/dev/null || fail 'No stock could be posted.'
    MILLRACE_URL=$address MILLRACE_KEY=$desk WMS_DATABASE=$folder/wms.db WMS_SECONDS=0.5 no_proxy=127.0.0.1 \
        python3 examples/warehouse_api.py >"$folder/client.log" 2>&1 &
    client=$!
    # shellcheck disable=SC2154
    until [ -n "$(first "$key" '/orders?state=closed&limit=1' id)" ] && [ -n "$(first "$key" '/orders?state=error&limit=1' id)" ]; do
        [ "$SECONDS" -lt "$end" ] || break
        sleep 0.5
    done
    # These are there by then, or soon; without them less is judged, and nothing is wrong.
    end=$((SECONDS + 10))
    until [ -n "$(first "$key" '/exceptions?limit=1' id)" ] && [ -n "$(first "$key" '/connections/main/stock/runs?limit=1' id)" ]; do
        [ "$SECONDS" -lt "$end" ] || { say 'There is no exception or no stock run, so neither is judged.'; break; }
        sleep 0.5
    done
    kill "$client" 2>/dev/null || true
    wait "$client" 2>/dev/null || true
}

# A configuration with names that exist: named PARAMETER ID …. What there is none of is not named.
named() {
    local parameter id
    cat bench/schemathesis.toml
    printf '\n[parameters]\n'
    while [ $# -ge 2 ]; do
        parameter=$1 id=$2
        shift 2
        [ -z "$id" ] || printf '"path.%s" = "%s"\n' "$parameter" "$id"
    done
}

# ask_schema NAME CONFIG KEY WHICH…: Schemathesis asks these operations, at the program that check_schema has started, and prints
# what it found wrong.
ask_schema() {
    local log=$folder/schemathesis-$1.log config=$2 with=$3
    shift 3
    # In the folder: it writes down there what it found. A slow machine is no fault of the document, so how long it takes to
    # think of a request is not judged. One worker: two that read Python sources at once make Python 3.11 fail now and then
    # ("AST constructor recursion depth mismatch").
    # shellcheck disable=SC2154
    (cd "$folder" && timeout "$SCHEMA_LIMIT" "$OLDPWD/.dev/venv/bin/schemathesis" --config-file "$config" run openapi.json \
        --url "$address" --header "Authorization: Bearer $with" --seed "$SCHEMA_SEED" --max-examples "$SCHEMA_EXAMPLES" \
        --no-shrink --workers 1 --request-timeout 60 --suppress-health-check too_slow "$@") >"$log" 2>&1 && return 0
    awk '/= (ERRORS|FAILURES) =/ { found = 1 } found' "$log" | cut -c 1-400 | head -n 150 >&2
    return 1
}

check_schema() {
    need_schemathesis
    need_packages curl jq
    # The waits of both are divided, so that the account's call budget does not decide how long it takes.
    local folder program simulator base address key desk closed error code=0
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "kill \$(jobs -p) 2>/dev/null; rm -rf '$folder'" EXIT
    mkdir -p "$folder/wms/in" "$folder/wms/out"
    printf 'order_number,shipment_id,shipped_at\nBP-1,broken\n' >"$folder/wms/out/shp_broken.csv"
    target/debug/millrace --json simulate brightpearl --time-factor 20 --orders "$SCHEMA_ORDERS" >"$folder/brightpearl.log" 2>&1 &
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
    desk=$(millrace keys create --name desk --warehouse Desk | sed -nE 's/.*"key": *"([^"]+)".*/\1/p')
    say 'Letting some orders go all the way …'
    settle_schema
    closed=$(first "$key" '/orders?state=closed&limit=1' id)
    error=$(first "$key" '/orders?state=error&limit=1' id)
    [ -n "$closed" ] && [ -n "$error" ] \
        || fail "After $SCHEMA_SETTLE s no order was shipped and told, or none was given up: $(tail -n 5 "$folder/serve.log")"
    say "Asking $address what openapi.json says it answers …"
    millrace openapi >"$folder/openapi.json"
    # Looked at with names that exist, before anything is changed; then as it comes; then changed, with names that exist. The
    # stream of events has no end, so a test of its own looks at it. Whoever revokes keys goes last: it may find our own.
    local there=(connection main store BP warehouse Desk channel stock kind orders table listings)
    local some=(
        shipment "$(first "$key" '/shipments?limit=1' id)"
        effect "$(first "$key" '/effects?limit=1' id)"
        run "$(first "$key" '/connections/main/stock/runs?limit=1' id)"
        exception "$(first "$key" '/exceptions?limit=1' id)"
        finding "$(first "$key" '/findings?limit=1' id)"
        issue "$(first "$key" '/alerts/issues?limit=1' id)"
        request "$(first "$desk" '/desk/requests?limit=1' request)"
    )
    cp bench/schemathesis.toml "$folder/any.toml"
    named "${there[@]}" "${some[@]}" merchant Acme order "$closed" >"$folder/seen.toml"
    named "${there[@]}" "${some[@]}" order "$error" >"$folder/named.toml"
    # One option of a kind for each row: several that take in take in what any of them does, and several that leave out leave out
    # only what all of them do.
    ask_schema seen seen.toml "$key" --include-path-regex '^(?!.*/desk/).*\{' \
        --exclude-method-regex '^(POST|PUT|PATCH|DELETE)$' || code=$?
    ask_schema desk seen.toml "$desk" --include-path-regex '/desk/' || code=$?
    ask_schema any any.toml "$key" --exclude-path-regex '/desk/|/events$|/keys/\{key\}$' || code=$?
    ask_schema named named.toml "$key" --exclude-method-regex '^GET$' \
        --include-path-regex '\{(connection|store|warehouse|order|shipment|effect|run|exception|finding|issue)\}' || code=$?
    ask_schema last any.toml "$key" --include-operation-id revoke_key || code=$?
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
