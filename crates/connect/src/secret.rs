//! A text that must not be shown.

use secrecy::{ExposeSecret, SecretString};

/// A password, key or token. It has no `Debug`, `Display` or `Serialize`, so it cannot reach a log line, an error text or
/// an answer by accident; its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The text itself, for the one place that sends it or seals it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }
}
