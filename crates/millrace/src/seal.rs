//! Envelope encryption: each tenant's secrets are sealed with a data key of its own, and data keys are wrapped by a key that
//! lives outside the database.
//!
//! What is sealed is bound to its place ([`Place`]): moved to another row, field, version or tenant it does not open (X2).
//! Changing the outer key wraps the data keys again and touches no secret.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use connect::{Random, Secret};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The environment variable that holds the outer key.
pub const VARIABLE: &str = "MILLRACE_KEY";

const KEY: usize = 32;
const NONCE: usize = 24;

/// Form of what is sealed; the first byte.
const FORM: u8 = 1;

/// What keeps secrets from being sealed or opened. It never says what is inside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No outer key was given.
    #[error("no key for the secrets: set {VARIABLE}, or name a key file; `millrace init` makes one")]
    NoKey,
    /// The key file cannot be read.
    #[error("the key file {path} cannot be read: {why}")]
    Unreadable {
        /// Its path.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The text is not a key.
    #[error("line {0} of the key is not 32 bytes in base64 or hex")]
    NotAKey(usize),
    /// Wrapped by a key that was not given.
    #[error(
        "the secrets are locked with the key {0}, which was not given: add it as a further line, after the new one"
    )]
    UnknownKey(String),
    /// Damaged, moved to another place, or sealed with another key.
    #[error("a sealed secret does not open: it is damaged, or was moved from another place")]
    DoesNotOpen,
}

/// Where the outer key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The environment variable [`VARIABLE`] where it is set, else this file.
    EnvironmentOr(PathBuf),
    /// This file.
    File(PathBuf),
}

/// The outer keys: the first one wraps, all of them unwrap. A key that is being replaced stays as a further line until
/// everything is wrapped anew. Where they come from a file, it is read again when another process has put a new one in it.
#[derive(Clone)]
pub struct Keyring {
    /// Shared by all clones.
    keys: Arc<RwLock<Keys>>,
    file: Option<PathBuf>,
}

struct Keys {
    current: String,
    all: BTreeMap<String, Zeroizing<[u8; KEY]>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("current", &self.current()).finish_non_exhaustive()
    }
}

/// Where a secret is kept: part of what authenticates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Id of the store or warehouse.
    pub object: &'a str,
    /// Which of its settings.
    pub field: &'a str,
    /// Grows with every change.
    pub version: i64,
}

/// A tenant's data key, unwrapped.
pub struct DataKey(Zeroizing<[u8; KEY]>);

/// A data key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which outer key wraps it.
    pub wrapped_by: String,
    /// The wrapped bytes.
    pub bytes: Vec<u8>,
}

impl Keyring {
    /// Reads the outer keys.
    ///
    /// # Errors
    /// When there is none, or it is not a key.
    pub fn load(source: &KeySource) -> Result<Self, SealError> {
        let path = match source {
            KeySource::EnvironmentOr(path) => {
                if let Some(text) = std::env::var(VARIABLE).ok().map(Zeroizing::new).filter(|text| !text.is_empty()) {
                    return Self::parse(&text);
                }
                path
            }
            KeySource::File(path) => path,
        };
        match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => Ok(Self { file: Some(path.clone()), ..Self::parse(&text)? }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SealError::NoKey),
            Err(error) => Err(SealError::Unreadable { path: path.display().to_string(), why: error.to_string() }),
        }
    }

    /// Reads keys from text, one per line, the wrapping one first. Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// When there is none, or a line is not a key.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let mut keys = BTreeMap::new();
        let mut current = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = key_bytes(line).ok_or(SealError::NotAKey(number + 1))?;
            let name = key_name(&key);
            current.get_or_insert_with(|| name.clone());
            keys.insert(name, key);
        }
        let current = current.ok_or(SealError::NoKey)?;
        Ok(Self { keys: Arc::new(RwLock::new(Keys { current, all: keys })), file: None })
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the file holds now. A file that cannot be read, or holds no key, changes nothing.
    pub fn read_again(&self) {
        let Some(file) = &self.file else { return };
        match Self::load(&KeySource::File(file.clone())).map(|fresh| Arc::into_inner(fresh.keys)) {
            Ok(Some(fresh)) => {
                let fresh = fresh.into_inner().unwrap_or_else(PoisonError::into_inner);
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("the key file is not read again: {error}"),
        }
    }

    /// A new outer key, as the line to keep.
    pub fn generate(random: &dyn Random) -> Zeroizing<String> {
        let mut key = Zeroizing::new([0_u8; KEY]);
        random.fill(&mut *key);
        Zeroizing::new(STANDARD.encode(*key))
    }

    /// The name of the key that wraps; it tells nothing about the key.
    pub fn current(&self) -> String {
        self.keys().current.clone()
    }

    /// Whether it holds the key of this name.
    pub fn has(&self, name: &str) -> bool {
        self.keys().all.contains_key(name)
    }

    /// Makes a data key for a tenant.
    ///
    /// # Errors
    /// Never in practice; the cipher allows for one.
    pub fn new_data_key(
        &self,
        tenant: &str,
        version: i64,
        random: &dyn Random,
    ) -> Result<(DataKey, WrappedKey), SealError> {
        let mut key = Zeroizing::new([0_u8; KEY]);
        random.fill(&mut *key);
        let key = DataKey(key);
        let wrapped = self.wrap(tenant, version, &key, random)?;
        Ok((key, wrapped))
    }

    /// Wraps a data key with the current outer key.
    ///
    /// # Errors
    /// Never in practice; the cipher allows for one.
    pub fn wrap(
        &self,
        tenant: &str,
        version: i64,
        key: &DataKey,
        random: &dyn Random,
    ) -> Result<WrappedKey, SealError> {
        // It happens once for a tenant, and a key that is about to be taken out of the file must not wrap.
        self.read_again();
        let keys = self.keys();
        let outer = keys.all.get(&keys.current).ok_or(SealError::NoKey)?;
        let bytes = seal_bytes(outer, &wrap_context(tenant, version), &*key.0, random)?;
        Ok(WrappedKey { wrapped_by: keys.current.clone(), bytes })
    }

    /// Unwraps a data key.
    ///
    /// # Errors
    /// When its outer key was not given, or it does not belong to this tenant and version.
    pub fn unwrap(&self, tenant: &str, version: i64, wrapped: &WrappedKey) -> Result<DataKey, SealError> {
        if !self.has(&wrapped.wrapped_by) {
            self.read_again();
        }
        let keys = self.keys();
        let outer =
            keys.all.get(&wrapped.wrapped_by).ok_or_else(|| SealError::UnknownKey(wrapped.wrapped_by.clone()))?;
        let opened = open_bytes(outer, &wrap_context(tenant, version), &wrapped.bytes)?;
        let key = <[u8; KEY]>::try_from(opened.as_slice()).map_err(|_| SealError::DoesNotOpen)?;
        Ok(DataKey(Zeroizing::new(key)))
    }
}

