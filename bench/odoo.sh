# shellcheck shell=bash
# A real Odoo with its PostgreSQL, which the Odoo connector is held against; sourced by ./dev, which brings say, fail and
# need_packages. It is a program of its own that tests talk to over HTTP: nothing of it is part of Millrace (docs/odoo.md).
#
# What takes long is done once and kept outside the checkout, in $PEERS/odoo19: the program, its Python packages, and a template
# database. A run restores the template on a server of its own in /tmp, and leaves nothing behind.

# Pinned: another one may behave differently, and then the run says that it is another one.
ODOO_VERSION=19.0.0+dfsg-1
ODOO_SHA256=9d2f598b0555db17e291d48ed24df184c70823c053c4c5ed53c467ca7f629bbf
PEERS=${PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace/peers}
ODOO=$PEERS/odoo19
# What the template is made of; another content makes another template.
ODOO_TEMPLATE=$ODOO/template-$(cat bench/odoo_template.py bench/odoo-requirements.txt | sha256sum | cut -c 1-12).dump

odoo_is_here() {
    [ -x "$ODOO/root/usr/bin/odoo" ] && [ -x "$ODOO/venv/bin/python" ] && [ -s "$ODOO_TEMPLATE" ]
}

odoo_package() {
    local found=("$PEERS"/apt/odoo-19_*.deb)
    [ -s "${found[0]}" ] && printf '%s' "${found[0]}"
}

# Debian's stable releases have no Odoo 19, its development release has. The package is fetched with lists of its own and
# unpacked without being installed, so the system stays as it is.
fetch_odoo() {
    [ -n "$(odoo_package)" ] && return 0
    local apt=$PEERS/apt mirror options
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/etc"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$') \
        || fail 'This system has no Debian mirror to fetch Odoo from. Put the package odoo-19 into '"$apt"' by hand.'
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s sid main\n' "$mirror" >"$apt/etc/sources.list"
    options=(-o "Dir::Etc::sourcelist=$apt/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
    say 'Fetching Odoo 19 (120 MB) …'
    apt-get -q "${options[@]}" update >/dev/null && (cd "$apt" && apt-get -q "${options[@]}" download odoo-19 >/dev/null) \
        || fail "That failed. Put the package odoo-19 ($ODOO_VERSION) into $apt by hand."
}

unpack_odoo() {
    [ -x "$ODOO/root/usr/bin/odoo" ] && return 0
    local package
    package=$(odoo_package)
    say 'Unpacking it (1.2 GB) …'
    mkdir -p "$ODOO"
    rm -rf "$ODOO/root.new"
    dpkg-deb -x "$package" "$ODOO/root.new"
    mv "$ODOO/root.new" "$ODOO/root"
}

# Says so when what is there is not what was proven.
check_odoo_version() {
    local package version sum
    package=$(odoo_package)
    if [ -z "$package" ]; then
        say "The package Odoo was unpacked from is gone, so it cannot be told whether it is $ODOO_VERSION."
        return 0
    fi
    version=$(dpkg-deb -f "$package" Version)
    sum=$(sha256sum "$package" | cut -d ' ' -f 1)
    if [ "$version" != "$ODOO_VERSION" ] || [ "$sum" != "$ODOO_SHA256" ]; then
        say "NOTE: this Odoo is $version ($sum); what is proven is $ODOO_VERSION ($ODOO_SHA256)."
    fi
}

odoo_python() {
    # The system's own: one in a home folder may not be readable where it is needed.
    [ -x "$ODOO/venv/bin/python" ] && cmp -s bench/odoo-requirements.txt "$ODOO/venv/requirements" && return 0
    /usr/bin/python3 -c 'import venv, ensurepip' 2>/dev/null || need_packages python3 python3-venv
    say 'Installing its Python packages …'
    /usr/bin/python3 -m venv "$ODOO/venv" \
        && "$ODOO/venv/bin/pip" install -q --disable-pip-version-check -r bench/odoo-requirements.txt \
        && cp bench/odoo-requirements.txt "$ODOO/venv/requirements" \
        || fail "That failed. Type:  $ODOO/venv/bin/pip install -r bench/odoo-requirements.txt"
}

install_odoo() {
    need_packages postgresql dpkg curl
    fetch_odoo
    check_odoo_version
    unpack_odoo
    odoo_python
    [ -s "$ODOO_TEMPLATE" ] && return 0
    say 'Making the template database (two minutes) …'
    begin_odoo
    "$odoo_run/odoo" server -d millrace_template -i sale_stock,stock_delivery --stop-after-init >"$odoo_run/install.log" 2>&1 \
        || fail "Odoo did not set up its database: $(tail -n 5 "$odoo_run/install.log")"
    "$odoo_run/odoo" shell -d millrace_template --no-http <bench/odoo_template.py >"$odoo_run/template.log" 2>&1 \
        && grep -q '^READY$' "$odoo_run/template.log" \
        || fail "The template was not filled: $(tail -n 5 "$odoo_run/template.log")"
    as_postgres pg_dump -Fc millrace_template >"$ODOO_TEMPLATE.new" && mv "$ODOO_TEMPLATE.new" "$ODOO_TEMPLATE"
    end_odoo
}

free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# as_postgres PROGRAM …: one of PostgreSQL's programs, at the run's own server; it does not run as root.
as_postgres() {
    local program=$1 as=()
    shift
    [ "$(id -u)" = 0 ] && as=(runuser -u postgres --)
    (cd "$odoo_run" && "${as[@]}" env PGHOST=127.0.0.1 PGPORT="$odoo_pg_port" PGUSER=odoo "$odoo_pg/$program" "$@")
}

# A PostgreSQL of the run's own, without durability, and Odoo set up for it.
begin_odoo() {
    odoo_pg=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin | sort -V | tail -n 1)
    odoo_pg_port=$(free_port)
    odoo_port=$(free_port)
    odoo_server=
    # In /tmp, which PostgreSQL's user may enter.
    odoo_run=$(mktemp -d /tmp/millrace-odoo.XXXXXX)
    trap end_odoo EXIT
    mkdir "$odoo_run/pg" "$odoo_run/data"
    [ "$(id -u)" = 0 ] && chown postgres "$odoo_run" "$odoo_run/pg"
    chmod 755 "$odoo_run"
    as_postgres initdb -D "$odoo_run/pg/data" -U odoo -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
    as_postgres pg_ctl -D "$odoo_run/pg/data" -l "$odoo_run/pg/log" -w -o "-p $odoo_pg_port -k $odoo_run/pg \
        -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c synchronous_commit=off" start >/dev/null \
        || fail "PostgreSQL did not start: $(tail -n 3 "$odoo_run/pg/log")"
    cat >"$odoo_run/odoo.conf" <<CONF
[options]
db_host = 127.0.0.1
db_port = $odoo_pg_port
db_user = odoo
data_dir = $odoo_run/data
http_interface = 127.0.0.1
http_port = $odoo_port
gevent_port = $(free_port)
list_db = False
without_demo = True
workers = 0
max_cron_threads = 0
CONF
    cat >"$odoo_run/odoo" <<RUN
#!/bin/sh
export PYTHONPATH="$ODOO/root/usr/lib/python3/dist-packages" HOME="$odoo_run/data"
command=\$1
shift
exec "$ODOO/venv/bin/python" "$ODOO/root/usr/bin/odoo" "\$command" -c "$odoo_run/odoo.conf" "\$@"
RUN
    chmod +x "$odoo_run/odoo"
}

