//! Orders with the odd shapes of real ones.

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::super::account::Account;
use super::super::call::Call;
use super::super::control::{Allocation, Item, NewLine, NewOrder};
use super::super::notes_out::create::Wanted;
use super::super::notes_out::events::Taken;

/// Fills an account with orders placed between two times, ids ascending with time.
pub(super) fn fill(
    account: &mut Account,
    count: usize,
    (from, to): (Timestamp, Timestamp),
    call: &mut Call<'_>,
    rng: &mut StdRng,
) {
    let step = i64::try_from(count).map_or(1, |count| (to.as_second() - from.as_second()) / count.max(1));
    let customers: Vec<i64> = account
        .contacts
        .values()
        .filter(|contact| !contact.staff && !contact.supplier)
        .map(|contact| contact.id)
        .collect();
    let products: Vec<i64> = account.products.keys().copied().collect();
    for number in 0..count {
        let offset = i64::try_from(number).unwrap_or(0) * step;
        call.now = from.checked_add(SignedDuration::from_secs(offset)).unwrap_or(to);
        let order = invent(account, number, &customers, &products, rng);
        // A bundle whose components are archived, say, makes an order impossible: it is left out.
        if let Ok(id) = account.make_order(&order, call) {
            happen(account, id, number, call);
        }
    }
}

fn invent(account: &Account, number: usize, customers: &[i64], products: &[i64], rng: &mut StdRng) -> NewOrder {
    let every = |n: usize, at: usize| number % n == at;
    let mut lines: Vec<NewLine> = (0..rng.random_range(1..=4))
        .filter_map(|_| Some(NewLine::product(*products.choose(rng)?, rng.random_range(1..=5))))
        .collect();
    if every(9, 3) {
        lines.push(NewLine {
            item: Item::FreeText("Gift wrapping & card".to_owned()),
            quantity: 1,
            net: Some(rust_decimal::Decimal::new(350, 2)),
        });
    }
    if every(13, 5)
        && let Some(bundle) = account.products.values().find(|product| !product.components.is_empty())
    {
        lines.push(NewLine::product(bundle.id, 1));
    }
    let ready = account.statuses.values().find(|status| status.name == "Ready to ship").map(|status| status.id);
    let purchase = every(25, 7);
    NewOrder {
        lines,
        purchase,
        status_id: (!purchase && !every(4, 3)).then_some(ready).flatten(),
        warehouse_id: Some(*[2, 5, 5, 5, 3].choose(rng).unwrap_or(&2)),
        channel_id: Some(*[1, 1, 2, 3].choose(rng).unwrap_or(&1)),
        shipping_method_id: Some(*[0, 1, 49, 49, 50, 51].choose(rng).unwrap_or(&0)),
        allocation: match number % 10 {
            0..=6 => Allocation::Full,
            7 | 8 => Allocation::Part,
            _ => Allocation::None,
        },
        reference: Some(format!("#{:05}", number + 1)),
        contact_id: (!purchase).then(|| customers.choose(rng).copied()).flatten(),
        invoiced: every(11, 6),
        ..NewOrder::default()
    }
}

/// What happened to some orders since: notes, shipping, cancellation, splits.
fn happen(account: &mut Account, id: i64, number: usize, call: &mut Call<'_>) {
    let Some(order) = account.orders.get(&id) else { return };
    let warehouse = order.warehouse_id;
    let reserved: std::collections::BTreeMap<i64, (i64, i64)> = account
        .reservations
        .get(&id)
        .into_iter()
        .flat_map(|held| held.rows.iter().map(|(row, held)| (*row, (held.product_id, held.quantity))))
        .collect();
    let noted = |share: usize| {
        let rows = reserved.iter().take(share).map(|(row, wanted)| (*row, *wanted)).collect();
        vec![Wanted { warehouse, release: call.now, rows }]
    };
    let outcome = match number % 20 {
        1 if !reserved.is_empty() => account.make_notes(id, noted(usize::MAX), call).map(drop),
        4 if !reserved.is_empty() => account.make_notes(id, noted(1), call).map(drop),
        8 | 12 if !reserved.is_empty() => account.make_notes(id, noted(usize::MAX), call).and_then(|notes| {
            notes.into_iter().try_for_each(|note| {
                let shipped = Taken { code: "SHW", occured: call.now, owner: call.caller.contact_id };
                account.take_steps(note, &[shipped], call)
            })
        }),
        16 => account.set_status_by_hand(id, account.roles.cancelled, call),
        18 => account.split_last_row(id, call),
        _ => Ok(()),
    };
    // Some orders cannot take what would happen to them (an invoiced one is not cancelled): they stay as they are.
    drop(outcome);
}
