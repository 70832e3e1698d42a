#!/bin/sh
# How small kept order documents become: plain zlib, zlib with a preset dictionary, zstd with a trained one.
# The dictionaries are made from the first half of the documents and measured on the second.
# Needs python3 and zstd; apt-get install python3 zstd
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo run --quiet -p millrace --example kept_payloads -- "$folder/all" 1000
mkdir "$folder/train" "$folder/test"
ls "$folder/all" | head -n 500 | while read -r name; do cp "$folder/all/$name" "$folder/train/"; done
ls "$folder/all" | tail -n 500 | while read -r name; do cp "$folder/all/$name" "$folder/test/"; done
echo
python3 - "$folder" <<'PYTHON'
import pathlib, re, subprocess, sys, zlib
folder = pathlib.Path(sys.argv[1])
train = [p.read_bytes() for p in sorted((folder / "train").iterdir())]
test = sorted((folder / "test").iterdir())
documents = [p.read_bytes() for p in test]
def zlib_size(level, dictionary=b""):
    total = 0
    for document in documents:
        packer = zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary) if dictionary else zlib.compressobj(level)
        total += len(packer.compress(document)) + len(packer.flush())
    return total // len(documents)
def zstd_size(*options):
    packed = folder / "packed"
    subprocess.run(["rm", "-rf", packed], check=True)
    packed.mkdir()
    subprocess.run(["zstd", "-q", "--no-check", *options, "--output-dir-flat", packed, *test], check=True)
    sizes = [p.stat().st_size for p in packed.iterdir()]
    return sum(sizes) // len(sizes)
preset = b"".join(train)[-32768:]
# Names of fields and words of the form only, without anything a shop or a customer wrote.
written = r'"(line1|line2|name|company|city|state|postcode|country|phone|email|sku|reference|amount|quantity)":"[^"]*"'
structure = re.sub(r":\d+,", ":0,", re.sub(written, r'"\1":""', train[0].decode())).encode()
subprocess.run(["zstd", "-q", "--train", "--maxdict=16384", *sorted((folder / "train").iterdir()), "-o", folder / "dictionary"], check=True)
print("| second half, with other ways | bytes per order |")
print("|---|---|")
print(f"| plain JSON | {sum(map(len, documents)) // len(documents)} |")
print(f"| zlib, level 1 | {zlib_size(1)} |")
print(f"| zlib, level 6 | {zlib_size(6)} |")
print(f"| zlib, level 6, preset dictionary of the form alone ({len(structure)} bytes) | {zlib_size(6, structure)} |")
print(f"| zlib, level 6, preset dictionary of 32 KiB of other orders | {zlib_size(6, preset)} |")
print(f"| zstd, level 3 | {zstd_size('-3')} |")
print(f"| zstd, level 3, trained dictionary of 16 KiB of other orders | {zstd_size('-3', '-D', str(folder / 'dictionary'))} |")
PYTHON
