//! Hashing passwords: slow by intent, so off the threads that answer, and only so many at a time.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use connect::{Random, Secret};
use tokio::sync::Semaphore;

/// Argon2id with the least that OWASP recommends: 19 MiB, two passes, one lane (security control 1).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Hashes at one time, 19 MiB each: signing in never takes the machine from the work.
const AT_ONCE: usize = 2;

/// Hashes that wait for their turn. More are refused at once: whoever waits longer has gone away.
const WAITING: usize = 32;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// Too many wait already.
    #[error("too many people sign in at the moment")]
    Busy,
    /// A fault of the program, or a stored hash that is none.
    #[error("a password could not be hashed")]
    Broken,
}

/// Hashes and compares passwords. Cheap to clone; all clones share their turns.
#[derive(Clone)]
pub struct Hashing {
    inner: Arc<Inner>,
}

struct Inner {
    random: Arc<dyn Random>,
    turns: Semaphore,
    places: Semaphore,
    checks: AtomicU64,
    /// Stands in for the hash of somebody who does not exist.
    nobody: OnceLock<String>,
}

impl Hashing {
    /// With this randomness for salts.
    pub fn new(random: Arc<dyn Random>) -> Self {
        let inner = Inner {
            random,
            turns: Semaphore::new(AT_ONCE),
            places: Semaphore::new(AT_ONCE + WAITING),
            checks: AtomicU64::new(0),
            nobody: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A password as it is kept: PHC text with its parameters and a salt of its own.
    ///
    /// # Errors
    /// When too many wait.
    pub async fn hash(&self, password: &Secret) -> Result<String, HashingError> {
        let (inner, password) = (Arc::clone(&self.inner), password.clone());
        self.in_turn(move || hash(&*inner.random, &password)).await
    }

    /// Whether it is this password. Without a hash (nobody has this name) the answer is no, and takes as long.
    ///
    /// # Errors
    /// When too many wait, or the hash is none.
    pub async fn is(&self, password: &Secret, kept: Option<String>) -> Result<bool, HashingError> {
        let (inner, password) = (Arc::clone(&self.inner), password.clone());
        self.in_turn(move || {
            inner.checks.fetch_add(1, Ordering::Relaxed);
            let known = kept.is_some();
            let kept = match kept {
                Some(kept) => kept,
                None => inner.nobody(),
            };
            let kept = PasswordHash::new(&kept).map_err(|_| HashingError::Broken)?;
            Ok(argon2()?.verify_password(password.expose().as_bytes(), &kept).is_ok() && known)
        })
        .await
    }

    /// Makes ready what the first comparison with nobody needs, so that it takes no longer than later ones.
    ///
    /// # Errors
    /// When too many wait.
    pub async fn prepare(&self) -> Result<(), HashingError> {
        let inner = Arc::clone(&self.inner);
        self.in_turn(move || {
            inner.nobody();
            Ok(())
        })
        .await
    }

    /// How many comparisons were made since the start.
    pub fn checks(&self) -> u64 {
        self.inner.checks.load(Ordering::Relaxed)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let _place = self.inner.places.try_acquire().map_err(|_| HashingError::Busy)?;
        let _turn = self.inner.turns.acquire().await.map_err(|_| HashingError::Broken)?;
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(HashingError::Broken))
    }
}

impl Inner {
    fn nobody(&self) -> String {
        // A password that nobody can give: it is drawn and forgotten.
        let hashed = || {
            let mut bytes = [0_u8; 32];
            self.random.fill(&mut bytes);
            hash(&*self.random, &Secret::new(bytes.map(|byte| format!("{byte:02x}")).concat())).unwrap_or_default()
        };
        self.nobody.get_or_init(hashed).clone()
    }
}

fn argon2() -> Result<Argon2<'static>, HashingError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashingError::Broken)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(random: &dyn Random, password: &Secret) -> Result<String, HashingError> {
    let mut salt = [0_u8; 16];
    random.fill(&mut salt);
    let hashed: argon2::password_hash::phc::PasswordHash =
        argon2()?.hash_password_with_salt(password.expose().as_bytes(), &salt).map_err(|_| HashingError::Broken)?;
    Ok(hashed.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use connect::{OsRandom, Secret};

    use super::{Hashing, HashingError};

    #[tokio::test]
    async fn the_parameters_are_those_of_the_security_table() {
        let hashing = Hashing::new(Arc::new(OsRandom));
        let password = Secret::new("ÄÖÜßéèê漢字 and 64 or more characters, counted as a person counts them");
        let kept = hashing.hash(&password).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, hashing.hash(&password).await.unwrap(), "a salt of its own");
        assert!(hashing.is(&password, Some(kept.clone())).await.unwrap());
        assert!(!hashing.is(&Secret::new("another"), Some(kept)).await.unwrap());
        assert!(!hashing.is(&password, None).await.unwrap());
        assert_eq!(hashing.checks(), 3);
        assert_eq!(hashing.is(&password, Some("none".to_owned())).await, Err(HashingError::Broken));
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let hashing = Hashing::new(Arc::new(OsRandom));
        let tasks: Vec<_> = (0..60)
            .map(|_| {
                let hashing = hashing.clone();
                tokio::spawn(async move { hashing.is(&Secret::new("x"), None).await })
            })
            .collect();
        let (mut answered, mut busy) = (0, 0);
        for task in tasks {
            match task.await.unwrap() {
                Err(HashingError::Busy) => busy += 1,
                answer => {
                    assert_eq!(answer, Ok(false));
                    answered += 1;
                }
            }
        }
        assert_eq!((answered, busy), (34, 26));
        assert_eq!(hashing.is(&Secret::new("x"), None).await, Ok(false), "places are given back");
    }
}
