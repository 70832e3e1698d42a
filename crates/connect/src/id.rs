//! Ids of the hub's own things: a prefix that says what it is, then 26 characters that sort by time of making.

use std::{fmt, marker::PhantomData, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::Random;

/// What an [`Id`] points at.
pub trait IdKind {
    /// Three letters; an id of this kind reads `{PREFIX}_{26 characters}`.
    const PREFIX: &'static str;
}

/// The kinds of ids.
pub mod kind {
    use super::IdKind;

    /// See [`super::TenantId`].
    pub enum Tenant {}
    impl IdKind for Tenant {
        const PREFIX: &'static str = "ten";
    }
    /// See [`super::MerchantId`].
    pub enum Merchant {}
    impl IdKind for Merchant {
        const PREFIX: &'static str = "mer";
    }
    /// See [`super::StoreId`].
    pub enum Store {}
    impl IdKind for Store {
        const PREFIX: &'static str = "sto";
    }
    /// See [`super::WarehouseId`].
    pub enum Warehouse {}
    impl IdKind for Warehouse {
        const PREFIX: &'static str = "whs";
    }
    /// See [`super::ConnectionId`].
    pub enum Connection {}
    impl IdKind for Connection {
        const PREFIX: &'static str = "con";
    }
    /// See [`super::OrderId`].
    pub enum Order {}
    impl IdKind for Order {
        const PREFIX: &'static str = "ord";
    }
    /// See [`super::RequestId`].
    pub enum Request {}
    impl IdKind for Request {
        const PREFIX: &'static str = "shr";
    }
    /// See [`super::ShipmentId`].
    pub enum Shipment {}
    impl IdKind for Shipment {
        const PREFIX: &'static str = "shp";
    }
    /// See [`super::EffectId`].
    pub enum Effect {}
    impl IdKind for Effect {
        const PREFIX: &'static str = "eff";
    }
    /// See [`super::EventId`].
    pub enum Event {}
    impl IdKind for Event {
        const PREFIX: &'static str = "evt";
    }
}

/// An organisation using this installation: a merchant, or a 3PL with many merchants.
pub type TenantId = Id<kind::Tenant>;
/// The brand that owns the stock; belongs to a tenant.
pub type MerchantId = Id<kind::Merchant>;
/// One order-source account with its credentials and settings.
pub type StoreId = Id<kind::Store>;
/// One WMS account with its credentials and settings.
pub type WarehouseId = Id<kind::Warehouse>;
/// Merchant + store + warehouse.
pub type ConnectionId = Id<kind::Connection>;
/// An order as one connection sees it.
pub type OrderId = Id<kind::Order>;
/// What the hub asks one warehouse to ship for an order.
pub type RequestId = Id<kind::Request>;
/// What left the building.
pub type ShipmentId = Id<kind::Shipment>;
/// One change to a remote system.
pub type EffectId = Id<kind::Effect>;
/// Something that changed, as it is told.
pub type EventId = Id<kind::Event>;

/// An id of the hub's own, e.g. `ord_01JD…`. Compares and sorts as text.
pub struct Id<K> {
    text: String,
    kind: PhantomData<fn() -> K>,
}

impl<K: IdKind> Id<K> {
    /// Makes a new id from the given time and randomness.
    pub fn generate(now: Timestamp, random: &dyn Random) -> Self {
        Self { text: format!("{}_{}", K::PREFIX, ulid(now, random)), kind: PhantomData }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is not an id of this kind: it should look like {prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV")]
pub struct NotAnId {
    text: String,
    prefix: &'static str,
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let rest = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        match rest {
            Some(rest) if rest.len() == 26 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                Ok(Self { text: text.to_owned(), kind: PhantomData })
            }
            _ => Err(NotAnId { text: text.chars().take(80).collect(), prefix: K::PREFIX }),
        }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), kind: PhantomData }
    }
}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Crockford's alphabet: no I, L, O or U, so an id read aloud or off paper is not misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 26 characters: 48 bits of milliseconds, then 80 random bits, so that texts sort by time of making
/// (format: <https://github.com/ulid/spec>).
pub fn ulid(now: Timestamp, random: &dyn Random) -> String {
    let mut low = [0_u8; 10];
    random.fill(&mut low);
    let millis = u128::try_from(now.as_millisecond()).unwrap_or(0) & ((1 << 48) - 1);
    let mut value = millis << 80;
    for (index, byte) in low.iter().rev().enumerate() {
        value |= u128::from(*byte) << (8 * index);
    }
    (0..26)
        .rev()
        .map(|place| {
            let digit = usize::try_from((value >> (5 * place)) & 31).unwrap_or(0);
            char::from(ALPHABET.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{OrderId, RequestId};
    use crate::seams::OsRandom;

    #[test]
    fn ids_carry_their_kind_and_sort_by_time() {
        let early = OrderId::generate("2026-01-01T00:00:00Z".parse().unwrap(), &OsRandom);
        let late = OrderId::generate("2026-01-01T00:00:00.001Z".parse().unwrap(), &OsRandom);
        assert!(early < late);
        assert_eq!(early.as_str().len(), 30);
        assert_eq!(early.as_str().parse::<OrderId>().unwrap(), early);
        assert!(early.as_str().parse::<RequestId>().is_err());
    }
}
