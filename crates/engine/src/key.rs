//! Keys: the same for every repeat, and found by search at the remote system.

use std::collections::BTreeSet;

/// The key of an order's shipment request: `BP{account}-O{orderId}`, and `-G{noteId}` behind it when a goods-out note is the
/// request. A letter stands before each number, because some warehouses read a trailing `-digits` as a split order.
///
/// `prefix` replaces `BP{account}` where the account's name makes the key too long for the warehouse.
pub fn request_key(prefix: Option<&str>, account: &str, order_id: i64, note_id: Option<i64>) -> String {
    let head = head(prefix, account);
    match note_id {
        None => format!("{head}{order_id}"),
        Some(note_id) => format!("{head}{order_id}-G{note_id}"),
    }
}

/// The key under which a request goes again after the warehouse cancelled the one before: `-R2`, `-R3`, … behind it. `dead`
/// holds the keys that were cancelled there: none of them is ever used again, so never are two of one order alive.
pub fn fresh_key(key: String, dead: &BTreeSet<String>) -> String {
    if !dead.contains(&key) {
        return key;
    }
    let next = (2_u32..).map(|times| format!("{key}-R{times}")).find(|next| !dead.contains(next));
    next.unwrap_or(key)
}

/// What every request key of a connection begins with.
pub fn head(prefix: Option<&str>, account: &str) -> String {
    match prefix.filter(|prefix| !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}-O"),
        None => format!("BP{account}-O"),
    }
}

/// What the keys of all requests of one order have in common: without the note and the repeat behind it.
pub fn of_order(key: &str) -> &str {
    let without = |key, mark: &str| match str::rsplit_once(key, mark) {
        Some((before, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => before,
        _ => key,
    };
    without(without(key, "-R"), "-G")
}

/// The source's id of the order that a key is for; `None` where it is no key of the hub's.
pub fn order_id(key: &str) -> Option<i64> {
    of_order(key).rsplit_once("-O")?.1.parse().ok()
}

/// The goods-out note that a key is for, where one is the request.
pub fn note_id(key: &str) -> Option<i64> {
    let (_, note) = key.rsplit_once("-G")?;
    let note = note.split_once("-R").map_or(note, |(note, _)| note);
    note.bytes().all(|byte| byte.is_ascii_digit()).then(|| note.parse().ok()).flatten()
}

/// The lane of everything that touches one order: one effect at a time (R6).
pub fn order_lane(account: &str, order_id: i64) -> String {
    format!("order:{account}:{order_id}")
}

/// The order that a lane of [`order_lane`] is for.
pub fn order_of_lane(lane: &str) -> Option<i64> {
    lane.strip_prefix("order:")?.rsplit(':').next()?.parse().ok()
}

/// The lane of everything that touches the stock of one product in one of the source's warehouses (R6).
pub fn stock_lane(account: &str, warehouse_id: i64, product_id: i64) -> String {
    format!("stock:{account}:{warehouse_id}:{product_id}")
}

/// The lane of an answer to one message of the warehouse: answers wait for nothing, and nothing waits for them.
pub fn letter_lane(connection: &str, key: &str) -> String {
    format!("letter:{connection}:{key}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::{prop, prop_assert_eq, proptest};

    use super::{fresh_key, note_id, of_order, order_id, order_lane, order_of_lane, request_key};

    #[test]
    fn reads_as_documented() {
        assert_eq!(request_key(None, "acme", 100_001, None), "BPacme-O100001");
        assert_eq!(request_key(None, "acme", 100_001, Some(77)), "BPacme-O100001-G77");
        assert_eq!(request_key(Some("A"), "acme", 5, None), "A-O5");
        assert_eq!(order_of_lane(&order_lane("acme", 5)), Some(5));
        assert_eq!(order_of_lane("stock:acme:2:5"), None);
    }

    #[test]
    fn a_dead_key_is_not_used_again() {
        let mut dead = std::collections::BTreeSet::new();
        for expected in ["BPacme-O5", "BPacme-O5-R2", "BPacme-O5-R3"] {
            let key = fresh_key("BPacme-O5".to_owned(), &dead);
            assert_eq!(key, expected);
            dead.insert(key);
        }
    }

    #[test]
    fn foreign_keys_are_of_no_order() {
        for key in ["", "1001", "BPacme-O", "BPacme-Ox-G5", "WEB-O-G7-R2"] {
            assert_eq!(order_id(key), None, "{key}");
        }
    }

    proptest! {
        /// Whatever stands behind it, a key says of which order it is.
        #[test]
        fn keys_tell_their_order(
            account in "[a-z0-9]{1,12}",
            order in 1_i64..1_000_000,
            note in prop::option::of(1_i64..1_000_000),
            dead in 0_usize..3,
        ) {
            let mut dead_keys = BTreeSet::new();
            let first = request_key(None, &account, order, note);
            for _ in 0..dead {
                dead_keys.insert(fresh_key(first.clone(), &dead_keys));
            }
            let key = fresh_key(first, &dead_keys);
            prop_assert_eq!(of_order(&key), request_key(None, &account, order, None));
            prop_assert_eq!(order_id(&key), Some(order));
            prop_assert_eq!(note_id(&key), note);
        }

        /// Two requests share a key only if they are the same request.
        #[test]
        fn is_injective(
            a in ("[a-z0-9]{1,12}", 1_i64..1_000_000, prop::option::of(1_i64..1_000_000)),
            b in ("[a-z0-9]{1,12}", 1_i64..1_000_000, prop::option::of(1_i64..1_000_000)),
        ) {
            let key = |x: &(String, i64, Option<i64>)| request_key(None, &x.0, x.1, x.2);
            prop_assert_eq!(key(&a) == key(&b), a == b);
        }
    }
}
