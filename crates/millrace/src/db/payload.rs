//! Kept documents, compressed.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

use super::{DbError, R};

/// The first byte says how the rest is packed, so that another way can be added without touching what is kept.
const ZLIB: u8 = 1;

/// Nothing kept is larger than this; more is damage or an attack.
const LARGEST: u64 = 256 << 20;

pub(super) fn pack(content: &[u8]) -> R<Vec<u8>> {
    let failed = |error: std::io::Error| DbError::Refused(format!("it cannot be compressed: {error}"));
    let mut encoder = ZlibEncoder::new(vec![ZLIB], Compression::fast());
    encoder.write_all(content).map_err(failed)?;
    encoder.finish().map_err(failed)
}

pub(super) fn pack_json<T: serde::Serialize>(value: &T) -> R<Vec<u8>> {
    pack(super::sql::json(value)?.as_bytes())
}

pub(super) fn unpack(packed: &[u8]) -> R<Vec<u8>> {
    let Some((&ZLIB, packed)) = packed.split_first() else {
        return Err(DbError::Corrupt("a kept document is packed in an unknown way".to_owned()));
    };
    let mut content = Vec::new();
    ZlibDecoder::new(packed).take(LARGEST).read_to_end(&mut content).map_err(DbError::corrupt)?;
    Ok(content)
}

pub(super) fn unpack_json<T: serde::de::DeserializeOwned>(packed: &[u8]) -> R<T> {
    serde_json::from_slice(&unpack(packed)?).map_err(DbError::corrupt)
}