impl DataKey {
    /// Seals a secret to its place.
    ///
    /// # Errors
    /// Never in practice; the cipher allows for one.
    pub fn seal(&self, place: &Place<'_>, secret: &Secret, random: &dyn Random) -> Result<Vec<u8>, SealError> {
        seal_bytes(&self.0, &place.context(), secret.expose().as_bytes(), random)
    }

    /// Opens what was sealed to this place.
    ///
    /// # Errors
    /// When it was sealed to another place or with another key, or is damaged.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, SealError> {
        let opened = open_bytes(&self.0, &place.context(), sealed)?;
        let text = std::str::from_utf8(&opened).map_err(|_| SealError::DoesNotOpen)?;
        Ok(Secret::new(text))
    }
}

impl Place<'_> {
    fn context(&self) -> Vec<u8> {
        context(&["millrace secret", self.tenant, self.object, self.field, &self.version.to_string()])
    }
}

fn wrap_context(tenant: &str, version: i64) -> Vec<u8> {
    context(&["millrace data key", tenant, &version.to_string()])
}

/// The parts with their lengths, so that no two places have the same context.
fn context(parts: &[&str]) -> Vec<u8> {
    let mut context = Vec::new();
    for part in parts {
        context.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.extend(part.as_bytes());
    }
    context
}

fn seal_bytes(key: &[u8; KEY], context: &[u8], content: &[u8], random: &dyn Random) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0_u8; NONCE];
    random.fill(&mut nonce);
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), Payload { msg: content, aad: context })
        .map_err(|_| SealError::DoesNotOpen)?;
    let mut whole = Vec::with_capacity(1 + NONCE + sealed.len());
    whole.push(FORM);
    whole.extend(nonce);
    whole.extend(sealed);
    Ok(whole)
}

fn open_bytes(key: &[u8; KEY], context: &[u8], whole: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (form, rest) = whole.split_first().ok_or(SealError::DoesNotOpen)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(SealError::DoesNotOpen)?;
    if *form != FORM {
        return Err(SealError::DoesNotOpen);
    }
    XChaCha20Poly1305::new(key.into())
        .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: context })
        .map(Zeroizing::new)
        .map_err(|_| SealError::DoesNotOpen)
}

fn key_bytes(line: &str) -> Option<Zeroizing<[u8; KEY]>> {
    let bytes = if line.len() == 2 * KEY && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY));
        for place in (0..line.len()).step_by(2) {
            bytes.push(u8::from_str_radix(line.get(place..place + 2)?, 16).ok()?);
        }
        bytes
    } else {
        Zeroizing::new(STANDARD.decode(line).ok()?)
    };
    <[u8; KEY]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
}

