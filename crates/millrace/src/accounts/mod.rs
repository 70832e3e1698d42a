//! How people prove who they are: passwords, second factors, the word of an identity provider, and how often that may be tried.
//! Pure, but for [`hashing`], which keeps the slow work off the threads that answer. And how much one of them may ask,
//! and how much of what is refused is written down.

pub mod allowance;
pub mod demand;
pub mod hashing;
pub mod id_token;
pub mod password;
pub mod refusals;
pub mod session;
pub mod throttle;
pub mod totp;
