//! The words orders are found by: number, reference, names, address, e-mail, SKUs, tracking numbers; and shipments: the warehouse's
//! own number, key, the order's number, tracking numbers.
//!
//! A search is for beginnings of words, so that an index answers it on both databases however many orders there are.

use std::collections::BTreeSet;

use connect::{Order, OrderId, ShipmentId};

use super::{
    R, Scope,
    facts::scope_values,
    sql::{Tx, Value},
};

/// Longest word that is kept; what is longer is found by its beginning.
const LONGEST: usize = 64;

/// Most words of one search; what is beyond is not looked for.
const MOST_TERMS: usize = 8;

/// Everything an order is found by, in one line of lower case.
pub(super) fn line_of(order: &Order, ship_to: &str) -> String {
    let mut parts = vec![order.order_id.to_string(), order.reference.clone(), ship_to.to_owned()];
    parts.extend(
        [&order.deliver_to.email, &order.bill_to.name, &order.bill_to.company, &order.bill_to.email].map(Clone::clone),
    );
    let mut skus = BTreeSet::new();
    parts.extend(order.lines.iter().filter(|line| skus.insert(&line.sku)).map(|line| line.sku.clone()));
    parts.retain(|part| !part.is_empty());
    parts.join(" ").to_lowercase()
}

/// The words of a line: each as it stands, and what is left of it from each part on (`web-1001` is also `1001`, `ada@example.com` also
/// `example.com`), so that the beginning of any part finds it.
pub(super) fn words(line: &str) -> BTreeSet<String> {
    let cut = |word: &str| word.chars().take(LONGEST).collect::<String>();
    let mut words = BTreeSet::new();
    for piece in line.split_whitespace() {
        let whole = piece.trim_matches([',', ';', '(', ')', '"']);
        if whole.is_empty() {
            continue;
        }
        words.insert(cut(whole));
        let mut inside = true;
        for (place, c) in whole.char_indices() {
            let rest = whole.get(place..).unwrap_or_default();
            if c.is_alphanumeric() && !inside && rest.chars().count() > 1 {
                words.insert(cut(rest));
            }
            inside = c.is_alphanumeric();
        }
    }
    words
}

/// What somebody typed, as beginnings of words.
pub(super) fn terms(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let pieces = lower.split_whitespace().map(|piece| piece.trim_matches([',', ';', '(', ')', '"']));
    pieces
        .filter(|piece| !piece.is_empty())
        .take(MOST_TERMS)
        .map(|piece| piece.chars().take(LONGEST).collect())
        .collect()
}

/// The first text that no longer begins with this one.
pub(super) fn end_of(term: &str) -> String {
    format!("{term}\u{10FFFF}")
}

/// Keeps the words of orders. Those of `origin` that they had before are gone where `anew`.
pub(super) async fn keep(
    tx: &mut Tx,
    scope: &Scope,
    origin: &'static str,
    anew: bool,
    lines: &[(OrderId, String)],
) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    if anew {
        tx.among(
            "DELETE FROM order_word WHERE tenant = $1 AND merchant = $2 AND origin = $3 AND order_ref IN (",
            ")",
            &[tenant.clone(), merchant.clone(), origin.into()],
            lines.iter().map(|(order, _)| order),
        )
        .await?;
    }
    let rows = lines.iter().flat_map(|(order, line)| {
        let row = move |word: String| -> Vec<Value> {
            vec![(&scope.tenant).into(), (&scope.merchant).into(), order.into(), word.into(), origin.into()]
        };
        words(line).into_iter().map(row)
    });
    tx.many(
        "INSERT INTO order_word (tenant, merchant, order_ref, word, origin) VALUES ",
        " ON CONFLICT (tenant, merchant, order_ref, word, origin) DO NOTHING",
        &[],
        rows.collect(),
    )
    .await?;
    Ok(())
}

/// Keeps the words of shipments, which come in once and do not change: of each, those of its line, and the number of the order that
/// its key is for.
pub(super) async fn keep_of_shipments(
    tx: &mut Tx,
    scope: &Scope,
    lines: &[(ShipmentId, String, Option<i64>)],
) -> R<()> {
    let rows = lines.iter().flat_map(|(shipment, line, order_id)| {
        let mut words = words(line);
        words.extend(order_id.map(|number| number.to_string()));
        let row = move |word: String| -> Vec<Value> {
            vec![(&scope.tenant).into(), (&scope.merchant).into(), shipment.into(), word.into()]
        };
        words.into_iter().map(row)
    });
    tx.many(
        "INSERT INTO shipment_word (tenant, merchant, shipment, word) VALUES ",
        " ON CONFLICT (tenant, merchant, shipment, word) DO NOTHING",
        &[],
        rows.collect(),
    )
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_whole_and_by_its_parts() {
        let found = words("web-1001 ada lovelace, ada@example.com sku_7 (big)");
        for word in ["web-1001", "1001", "lovelace", "ada@example.com", "example.com", "com", "sku_7", "big"] {
            assert!(found.contains(word), "{word}: {found:?}");
        }
        assert!(!found.contains("lovelace,") && !found.contains("7"), "{found:?}");
    }

    #[test]
    fn what_is_typed_becomes_beginnings() {
        assert_eq!(terms("  Web-1  LOVELACE, "), ["web-1", "lovelace"]);
        assert!(terms(" , ").is_empty());
        assert_eq!(terms(&"a ".repeat(50)).len(), MOST_TERMS);
        let (term, end) = ("web-1", end_of("web-1"));
        for word in ["web-1", "web-10", "web-1é", "web-1😀"] {
            assert!(*word >= *term && *word < *end, "{word}");
        }
        assert!("web-2" > end.as_str() && "web-" < term);
    }
}