fn key_name(key: &[u8; KEY]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"millrace key name");
    hash.update(key);
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use connect::{OsRandom, Secret};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{KeySource, Keyring, Place, SealError};

    fn place<'a>(tenant: &'a str, object: &'a str, field: &'a str, version: i64) -> Place<'a> {
        Place { tenant, object, field, version }
    }

    /// X2: what is sealed to one place opens in no other.
    #[test]
    fn opens_only_in_its_place() {
        let keyring = Keyring::parse(&Keyring::generate(&OsRandom)).unwrap();
        let (key, wrapped) = keyring.new_data_key("ten_a", 1, &OsRandom).unwrap();
        let home = place("ten_a", "sto_1", "password", 3);
        let sealed = key.seal(&home, &Secret::new("hunter2"), &OsRandom).unwrap();
        assert_eq!(key.open(&home, &sealed).unwrap().expose(), "hunter2");
        for other in [
            place("ten_b", "sto_1", "password", 3),
            place("ten_a", "sto_2", "password", 3),
            place("ten_a", "sto_1", "email", 3),
            place("ten_a", "sto_1", "password", 2),
            // The same letters, cut elsewhere.
            place("ten_a", "sto_1p", "assword", 3),
        ] {
            assert_eq!(key.open(&other, &sealed).err(), Some(SealError::DoesNotOpen));
        }
        assert!(keyring.unwrap("ten_b", 1, &wrapped).is_err());
        assert!(keyring.unwrap("ten_a", 2, &wrapped).is_err());
        assert!(keyring.unwrap("ten_a", 1, &wrapped).is_ok());
    }

    /// A new outer key opens what the old one wrapped for as long as the old one is listed, and not after.
    #[test]
    fn outer_keys_are_replaced() {
        let (old, new) = (Keyring::generate(&OsRandom), Keyring::generate(&OsRandom));
        let before = Keyring::parse(&old).unwrap();
        let (key, wrapped) = before.new_data_key("ten_a", 1, &OsRandom).unwrap();
        let both = Keyring::parse(&format!("# new\n{}\n\n{}\n", *new, *old)).unwrap();
        assert_ne!(both.current(), before.current());
        let again = both.wrap("ten_a", 1, &both.unwrap("ten_a", 1, &wrapped).unwrap(), &OsRandom).unwrap();
        let after = Keyring::parse(&new).unwrap();
        let home = place("ten_a", "sto_1", "password", 1);
        let sealed = key.seal(&home, &Secret::new("s"), &OsRandom).unwrap();
        assert_eq!(after.unwrap("ten_a", 1, &again).unwrap().open(&home, &sealed).unwrap().expose(), "s");
        assert!(matches!(after.unwrap("ten_a", 1, &wrapped), Err(SealError::UnknownKey(_))));
    }

    #[test]
    fn keys_are_read_from_hex_and_base64() {
        let hex = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let base64 = "ABEiM0RVZneImaq7zN3u/wARIjNEVWZ3iJmqu8zd7v8=";
        assert_eq!(Keyring::parse(hex).unwrap().current(), Keyring::parse(base64).unwrap().current());
        assert_eq!(Keyring::parse("# nothing\n").err(), Some(SealError::NoKey));
        assert_eq!(Keyring::parse("\nsecret").err(), Some(SealError::NotAKey(2)));
        assert!(!format!("{:?}", Keyring::parse(hex).unwrap()).contains("0011"));
    }

    proptest! {
        /// Whatever is done to sealed bytes, they open to what went in or not at all.
        #[test]
        fn damage_does_not_open(text in ".{0,200}", place_of_damage in any::<usize>(), mask in 1_u8..) {
            let keyring = Keyring::parse(&Keyring::generate(&OsRandom)).unwrap();
            let (key, _) = keyring.new_data_key("ten_a", 1, &OsRandom).unwrap();
            let home = place("ten_a", "whs_1", "token", 1);
            let mut sealed = key.seal(&home, &Secret::new(text.clone()), &OsRandom).unwrap();
            let opened = key.open(&home, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), text.as_str());
            let at = place_of_damage % sealed.len();
            sealed[at] ^= mask;
            prop_assert!(key.open(&home, &sealed).is_err());
        }
    }

    #[test]
    fn a_key_that_another_process_put_in_the_file_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("millrace.key");
        let lines: Vec<String> = (0..2).map(|_| Keyring::generate(&OsRandom).to_string()).collect();
        std::fs::write(&file, &lines[0]).unwrap();
        let running = Keyring::load(&KeySource::File(file.clone())).unwrap();
        let in_a_task = running.clone();
        let (_, old) = running.new_data_key("t", 1, &OsRandom).unwrap();

        let rotated = Keyring::parse(&format!("{}\n{}", lines[1], lines[0])).unwrap();
        let key = rotated.unwrap("t", 1, &old).unwrap();
        let new = rotated.wrap("t", 1, &key, &OsRandom).unwrap();
        let locked = SealError::UnknownKey(rotated.current());
        assert_eq!(in_a_task.unwrap("t", 1, &new).err(), Some(locked), "it is not in the file yet");
        std::fs::write(&file, format!("{}\n{}", lines[1], lines[0])).unwrap();
        assert!(in_a_task.unwrap("t", 1, &new).is_ok() && running.unwrap("t", 1, &old).is_ok());
        assert_eq!(running.current(), rotated.current(), "what is wrapped from now on is wrapped by the new one");
        // A file that holds no key any more takes none away.
        std::fs::write(&file, "nonsense").unwrap();
        assert!(running.new_data_key("u", 1, &OsRandom).is_ok());
    }
}
