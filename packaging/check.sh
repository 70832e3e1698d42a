#!/usr/bin/env bash
# Installs the package into a clean folder and uses it as an operator would: set up, start, sign in, back up, upgrade, restore,
# remove. check.sh PROGRAM. As far as that goes without a virtual machine: the maintainer's scripts see the folder as DPKG_ROOT,
# and the service's own command line is started by hand, because there is no systemd in a folder.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
work=$(mktemp -d)
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$work"' EXIT
fail() { printf '%s\n' "$*" >&2; exit 1; }
root=$work/root
mkdir -p "$root"/var/lib/dpkg/{updates,info,triggers} "$root/etc"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available" "$root/etc/passwd" "$root/etc/group" "$root/etc/shadow" "$root/etc/gshadow"

manage() {
    # What it depends on is this machine's, and is not noted in the folder.
    dpkg --root="$root" --log="$work/dpkg.log" --force-not-root --force-depends --force-script-chrootless "$@" >"$work/dpkg.out" 2>&1 \
        || fail "dpkg $*: $(cat "$work/dpkg.out")"
}
export MILLRACE_ENV=$work/env MILLRACE_PROGRAM=$root/usr/bin/millrace
installed() { "$root/usr/sbin/millrace-as-service" "$@"; }
start() {
    # The unit's own command and no other.
    grep -qx 'ExecStart=/usr/bin/millrace serve' "$root/lib/systemd/system/millrace.service" || fail 'the unit starts something else'
    # Not through the function, so that the process is the program itself.
    "$root/usr/sbin/millrace-as-service" serve >"$work/serve.log" 2>&1 &
    running=$!
    for _ in $(seq 300); do
        address=$(sed -nE 's#.*listening on (http://[0-9.:]+).*#\1#p' "$work/serve.log" | head -n 1)
        [ -z "$address" ] || return 0
        kill -0 "$running" 2>/dev/null || fail "it did not start: $(cat "$work/serve.log")"
        sleep 0.1
    done
    fail "it does not listen: $(cat "$work/serve.log")"
}
stop() {
    kill "$running"
    wait "$running" || fail "it did not stop well: $(cat "$work/serve.log")"
    running=
}
answers() { curl -fsS -H "Authorization: Bearer $key" "$address$1"; }

package=$(./build-deb.sh "$program" "$work" 0.0.1)
dpkg-deb --contents "$package" >"$work/contents"
for file in ./usr/bin/millrace ./lib/systemd/system/millrace.service ./etc/millrace/millrace.env ./usr/share/doc/millrace/operating.md ./usr/share/doc/millrace/millrace.cdx.json; do
    grep -q " $file\$" "$work/contents" || fail "the package lacks $file"
done
manage --install "$package"
# Every package that is built in is listed with its licence, and every one of a registry of crates with its digest.
jq -e '.specVersion == "1.6" and (["axum", "rustls", "react"] - [.components[].name] == [])
    and all(.components[]; .licenses != []) and ([.dependencies[].dependsOn[]] - [.components[]."bom-ref"] == [])
    and all(.components[] | select(.purl | startswith("pkg:cargo"))
        | select(.name | IN("connect", "connectors", "engine", "simulators") | not); .hashes != null)' \
    "$root/usr/share/doc/millrace/millrace.cdx.json" >/dev/null || fail 'the bill of materials lacks something'
grep -q '^millrace:' "$root/etc/passwd" || fail 'there is no user millrace'
grep -q 'nologin' "$root/etc/passwd" || fail 'the user can sign in'
[ "$(stat -c %a "$root/var/lib/millrace")" = 700 ] || fail 'the data folder is open to others'
grep -q 'millrace-as-service init' "$work/dpkg.out" || fail "nobody is told what to type: $(cat "$work/dpkg.out")"

