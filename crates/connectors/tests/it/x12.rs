//! X12: reading, writing, and the warehouse that is driven with it.

mod documents;
mod exchange;
mod fixtures;
mod mixed;
mod profile;
mod validator;

use std::path::{Path, PathBuf};

use connectors::x12::{Interchange, Set, read};

/// The sample documents of the project.
pub fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/x12")
}

pub fn sample(name: &str) -> Vec<u8> {
    let path = samples().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The only interchange of a document.
pub fn one(content: &[u8]) -> Interchange {
    let mut interchanges = read(content).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(interchanges.len(), 1, "one interchange");
    interchanges.remove(0)
}

/// The only set of a document.
pub fn set(content: &[u8]) -> Set {
    let interchange = one(content);
    let mut sets: Vec<Set> = interchange.sets().map(|(_, set)| set.clone()).collect();
    assert_eq!(sets.len(), 1, "one set");
    sets.remove(0)
}
