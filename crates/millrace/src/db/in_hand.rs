//! What the hub has in hand between the two systems, as the stock equation needs it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{EffectKind, RequestLine};
use engine::effect::{EffectState, later};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::{
    ConnectionKey, Database, InFlight, R,
    effects::key_values,
    facts::{self, Bundle, RequestRow, ShipmentRow},
    sql::Tx,
};

impl Database {
    /// Units of products of one of the source's warehouses that the hub has in hand, as a feed with this cut-off sees them.
    /// Products with nothing in hand are left out.
    pub async fn in_flight(
        &self,
        key: &ConnectionKey,
        warehouse_id: i64,
        cut_off: Timestamp,
        settle: Duration,
        products: &[i64],
    ) -> R<BTreeMap<i64, InFlight>> {
        let (key, products) = (key.clone(), products.iter().copied().collect::<BTreeSet<_>>());
        self.read(&key.clone(), "in_flight", move |tx| {
            Box::pin(async move {
                let window = Window::around(cut_off, settle);
                let mut flights = in_hand(tx, &key, warehouse_id, &window, &products).await?;
                correcting(tx, &key, warehouse_id, &products, &mut flights).await?;
                Ok(flights)
            })
        })
        .await
    }
}

/// A feed's moment, and the time around it in which the warehouse may or may not have counted what it was just told.
struct Window {
    from: Timestamp,
    cut_off: Timestamp,
    to: Timestamp,
}

impl Window {
    fn around(cut_off: Timestamp, settle: Duration) -> Self {
        let from = SignedDuration::try_from(settle).ok().and_then(|settle| cut_off.checked_sub(settle).ok());
        Self { from: from.unwrap_or(Timestamp::MIN), cut_off, to: later(cut_off, settle) }
    }

    fn holds(&self, at: Timestamp) -> bool {
        at > self.from && at <= self.to
    }
}

/// Requests of a warehouse that still matter to a feed: not done, or with something that left after it spoke.
async fn in_hand(
    tx: &mut Tx,
    key: &ConnectionKey,
    warehouse_id: i64,
    window: &Window,
    products: &BTreeSet<i64>,
) -> R<BTreeMap<i64, InFlight>> {
    let [tenant, merchant, connection] = key_values(key);
    let rows = tx
        .query(
            "SELECT order_ref FROM request
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND live = 1 AND done = 0
                 AND (warehouse_id = $4 OR warehouse_id IS NULL)
             UNION
             SELECT r.order_ref FROM shipment AS s
             JOIN request AS r ON r.tenant = s.tenant AND r.merchant = s.merchant AND r.id = s.request
             WHERE s.tenant = $1 AND s.merchant = $2 AND s.connection = $3 AND s.shipped_at > $5
                 AND (r.warehouse_id = $4 OR r.warehouse_id IS NULL)",
            &[tenant, merchant, connection, warehouse_id.into(), window.from.into()],
        )
        .await?;
    let mut orders = BTreeSet::new();
    for row in &rows {
        orders.insert(row.parsed(0)?);
    }
    let mut flights = BTreeMap::new();
    for bundle in facts::load(tx, &key.scope, &orders).await?.values() {
        for request in &bundle.requests {
            let here = request.warehouse_id.is_none_or(|id| id == warehouse_id);
            if request.live && here && request.lines.iter().any(|line| products.contains(&line.product_id)) {
                add_request(bundle, request, window, products, &mut flights);
            }
        }
    }
    Ok(flights)
}

