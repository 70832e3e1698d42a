#!/usr/bin/env bash
# Makes a Debian package of a built program: build-deb.sh PROGRAM FOLDER [VERSION]. Prints where it is. Needs dpkg-deb, which
# every Debian has, and what the bill of materials needs (sbom.sh).
set -euo pipefail
program=$1 into=$(realpath "$2")
cd "$(dirname "$0")"
version=${3:-$(sed -n 's/^version = "\(.*\)"/\1/p' ../Cargo.toml | head -n 1)}
architecture=$(dpkg --print-architecture)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

put() { install -D -m "$1" "$2" "$root/$3"; }
put 0755 "$program" usr/bin/millrace
strip --strip-debug "$root/usr/bin/millrace" 2>/dev/null || true
put 0755 millrace-as-service usr/sbin/millrace-as-service
put 0644 millrace.service lib/systemd/system/millrace.service
put 0640 millrace.env etc/millrace/millrace.env
for page in ../docs/*.md ../README.md ../CHANGELOG.md ../SECURITY.md; do put 0644 "$page" "usr/share/doc/millrace/$(basename "$page")"; done
put 0644 ../LICENSE usr/share/doc/millrace/copyright
put 0644 ../openapi.json usr/share/doc/millrace/openapi.json
./sbom.sh >"$root/usr/share/doc/millrace/millrace.cdx.json"
chmod 0644 "$root/usr/share/doc/millrace/millrace.cdx.json"
for script in postinst prerm postrm; do put 0755 "debian/$script" "DEBIAN/$script"; done
echo /etc/millrace/millrace.env >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<CONTROL
Package: millrace
Version: $version
Architecture: $architecture
Maintainer: Millrace maintainers <maintainers@millrace.invalid>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Depends: libc6 (>= 2.36), libgcc-s1, ca-certificates, passwd, util-linux
Suggests: postgresql
Section: net
Priority: optional
Description: hub between Brightpearl and warehouses
 Carries orders from Brightpearl to the warehouse that ships them, and
 shipments, tracking and stock back, each change once.
CONTROL
chmod 0755 "$root"
package=$into/millrace_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zgzip -z1 --build "$root" "$package" >/dev/null
echo "$package"
