#!/usr/bin/env bash
# Prints the bill of materials of the program: a CycloneDX 1.6 document of every package that is built into it, with version, licence,
# digest and what it depends on. From the lock files, through `cargo metadata` and jq: no network, and the same bytes every time.
#
# What only tests and the build of the browser app need is not in the program, so it is not in the document either.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v jq >/dev/null 2>&1 || { echo 'This needs jq. Type:  apt-get install -y --no-install-recommends jq' >&2; exit 1; }
target=$(rustc -vV | sed -n 's/^host: //p')

# name, version and SHA-256 of each crate of a registry, as Cargo.lock has them.
digests=$(awk -F'"' '
    /^\[\[package\]\]/ { name = version = "" }
    /^name = / { name = $2 }
    /^version = / { version = $2 }
    /^checksum = / { printf "%s %s %s\n", name, version, $2 }' Cargo.lock | jq -R -s '
    split("\n") | map(select(. != "") | split(" ") | { key: "\(.[0])@\(.[1])", value: .[2] }) | from_entries')

cargo metadata --locked --offline --format-version 1 --filter-platform "$target" | jq --argjson digests "$digests" \
    --slurpfile lock web/package-lock.json '
    # Licences as SPDX writes them; older crates have a slash for OR.
    def licences: if . == null then [] else [{ expression: gsub("\\s*/\\s*"; " OR ") }] end;
    (.packages | map({ key: .id, value: . }) | from_entries) as $packages
    | (.resolve.nodes | map({ key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind != "dev")) | .pkg] }) | from_entries) as $needs
    | (.packages[] | select(.name == "millrace" and .source == null) | .id) as $root
    | def reach($found; $next): if $next == [] then $found else
        ($next | map($needs[.] // []) | add | unique | map(select($found[.] == null))) as $new
        | reach($found + ($new | map({ key: ., value: true }) | from_entries); $new) end;
      reach({ ($root): true }; [$root]) as $built
    | def ref: $packages[.] | "pkg:cargo/\(.name)@\(.version)";
      ($built | keys | map(select(. != $root)) | sort_by(ref)) as $crates
    | ($lock[0].packages | to_entries | map(select(.key != "" and (.value.dev // false | not) and (.value.optional // false | not))
        | { name: (.key | sub("^.*node_modules/"; "")), version: .value.version, license: .value.license, integrity: .value.integrity })
        | unique_by([.name, .version])) as $scripts
    | {
        bomFormat: "CycloneDX",
        specVersion: "1.6",
        version: 1,
        metadata: { component: ($packages[$root] | {
            type: "application", "bom-ref": ($root | ref), name, version, purl: ($root | ref), licenses: (.license | licences) }) },
        components: (
            [$crates[] | ref as $ref | $packages[.] | {
                type: "library", "bom-ref": $ref, name, version, purl: $ref, licenses: (.license | licences) }
                + (if $digests["\(.name)@\(.version)"] then
                    { hashes: [{ alg: "SHA-256", content: $digests["\(.name)@\(.version)"] }] } else {} end)]
            + [$scripts[] | ("pkg:npm/\(.name | sub("^@"; "%40"))@\(.version)") as $ref | {
                type: "library", "bom-ref": $ref, name, version, purl: $ref, licenses: (.license | licences) }]),
        dependencies: [$built | keys | sort_by(ref)[] | { ref: ref, dependsOn: ($needs[.] // [] | map(ref) | unique) }]
      }'
