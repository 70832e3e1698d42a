//! The link of `millrace demo`, which signs the person in that the demo made itself: once, soon, and without the button. No other
//! command makes one, so a program that serves has neither the link nor the address that would take it. Why so:
//! docs/decisions/0039.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use connect::{Clock, Random, Secret};
use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use super::{
    Failure, Hub, keys,
    links::{self, LinkIn},
    sign_in::{self, Begun, Proved, Visitor},
};

/// How long the link signs somebody in: whoever starts a demo looks at it then.
pub const LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What the program of a demo knows of its link. It is in memory only.
#[derive(Debug)]
pub struct DemoLink {
    /// Whom it signs in.
    email: String,
    /// SHA-256 of its token, hex.
    hash: String,
    ends_at: Timestamp,
    used: AtomicBool,
}

impl DemoLink {
    /// Draws one for this person. The token is shown once, by the demo.
    pub fn draw(email: &str, random: &dyn Random, clock: &dyn Clock) -> (Arc<Self>, Secret) {
        let token = keys::token(links::PREFIX, random);
        let now = clock.now();
        let link = Self {
            email: email.to_owned(),
            hash: keys::hash(&token),
            ends_at: now.saturating_add(LIFE).unwrap_or(now),
            used: AtomicBool::new(false),
        };
        (Arc::new(link), Secret::new(token))
    }

    /// Whether this is its token, and for the first time.
    fn takes(&self, token: &Secret, now: Timestamp) -> bool {
        let right = bool::from(keys::hash(token.expose()).as_bytes().ct_eq(self.hash.as_bytes()));
        right && now < self.ends_at && !self.used.swap(true, Ordering::SeqCst)
    }
}

/// Signs the demo's person in.
///
/// # Errors
/// When it is another token, or it was used or has ended; all of them alike.
pub async fn come_in(hub: &Hub, visitor: &Visitor, given: &LinkIn) -> Result<Begun, Failure> {
    let link = hub.config.demo.as_ref().ok_or_else(links::gone)?;
    if !link.takes(&given.token.0, hub.seams.clock.now()) {
        return Err(links::gone());
    }
    // Whoever has set up a second factor in a demo is asked for it, at the form.
    let known = hub.db.person_by_email(None, &link.email).await?;
    let (person, hash) = known.filter(|(person, _)| person.factor_since.is_none()).ok_or_else(links::gone)?;
    sign_in::begin(hub, visitor, person, &hash, Proved::Demo).await
}