fn add_request(
    bundle: &Bundle,
    request: &RequestRow,
    window: &Window,
    products: &BTreeSet<i64>,
    flights: &mut BTreeMap<i64, InFlight>,
) {
    let (by_then, mut unsettled) = match bundle.submit(request) {
        // The warehouse got it between sending and learning that it did; after a lost answer that can be minutes.
        Some(submit) if submit.state == EffectState::Applied => {
            let sent_from = submit.sent_from.unwrap_or(submit.changed_at);
            (submit.changed_at <= window.from, submit.changed_at > window.from && sent_from <= window.to)
        }
        Some(submit) => (false, facts::may_be_there(submit.state)),
        None => (false, false),
    };
    // Nothing more will leave: what left and is not posted is all that the source still keeps allocated.
    let over = request.finished || request.cancelled_by_warehouse || bundle.cancelled(request);
    let mut accepted = if by_then && !over { asked_units(&request.lines) } else { BTreeMap::new() };
    for row in bundle.shipments_of(request) {
        let posted = bundle
            .effects
            .iter()
            .find(|effect| effect.kind == EffectKind::PostShipped && effect.shipment.as_ref() == Some(&row.id))
            .is_some_and(|effect| effect.state == EffectState::Applied);
        unsettled |= window.holds(row.shipment.shipped_at) || note_unsettled(bundle, row);
        for (product, units) in shipped_units(&request.lines, row) {
            let by_cut_off = row.shipment.shipped_at <= window.cut_off;
            let flight = flights.entry(product).or_default();
            match (by_cut_off, posted) {
                (true, false) => flight.shipped_not_posted += units,
                (false, true) => flight.posted_after += units,
                _ => {}
            }
            match (over, posted) {
                (true, false) if by_then => *accepted.entry(product).or_default() += units,
                (false, true) if by_then => *accepted.entry(product).or_default() -= units,
                _ => {}
            }
        }
    }
    for (product, units) in accepted {
        flights.entry(product).or_default().accepted += units.max(Decimal::ZERO);
    }
    if unsettled {
        for line in &request.lines {
            flights.entry(line.product_id).or_default().unsettled = true;
        }
    }
    flights.retain(|product, _| products.contains(product));
}

fn note_unsettled(bundle: &Bundle, row: &ShipmentRow) -> bool {
    bundle.effects.iter().any(|effect| {
        effect.shipment.as_ref() == Some(&row.id)
            && matches!(effect.kind, EffectKind::CreateNote | EffectKind::DeleteNote | EffectKind::PostShipped)
            && matches!(
                effect.state,
                EffectState::Armed
                    | EffectState::Unknown
                    | EffectState::Probing
                    | EffectState::Parked
                    | EffectState::Conflict
                    | EffectState::AbsentConfirmed
            )
    })
}

/// Units of the source's products that these lines ask for; a kit's lines speak of the same units of one product.
fn asked_units(lines: &[RequestLine]) -> BTreeMap<i64, Decimal> {
    let mut units: BTreeMap<i64, Decimal> = BTreeMap::new();
    for (row, of_row) in facts::row_units(lines) {
        if let Some(line) = lines.iter().find(|line| line.row_id == row) {
            *units.entry(line.product_id).or_default() += of_row;
        }
    }
    units
}

/// Units of the source's products that left with a shipment: as decided for its note, else as its lines say.
fn shipped_units(lines: &[RequestLine], row: &ShipmentRow) -> BTreeMap<i64, Decimal> {
    let mut units: BTreeMap<i64, Decimal> = BTreeMap::new();
    if let Some(rows) = &row.rows {
        for note_row in rows {
            *units.entry(note_row.product_id).or_default() += note_row.quantity;
        }
        return units;
    }
    let mut by_line: BTreeMap<u32, Decimal> = BTreeMap::new();
    for left in row.shipment.lines() {
        let line = lines
            .iter()
            .find(|line| left.line_number == Some(line.line_number))
            .or_else(|| lines.iter().find(|line| line.sku == left.sku));
        if let Some(line) = line {
            *by_line.entry(line.line_number).or_default() += left.quantity;
        }
    }
    let mut by_row: BTreeMap<i64, (i64, Decimal)> = BTreeMap::new();
    for line in lines {
        let Some(quantity) = by_line.get(&line.line_number) else { continue };
        let of_line = quantity.checked_div(line.per_unit).unwrap_or(*quantity);
        let known = by_row.entry(line.row_id).or_insert((line.product_id, Decimal::ZERO));
        known.1 = known.1.max(of_line);
    }
    for (product, quantity) in by_row.into_values() {
        *units.entry(product).or_default() += quantity;
    }
    units
}

async fn correcting(
    tx: &mut Tx,
    key: &ConnectionKey,
    warehouse_id: i64,
    products: &BTreeSet<i64>,
    flights: &mut BTreeMap<i64, InFlight>,
) -> R<()> {
    let [tenant, merchant, connection] = key_values(key);
    let rows = tx
        .among(
            "SELECT DISTINCT product_id FROM effect
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND warehouse_id = $4 AND product_id IS NOT NULL
                 AND kind = 'correct_stock' AND state NOT IN ('applied', 'refused', 'voided', 'superseded')
                 AND product_id IN (",
            ")",
            &[tenant, merchant, connection, warehouse_id.into()],
            products.iter().copied(),
        )
        .await?;
    for row in &rows {
        flights.entry(row.int(0)?).or_default().correcting = true;
    }
    Ok(())
}
