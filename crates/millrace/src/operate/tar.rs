//! Files in a row, as every system unpacks them: the ustar format (POSIX.1-1988), written only. A head of 512 bytes, the content, and
//! zeroes up to the next multiple of 512; two empty heads end it.

use jiff::Timestamp;

/// What heads and contents are rounded up to.
const BLOCK: usize = 512;

/// What stands behind the last file.
pub(super) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

static ZEROES: [u8; BLOCK] = [0; BLOCK];

/// The head of a file, readable for its owner only.
///
/// # Errors
/// When the name is longer than 100 bytes, or the content than 8 GiB: more does not fit.
pub(super) fn head(name: &str, bytes: usize, at: Timestamp) -> Result<Vec<u8>, String> {
    if name.is_empty() || name.len() > 100 {
        return Err(format!("the name {name:?} does not fit into a tar archive"));
    }
    let octal = |number: u64, digits: usize| format!("{number:0digits$o}");
    let size = octal(u64::try_from(bytes).unwrap_or(u64::MAX), 11);
    if size.len() > 11 {
        return Err(format!("{name} is too large for a tar archive"));
    }
    let changed = octal(u64::try_from(at.as_second()).unwrap_or(0), 11);
    let mut head = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        head.extend_from_slice(text.as_bytes());
        head.resize(head.len() + width.saturating_sub(text.len()), 0);
    };
    field(name, 100);
    field("0000600", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&size, 12);
    field(&changed, 12);
    // The checksum is worked out with blanks in its own place.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("", 64);
    field("0000000", 8);
    field("0000000", 8);
    field("", 167);
    let sum: u64 = head.iter().map(|byte| u64::from(*byte)).sum();
    let sum = format!("{}\0 ", octal(sum, 6));
    for (place, byte) in head.iter_mut().skip(148).zip(sum.bytes()) {
        *place = byte;
    }
    Ok(head)
}

/// What stands behind a content of so many bytes.
pub(super) fn padding(bytes: usize) -> &'static [u8] {
    ZEROES.get(..bytes.next_multiple_of(BLOCK) - bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use jiff::Timestamp;

    use super::{BLOCK, END, head, padding};

    /// Another program unpacks what is written here.
    #[test]
    fn tar_unpacks_it() {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        let files = [("a.txt", String::new()), ("folder/b.csv", "x,y\n".repeat(500)), ("c", "z".repeat(BLOCK))];
        let mut archive = Vec::new();
        for (name, content) in &files {
            let head = head(name, content.len(), at).unwrap();
            assert_eq!(head.len(), BLOCK);
            archive.extend([head.as_slice(), content.as_bytes(), padding(content.len())].concat());
        }
        archive.extend(END);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.tar");
        std::fs::write(&path, archive).unwrap();
        let done = Command::new("tar").arg("-xf").arg(&path).arg("-C").arg(folder.path()).output().unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
        for (name, content) in &files {
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), *content, "{name}");
        }
        assert!(head(&"n".repeat(101), 0, at).is_err() && head("", 0, at).is_err());
    }
}
