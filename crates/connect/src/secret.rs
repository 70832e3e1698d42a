//! A text that must not be shown.

use secrecy::{ExposeSecret, SecretString};

/// A password, key or token. It has no `Debug`, `Display` or `Serialize`, so it cannot reach a log line, an error text or
/// an answer by accident; its memory is wiped when it is dropped.
///
/// ```
/// let key = connect::Secret::new("k");
/// assert!(!key.is_empty());
/// ```
///
/// What would write it down does not compile:
///
/// ```compile_fail,E0277
/// println!("{}", connect::Secret::new("k"));
/// ```
///
/// ```compile_fail,E0277
/// println!("{:?}", connect::Secret::new("k"));
/// ```
///
/// ```compile_fail,E0277
/// serde_json::to_string(&connect::Secret::new("k"));
/// ```
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
