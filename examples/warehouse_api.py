#!/usr/bin/env python3
"""A warehouse's side of the Millrace Warehouse API: it takes every shipment request and ships all of it.

    MILLRACE_URL=https://millrace.example.com MILLRACE_KEY=mr_... python3 warehouse_api.py

Needs Python 3.9 and nothing else. A request is written down before it is acknowledged, a shipment before it is posted, and
whatever may not have arrived goes again as it was: it may be killed at any line and started again, and nothing ships twice.
"""
import datetime
import http.client
import json
import os
import sqlite3
import time
import urllib.error
import urllib.request

BASE = os.environ["MILLRACE_URL"].rstrip("/") + "/api/v1/desk"
KEY = os.environ["MILLRACE_KEY"]
books = sqlite3.connect(os.environ.get("WMS_DATABASE", "wms.db"), isolation_level=None)
books.executescript("""
    CREATE TABLE IF NOT EXISTS request (name TEXT PRIMARY KEY, lease TEXT, document TEXT, state TEXT);
    CREATE TABLE IF NOT EXISTS post (number INTEGER PRIMARY KEY, path TEXT, body TEXT, done INTEGER DEFAULT 0);
""")


def call(method, path, body=None):
    """One call. What comes back with a status is an answer; no answer at all is an OSError, and tried again later."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": "Bearer " + KEY, "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(BASE + path, data, headers, method=method), timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        problem = json.loads(refused.read() or b"{}")
        if refused.code >= 500 or refused.code == 429:
            raise OSError(problem.get("detail", refused.reason))
        if refused.code in (401, 403):
            raise SystemExit(problem.get("detail", refused.reason))
        return refused.code, problem


def pull():
    """Takes what waits, and writes it down. Known already: its acknowledgement was lost, or it is late."""
    _, pulled = call("POST", "/pull", {"limit": 50})
    for item in pulled["items"]:
        books.execute("INSERT INTO request VALUES (?, ?, ?, 'new') ON CONFLICT DO UPDATE SET lease = excluded.lease, "
                      "state = CASE state WHEN 'gone' THEN 'new' ELSE state END",
                      (item["request"], pulled["lease"], json.dumps(item)))


def acknowledge():
    """Only what is acknowledged with success is ours to ship."""
    for name, lease in books.execute("SELECT name, lease FROM request WHERE state = 'new'").fetchall():
        status, problem = call("POST", f"/requests/{name}/acknowledge", {"lease": lease, "reference": "PY-" + name})
        if status != 200:
            print(name, "is not ours:", problem["detail"])
        books.execute("UPDATE request SET state = ? WHERE name = ?", ("ours" if status == 200 else "gone", name))


def cancels():
    """What has not left is stopped; for the rest it is too late."""
    for item in call("GET", "/requests?state=cancel_asked&limit=500")[1]["items"]:
        name = (item["request"],)
        books.execute("UPDATE request SET state = 'stopped' WHERE name = ? AND state IN ('new', 'ours')", name)
        stopped = books.execute("SELECT state FROM request WHERE name = ?", name).fetchone() == ("stopped",)
        call("POST", f"/requests/{name[0]}/cancel", {"answer": "accepted" if stopped else "too_late"})


def ship():
    """Everything leaves at once, in one box: written down together with the shipment that says so."""
    for name, document in books.execute("SELECT name, document FROM request WHERE state = 'ours'").fetchall():
        asked, now = json.loads(document), datetime.datetime.now(datetime.timezone.utc).isoformat()
        lines = [{key: line[key] for key in ("line", "sku", "quantity")} for line in asked["lines"]]
        shipment = {"id": "SHIP-" + name, "request": name, "shipped_at": now, "carrier": asked["carrier"],
                    "service": asked["service"], "packages": [{"tracking": "TRACK-" + name, "lines": lines}]}
        with books:
            books.execute("BEGIN")
            books.execute("INSERT INTO post (path, body) VALUES ('/shipments', ?)", (json.dumps(shipment),))
            books.execute("UPDATE request SET state = 'shipped' WHERE name = ?", (name,))


def post():
    """In order, and each until it is kept: the second time counts for nothing, because the id is the same. A count of stock
    goes the same way, written down after what left before it: '/stock', {"id": ..., "counted_at": ..., "levels": [...]}."""
    for number, path, body in books.execute("SELECT number, path, body FROM post WHERE done = 0").fetchall():
        status, problem = call("POST", path, json.loads(body))
        if status not in (200, 201):
            print(path, "is refused:", problem["detail"], "\n  ", body)
        books.execute("UPDATE post SET done = 1 WHERE number = ?", (number,))


if __name__ == "__main__":
    while True:
        try:
            for step in (post, cancels, pull, acknowledge, ship, post):
                step()
        except (OSError, ValueError, http.client.HTTPException) as away:
            print("Millrace does not answer, tried again:", away)
        time.sleep(float(os.environ.get("WMS_SECONDS", "5")))