# Starts everything and says in MILLRACE_ODOO where it is described. Keys are made anew: those of a user end after 90 days.
start_odoo() {
    local keys started=$SECONDS
    say 'Starting Odoo …'
    begin_odoo
    as_postgres createdb millrace_template
    # Through a pipe: the folder of what is kept may be closed to PostgreSQL's user.
    as_postgres pg_restore -d millrace_template <"$ODOO_TEMPLATE"
    keys=$("$odoo_run/odoo" shell -d millrace_template --no-http <bench/odoo_keys.py 2>"$odoo_run/keys.log" | grep '^{') \
        || fail "Odoo gave no keys: $(tail -n 5 "$odoo_run/keys.log")"
    "$odoo_run/odoo" server --db-filter '^wms_' >"$odoo_run/server.log" 2>&1 &
    odoo_server=$!
    for _ in $(seq 300); do
        curl -sf "http://127.0.0.1:$odoo_port/web/health" >/dev/null && break
        kill -0 "$odoo_server" 2>/dev/null || fail "Odoo did not start: $(tail -n 5 "$odoo_run/server.log")"
        sleep 0.2
    done
    printf '{"url":"http://127.0.0.1:%s","postgres":"%s","postgres_port":%s,"template":"millrace_template","keys":%s}\n' \
        "$odoo_port" "$odoo_pg" "$odoo_pg_port" "$keys" >"$odoo_run/odoo.json"
    export MILLRACE_ODOO=$odoo_run/odoo.json
    say "Odoo is up after $((SECONDS - started)) s."
}

# Ends what was started, by its own number, and removes the run's folder.
end_odoo() {
    trap - EXIT
    unset MILLRACE_ODOO
    if [ -n "${odoo_server:-}" ]; then
        kill -TERM "$odoo_server" 2>/dev/null || true
        wait "$odoo_server" 2>/dev/null || true
        odoo_server=
    fi
    [ -n "${odoo_run:-}" ] && [ -d "$odoo_run" ] || return 0
    as_postgres pg_ctl -D "$odoo_run/pg/data" -m immediate -w stop >/dev/null 2>&1 || true
    # What went wrong on Odoo's side is there, for as long as the next run.
    mkdir -p .dev && cp "$odoo_run/server.log" .dev/odoo-server.log 2>/dev/null || true
    rm -rf "$odoo_run"
}

# run_odoo_tests ARGUMENT …: every test that needs Odoo. They are marked as ignored, so that any other run lists them as not run.
run_odoo_tests() {
    local started=$SECONDS tests=(--test it)
    # What the damaged answers are made of is recorded when asked for (docs/gates.md).
    [ -z "${MILLRACE_FUZZ_RECORD:-}" ] || tests+=(--test fuzz)
    start_odoo
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run -p connectors -p millrace "${tests[@]}" --locked --run-ignored only -E 'test(odoo)' "$@"
    else
        cargo test -p connectors -p millrace "${tests[@]}" --locked odoo -- --ignored "$@"
    fi
    say "What Odoo was asked took $((SECONDS - started)) s."
    end_odoo
}

# For ./dev test: run where it is installed, and said in so many words where it is not.
odoo_tests_if_installed() {
    if odoo_is_here; then
        check_odoo_version
        run_odoo_tests
    else
        say "NOT RUN: the tests against a real Odoo. It is not installed in $ODOO. To install it once and run them:  ./dev test-odoo"
    fi
}
