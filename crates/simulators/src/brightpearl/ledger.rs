//! What was done to the simulator, kept apart from every client's own records.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// A request that asked for a change, or an edit by hand.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerEntry {
    /// Counts from 1 over all accounts.
    pub sequence: u64,
    /// When it was worked on.
    pub at: Timestamp,
    /// Account code.
    pub account: String,
    /// The id of the answer's `Ruid` header.
    pub ruid: String,
    /// `staff {e-mail}`, `app {reference}`, or `by hand`.
    pub caller: String,
    /// HTTP method; `HAND` for edits by hand.
    pub method: String,
    /// Path without the account, or the name of the edit.
    pub path: String,
    /// Name of the message.
    pub message_type: String,
    /// Orders it changed.
    pub orders: Vec<i64>,
    /// Goods-out and goods-in notes it made or changed.
    pub notes: Vec<i64>,
    /// Request body, if it was JSON.
    pub body: Option<Value>,
    /// Status of the answer; 0 for edits by hand.
    pub status: u16,
    /// Whether anything changed.
    pub took_effect: bool,
}

/// A request of any kind.
#[derive(Clone, Debug, Serialize)]
pub struct RequestRecord {
    /// When it was worked on.
    pub at: Timestamp,
    /// Account code of the path.
    pub account: String,
    /// The id of the answer's `Ruid` header.
    pub ruid: String,
    /// HTTP method.
    pub method: String,
    /// Path and query as they were sent.
    pub url: String,
    /// Name of the message.
    pub message_type: String,
    /// Status of the answer.
    pub status: u16,
    /// Header names and values as they were sent.
    pub headers: Vec<(String, String)>,
}

/// Everything that was asked and done.
pub(crate) struct Ledger {
    next: u64,
    pub(crate) entries: Vec<LedgerEntry>,
    pub(crate) requests: VecDeque<RequestRecord>,
    keep_requests: usize,
    pub(crate) calls: BTreeMap<(String, String, String), u64>,
    pub(crate) throttled: BTreeMap<String, u64>,
    window: BTreeMap<String, VecDeque<Timestamp>>,
    pub(crate) busiest: BTreeMap<String, usize>,
}

impl Ledger {
    /// Keeps at most `keep_requests` requests; counters and entries are complete.
    pub(crate) fn new(keep_requests: usize) -> Self {
        Self {
            next: 1,
            entries: Vec::new(),
            requests: VecDeque::new(),
            keep_requests,
            calls: BTreeMap::new(),
            throttled: BTreeMap::new(),
            window: BTreeMap::new(),
            busiest: BTreeMap::new(),
        }
    }

    pub(crate) fn enter(&mut self, mut entry: LedgerEntry) {
        entry.sequence = self.next;
        self.next += 1;
        self.entries.push(entry);
    }

    /// Counts a request; `window` is the length of the throttle window it is part of.
    pub(crate) fn request(&mut self, record: RequestRecord, throttled: bool, window: Option<jiff::SignedDuration>) {
        let key = (record.account.clone(), record.method.clone(), record.message_type.clone());
        *self.calls.entry(key).or_insert(0) += 1;
        if throttled {
            *self.throttled.entry(record.account.clone()).or_insert(0) += 1;
        }
        if let Some(window) = window {
            let recent = self.window.entry(record.account.clone()).or_default();
            recent.push_back(record.at);
            while recent.front().is_some_and(|oldest| record.at.duration_since(*oldest) >= window) {
                recent.pop_front();
            }
            let busiest = self.busiest.entry(record.account.clone()).or_insert(0);
            *busiest = (*busiest).max(recent.len());
        }
        if self.keep_requests > 0 {
            if self.requests.len() >= self.keep_requests {
                self.requests.pop_front();
            }
            self.requests.push_back(record);
        }
    }
}
