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
    ConnectionKey, Database, InFlight, R, corrections,
    effects::key_values,
    facts::{self, Bundle, RequestRow, ShipmentRow},
    safety,
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
        self.in_flight_with_kits(key, warehouse_id, cut_off, settle, products, &BTreeMap::new()).await
    }

    /// The same, with what kits hold of products whose SKU at the warehouse is also part of kits: `parts` gives the product of
    /// each such SKU.
    pub async fn in_flight_with_kits(
        &self,
        key: &ConnectionKey,
        warehouse_id: i64,
        cut_off: Timestamp,
        settle: Duration,
        products: &[i64],
        parts: &BTreeMap<String, i64>,
    ) -> R<BTreeMap<i64, InFlight>> {
        let (key, products) = (key.clone(), products.iter().copied().collect::<BTreeSet<_>>());
        let parts = parts.clone();
        self.read(&key.clone(), "in_flight", move |tx| {
            Box::pin(async move {
                let lost_until = safety::load(tx).await?.lost.map(|lost| lost.until);
                let window = Window { lost_until, ..Window::around(cut_off, settle) };
                let wanted = Wanted { products: &products, parts: &parts };
                let mut flights = in_hand(tx, &key, warehouse_id, &window, &wanted).await?;
                for (product, (mark, open)) in corrections::marks(tx, &key, warehouse_id, &products).await? {
                    let flight = flights.entry(product).or_default();
                    flight.corrections = mark;
                    flight.correcting = open;
                }
                Ok(flights)
            })
        })
        .await
    }
}

/// An order that the warehouse is to ship, or has shipped, and that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderInHand {
    /// The source's id.
    pub order_id: i64,
    /// When the first of its open requests was planned.
    pub since: Timestamp,
}

impl Database {
    /// Orders with an open request of any of these products, which leaves one of the source's warehouses.
    pub async fn orders_in_hand(
        &self,
        key: &ConnectionKey,
        warehouse_id: i64,
        products: &BTreeSet<i64>,
    ) -> R<Vec<OrderInHand>> {
        let (key, products) = (key.clone(), products.clone());
        self.read(&key.clone(), "orders_in_hand", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let rows = tx
                    .query(
                        "SELECT order_id, created_at, lines FROM request
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND live = 1 AND done = 0
                             AND (warehouse_id = $4 OR warehouse_id IS NULL)",
                        &[tenant, merchant, connection, warehouse_id.into()],
                    )
                    .await?;
                let mut orders: BTreeMap<i64, Timestamp> = BTreeMap::new();
                for row in &rows {
                    let lines: Vec<RequestLine> = row.json(2)?;
                    if lines.iter().any(|line| products.contains(&line.product_id)) {
                        let planned = row.time(1)?;
                        let since = orders.entry(row.int(0)?).or_insert(planned);
                        *since = planned.min(*since);
                    }
                }
                Ok(orders.into_iter().map(|(order_id, since)| OrderInHand { order_id, since }).collect())
            })
        })
        .await
    }
}

/// What is asked about.
struct Wanted<'a> {
    products: &'a BTreeSet<i64>,
    /// SKUs at the warehouse that are also parts of kits, with their own products.
    parts: &'a BTreeMap<String, i64>,
}

impl Wanted<'_> {
    fn is_about(&self, line: &RequestLine) -> bool {
        self.products.contains(&line.product_id) || self.parts.contains_key(&line.sku)
    }

    /// The product of the part that this line takes for a kit.
    fn part(&self, line: &RequestLine) -> Option<i64> {
        self.parts.get(&line.sku).copied().filter(|product| *product != line.product_id)
    }
}

/// By how much the clocks of the warehouse and the source, which date what left there, may differ from the database's.
pub const CLOCKS: Duration = Duration::from_secs(600);

/// A feed's moment, and the time around it in which the warehouse may or may not have counted what it was just told.
struct Window {
    from: Timestamp,
    cut_off: Timestamp,
    to: Timestamp,
    /// When the last loss of the journal ended, if there was one.
    lost_until: Option<Timestamp>,
}

impl Window {
    fn around(cut_off: Timestamp, settle: Duration) -> Self {
        let from = SignedDuration::try_from(settle).ok().and_then(|settle| cut_off.checked_sub(settle).ok());
        Self { from: from.unwrap_or(Timestamp::MIN), cut_off, to: later(cut_off, settle), lost_until: None }
    }

    fn holds(&self, at: Timestamp) -> bool {
        at > self.from && at <= self.to
    }

    /// Whether what left at this time may have been told by a journal that is lost.
    fn forgotten(&self, at: Timestamp) -> bool {
        self.lost_until.is_some_and(|until| at <= later(until, CLOCKS))
    }
}

/// Requests of a warehouse that still matter to a feed: not done, or with something that left after it spoke.
async fn in_hand(
    tx: &mut Tx,
    key: &ConnectionKey,
    warehouse_id: i64,
    window: &Window,
    wanted: &Wanted<'_>,
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
            if request.live && here && request.lines.iter().any(|line| wanted.is_about(line)) {
                add_request(bundle, request, window, wanted, &mut flights);
            }
        }
    }
    Ok(flights)
}

