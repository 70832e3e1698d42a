#!/usr/bin/env bash
# Runs the container as its file says: check-container.sh PROGRAM. The last stage of the Containerfile is built with PROGRAM in the place
# of what the first two stages build, on a Debian made here from its packages, so that no registry of images is needed; then it is
# set up, started, asked, stopped and started again with the options that stand at the top of that file.
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
fail() { printf '%s\n' "$*" >&2; exit 1; }
for tool in podman runc mmdebstrap curl jq; do
    command -v "$tool" >/dev/null || fail "$tool is missing. Type:  sudo apt-get install podman runc mmdebstrap curl jq"
done
work=$(mktemp -d)
# Its own images and containers, which go with the folder.
engine() { podman --root "$work/images" --runroot "$work/run" --storage-driver vfs --runtime runc "$@"; }
trap 'engine rm --all --force >/dev/null 2>&1 || true; engine rmi --all --force >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

mmdebstrap --quiet --variant=minbase bookworm "$work/debian.tar"
engine import --quiet "$work/debian.tar" docker.io/library/debian:12-slim >/dev/null
mkdir "$work/context"
cp "$program" "$work/context/millrace"
tac Containerfile | sed '/^FROM /q' | tac | sed 's#^COPY --from=build [^ ]*/millrace #COPY millrace #' >"$work/context/Containerfile"
grep -q '^COPY millrace /usr/bin/millrace$' "$work/context/Containerfile" || fail 'the last stage takes something else than the program'
engine build --quiet --isolation chroot --network host --pull-never -t millrace "$work/context" >"$work/build.log" 2>&1 \
    || fail "it is not built: $(cat "$work/build.log")"

mkdir "$work/data" "$work/key"
chown 10001:10001 "$work/data" "$work/key"
chmod 700 "$work/data" "$work/key"
# The options of the file's head; the network is this machine's, and the limits are no higher than they are here.
run() {
    engine run --rm --read-only --cap-drop=all --security-opt=no-new-privileges --network host --ulimit nofile=1000:1000 \
        --ulimit nproc=900:900 --env MILLRACE_LISTEN=127.0.0.1:0 -v "$work/data:/data" -v "$work/key:/key" "$@"
}
key=$(run millrace init --json | jq -er .administrator_key) || fail 'init gives no key'
start() {
    run --name hub millrace >"$work/serve.log" 2>&1 &
    for _ in $(seq 300); do
        address=$(sed -nE 's#.*listening on (http://[0-9.:]+).*#\1#p' "$work/serve.log" | head -n 1)
        [ -z "$address" ] || return 0
        sleep 0.1
    done
    fail "it does not listen: $(cat "$work/serve.log")"
}
answers() { curl -fsS -H "Authorization: Bearer $key" "$address$1"; }

start
answers /readyz >/dev/null || fail 'it is not ready'
curl -fsS -X POST -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{"name":"Kept"}' "$address/api/v1/merchants" >/dev/null
process=$(engine inspect --format '{{.State.Pid}}' hub)
grep -qP '^Uid:\t10001\t10001\t10001\t10001$' "/proc/$process/status" || fail 'it runs as somebody else'
grep -qP '^CapEff:\t0000000000000000$' "/proc/$process/status" || fail 'it has rights that it does not need'
grep -qP '^NoNewPrivs:\t1$' "/proc/$process/status" || fail 'it could get rights'
engine exec hub sh -c 'echo >/usr/bin/mine' 2>/dev/null && fail 'the rest of it can be written'
engine exec hub sh -c 'echo >/data/mine && rm /data/mine' || fail 'its data folder cannot be written'
engine stop --time 30 hub >/dev/null
wait
grep -q 'panicked' "$work/serve.log" && fail "it did not stop well: $(cat "$work/serve.log")"
start
answers /api/v1/merchants | jq -e '[.items[].name] == ["Kept"]' >/dev/null || fail 'what it kept is gone'
engine stop --time 30 hub >/dev/null
wait
[ "$(stat -c %u "$work/data/millrace.db")" = 10001 ] || fail 'its database belongs to somebody else'
echo 'The container was built, set up, started, asked, stopped and started again, without rights and with nothing to write but its two folders.'
