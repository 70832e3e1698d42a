//! Why an order becomes no request: in words for people, and as causes that can be counted.

use crate::{cause::Cause, order::Disposition};

/// Why an order becomes no request.
pub(super) struct Stop {
    /// What becomes of it instead.
    pub(super) disposition: Disposition,
    /// At least one.
    pub(super) causes: Vec<Cause>,
}

impl Stop {
    /// Not ready.
    pub(super) fn waiting(cause: impl Into<Cause>, why: &str) -> Self {
        Self { disposition: Disposition::Waiting(why.to_owned()), causes: vec![cause.into()] }
    }

    /// Left out.
    pub(super) fn skipped(cause: impl Into<Cause>, why: impl Into<String>) -> Self {
        Self { disposition: Disposition::Skipped(why.into()), causes: vec![cause.into()] }
    }

    /// A person is needed: each problem is said once.
    pub(super) fn held(mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        let words: Vec<&str> = problems.iter().map(|problem| problem.words.as_str()).collect();
        let disposition = Disposition::Held(words.join("; "));
        let mut causes: Vec<Cause> = problems.into_iter().map(|problem| problem.cause).collect();
        causes.sort();
        causes.dedup();
        Self { disposition, causes }
    }
}

/// Something that a person mends. In the order of its words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    words: String,
    cause: Cause,
}

impl Problem {
    /// Of this cause, in these words.
    pub(super) fn new(cause: impl Into<Cause>, words: String) -> Self {
        Self { words, cause: cause.into() }
    }
}