fn add_request(
    bundle: &Bundle,
    request: &RequestRow,
    window: &Window,
    wanted: &Wanted<'_>,
    flights: &mut BTreeMap<i64, InFlight>,
) {
    let (by_then, mut unsettled) = match bundle.submit(request) {
        // The warehouse got it between sending and learning that it did; after a lost answer that can be minutes. What it says it
        // could not read it may have all the same.
        Some(submit) if submit.state == EffectState::Applied && submit.turned_down.is_none() => {
            let sent_from = submit.sent_from.unwrap_or(submit.changed_at);
            (submit.changed_at <= window.from, submit.changed_at > window.from && sent_from <= window.to)
        }
        Some(submit) => (false, facts::may_be_there(submit.state)),
        None => (false, false),
    };
    // Nothing more will leave: what left and is not posted is all that the source still keeps allocated.
    let over = request.finished || request.cancelled_by_warehouse || bundle.cancelled(request);
    let mut open = if over { BTreeMap::new() } else { asked_units(&request.lines) };
    for row in bundle.shipments_of(request) {
        let posted = told(bundle, row, EffectKind::PostShipped);
        let on_note = request.note_id.is_some() || told(bundle, row, EffectKind::CreateNote);
        unsettled |= window.holds(row.shipment.shipped_at) || note_unsettled(bundle, row);
        // The source may count them as gone already: nobody knows before it was looked up.
        unsettled |= !posted && !given_up(bundle, row) && window.forgotten(row.shipment.shipped_at);
        let by_cut_off = row.shipment.shipped_at <= window.cut_off;
        for (product, units) in shipped_units(&request.lines, row) {
            let flight = flights.entry(product).or_default();
            match (by_cut_off, posted) {
                (true, false) => {
                    flight.shipped_not_posted += units;
                    if on_note {
                        flight.on_own_notes += units;
                    }
                }
                (false, true) => {
                    flight.posted_after += units;
                    if !by_then {
                        flight.posted_unseen += units;
                    }
                }
                _ => {}
            }
            match (over, posted) {
                (true, false) => *open.entry(product).or_default() += units,
                (false, true) => *open.entry(product).or_default() -= units,
                _ => {}
            }
        }
    }
    for (product, units) in open {
        let flight = flights.entry(product).or_default();
        if by_then {
            flight.accepted += units.max(Decimal::ZERO);
        } else {
            flight.not_accepted += units.max(Decimal::ZERO);
        }
    }
    add_kits(bundle, request, window, wanted, by_then && !over, flights);
    let by_word = !over && bundle.submit(request).is_some_and(|submit| submit.by_word);
    if unsettled || by_word {
        for line in &request.lines {
            let flight = flights.entry(line.product_id).or_default();
            flight.unsettled |= unsettled;
            flight.by_word |= by_word;
        }
    }
    flights.retain(|product, _| wanted.products.contains(product));
}

/// Whether this step of a shipment is done.
fn told(bundle: &Bundle, row: &ShipmentRow, kind: EffectKind) -> bool {
    let step = |effect: &&facts::EffectBrief| effect.kind == kind && effect.shipment.as_ref() == Some(&row.id);
    bundle.effects.iter().find(step).is_some_and(|effect| effect.state == EffectState::Applied)
}

/// Whether a person has settled this shipment otherwise than by the hub's word to the source.
fn given_up(bundle: &Bundle, row: &ShipmentRow) -> bool {
    row.confirmed_at.is_some()
        || bundle.effects.iter().any(|effect| {
            effect.kind == EffectKind::PostShipped
                && effect.shipment.as_ref() == Some(&row.id)
                && matches!(effect.state, EffectState::Voided | EffectState::Superseded)
        })
}

/// Parts that kits take of SKUs which have a product of their own: the source knows of the kit only.
fn add_kits(
    bundle: &Bundle,
    request: &RequestRow,
    window: &Window,
    wanted: &Wanted<'_>,
    committed: bool,
    flights: &mut BTreeMap<i64, InFlight>,
) {
    for line in &request.lines {
        let Some(product) = wanted.part(line) else { continue };
        let (mut left, mut waits) = (Decimal::ZERO, Decimal::ZERO);
        for row in bundle.shipments_of(request).filter(|row| row.shipment.shipped_at <= window.cut_off) {
            let of_line = |shipped: &&connect::PackageLine| shipped.line_number == Some(line.line_number);
            let units: Decimal = row.shipment.lines().filter(of_line).map(|shipped| shipped.quantity).sum();
            left += units;
            if !told(bundle, row, EffectKind::PostShipped) {
                waits += units;
            }
        }
        let flight = flights.entry(product).or_default();
        flight.kits_shipped += waits;
        if committed {
            flight.kits_committed += (line.quantity - left).max(Decimal::ZERO);
        }
    }
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