# The settings as installed, with the folder before every path.
sed -e "s#=/var/lib#=$root/var/lib#" -e 's#127.0.0.1:8080#127.0.0.1:0#' "$root/etc/millrace/millrace.env" >"$work/env"
key=$(installed --json init | sed -nE 's/.*"administrator_key": *"([^"]+)".*/\1/p')
[ -n "$key" ] || fail 'init showed no key'
[ -e "$root/var/lib/millrace-key/millrace.key" ] && [ -e "$root/var/lib/millrace/millrace.db" ] || fail 'key and database are not apart'
start
answers /api/v1/merchants | grep -qx '{"items":\[\]}' || fail 'a new installation has merchants'
curl -fsS -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"name":"Acme"}' "$address/api/v1/merchants" >/dev/null
# The first administrator comes in by the link that was printed, and then by name and password.
link=$(sed -nE 's|.*/setup#(mrl_[0-9a-f]+).*|\1|p' "$work/serve.log" | head -n 1)
[ -n "$link" ] || fail "no link for the first administrator: $(cat "$work/serve.log")"
says() { curl -fsS -c "$work/cookies" -H 'Content-Type: application/json' -d "$2" "$address$1" >/dev/null || fail "$1 was refused"; }
who='"email":"first@example.com","password":"seventeen quiet otters"'
says /api/v1/links/redeem "{\"token\":\"$link\",\"name\":\"First\",$who}"
rm "$work/cookies"
says /api/v1/session "{$who}"
curl -fsS -b "$work/cookies" "$address/api/v1/session" | grep -q first@example.com || fail 'nobody is signed in'
installed backup --to "$work/backup.db" >/dev/null

# Upgrade under way: the running program goes on with what it has, the next one takes over.
manage --install "$(./build-deb.sh "$program" "$work" 0.0.2)"
stop
start
answers /api/v1/merchants | grep -q Acme || fail 'the upgrade lost a merchant'
stop
# What is changed by hand stays.
echo '# by hand' >>"$root/etc/millrace/millrace.env"
manage --force-confold --install "$(./build-deb.sh "$program" "$work" 0.0.3)"
grep -q '# by hand' "$root/etc/millrace/millrace.env" || fail 'the upgrade overwrote the settings'

# The packages above hold one program. So that an upgrade has something to bring up to date, the data becomes what a program of
# long ago would have left: tables as the first nine steps make them, with what is there now.
data=$root/var/lib/millrace/millrace.db old=$work/old.db steps=../crates/millrace/migrations/sqlite
{
    echo 'CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
        installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL,
        execution_time BIGINT NOT NULL);'
    for step in "$steps"/000[1-9]_*.sql; do
        name=$(basename "$step" .sql)
        cat "$step"
        echo "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
            VALUES ($((10#${name%%_*})), '${name#*_}', 1, X'$(sha384sum "$step" | cut -d ' ' -f 1)', 1);"
    done
} | sqlite3 -bail "$old"
for table in installation tenant merchant person api_key event audit; do
    columns=$(sqlite3 "$old" "SELECT group_concat(name) FROM pragma_table_info('$table')")
    sqlite3 -bail "$old" "ATTACH '$data' AS now; INSERT INTO main.$table ($columns) SELECT $columns FROM now.$table;"
done
rm -f "$data"-wal "$data"-shm
cat "$old" >"$data"
start
answers /api/v1/merchants | grep -q Acme || fail 'a merchant was lost on the way from the tables of step 9'
says /api/v1/session "{$who}"
[ "$(sqlite3 "$data" 'SELECT max(version) FROM _sqlx_migrations')" = "$(find "$steps" -name '*.sql' | wc -l)" ] \
    || fail 'the tables of step 9 were not brought up to date'
stop

installed restore "$work/backup.db" --replace >/dev/null
start
answers /api/v1/merchants | grep -q Acme || fail 'the backup lacks a merchant'
answers /api/v1/safety | grep -q '"frozen":true' || fail 'a restored database sends'
stop
manage --purge millrace
[ ! -e "$root/usr/bin/millrace" ] || fail 'the program stays'
[ -e "$root/var/lib/millrace/millrace.db" ] || fail 'a purge deleted the data'

if command -v systemd-analyze >/dev/null 2>&1; then
    # Its program is not installed here; everything else of the unit must be right.
    told=$(systemd-analyze verify ./millrace.service 2>&1 | grep -v 'is not executable\|Failed to \(prepare\|load\)\|^$' | grep 'millrace.service' || true)
    [ -z "$told" ] || fail "systemd says of the unit: $told"
    exposure=$(systemd-analyze security --offline=true --threshold=20 ./millrace.service 2>&1 | tail -n 1) \
        || fail "the unit is open: $exposure"
    echo "${exposure#→ }"
fi
echo 'The package installs, starts, is signed in to, backs up, upgrades, restores and is removed.'
