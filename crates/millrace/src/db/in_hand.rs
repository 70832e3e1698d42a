//! What the hub has in hand between the two systems, as the stock equation needs it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{EffectKind, RequestLine};
use engine::{
    effect::{EffectState, later},
    ended,
    race::{CancelStep, Outcome},
};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::{
    ConnectionKey, Database, InFlight, R, corrections,
    effects::key_values,
    facts::{self, Bundle, RequestRow, ShipmentRow},
    safety,
    sql::Tx,
};

/// A count of the warehouse, as far as what is in hand looks different to it.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// The moment that its figures speak of.
    pub cut_off: Timestamp,
    /// So long before and after it the warehouse may or may not have known what it was just told.
    pub settle: Duration,
    /// What the warehouse takes in it holds until it is let go.
    pub holds: bool,
}

impl Database {
    /// Units of products of one of the source's warehouses that the hub has in hand, as a count sees them. Products with nothing in
    /// hand are left out.
    pub async fn in_flight(
        &self,
        key: &ConnectionKey,
        warehouse_id: i64,
        count: Count,
        products: &[i64],
    ) -> R<BTreeMap<i64, InFlight>> {
        self.in_flight_with_kits(key, warehouse_id, count, products, &BTreeMap::new()).await
    }

    /// The same, with what kits hold of products whose SKU at the warehouse is also part of kits: `parts` gives the product of
    /// each such SKU.
    pub async fn in_flight_with_kits(
        &self,
        key: &ConnectionKey,
        warehouse_id: i64,
        count: Count,
        products: &[i64],
        parts: &BTreeMap<String, i64>,
    ) -> R<BTreeMap<i64, InFlight>> {
        let (key, products) = (key.clone(), products.iter().copied().collect::<BTreeSet<_>>());
        let parts = parts.clone();
        self.read(&key.clone(), "in_flight", move |tx| {
            Box::pin(async move {
                let lost_until = safety::load(tx).await?.lost.map(|lost| lost.until);
                let window = Window { lost_until, ..Window::of(count) };
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
    /// What the warehouse takes in it holds until it is let go.
    holds: bool,
}

impl Window {
    fn of(Count { cut_off, settle, holds }: Count) -> Self {
        let from = SignedDuration::try_from(settle).ok().and_then(|settle| cut_off.checked_sub(settle).ok());
        Self { from: from.unwrap_or(Timestamp::MIN), cut_off, to: later(cut_off, settle), lost_until: None, holds }
    }

    fn holds(&self, at: Timestamp) -> bool {
        at > self.from && at <= self.to
    }

    /// Whether what left at this time may have been told by a journal that is lost.
    fn forgotten(&self, at: Timestamp) -> bool {
        self.lost_until.is_some_and(|until| at <= later(until, CLOCKS))
    }
}

/// Requests of a warehouse that still matter to a feed: not done, or with something that left or ended after it spoke.
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
                 AND (r.warehouse_id = $4 OR r.warehouse_id IS NULL)
             UNION
             SELECT order_ref FROM request
             WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND ended_at > $5
                 AND (warehouse_id = $4 OR warehouse_id IS NULL)",
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
            if !here || !request.lines.iter().any(|line| wanted.is_about(line)) {
                continue;
            }
            if request.live {
                add_request(bundle, request, window, wanted, &mut flights);
            }
            add_ending(bundle, request, window, &mut flights);
        }
    }
    flights.retain(|product, _| wanted.products.contains(product));
    Ok(flights)
}

/// Nothing more will leave: what left and is not posted is all that the source still keeps allocated.
fn is_over(bundle: &Bundle, request: &RequestRow) -> bool {
    bundle.finished(request) || request.cancelled_by_warehouse || bundle.cancelled(request)
}

/// What of each line has not left, or had not by then.
fn rests(bundle: &Bundle, request: &RequestRow, by: Option<Timestamp>) -> Vec<ended::Rest> {
    let left = bundle
        .shipments_of(request)
        .filter(|row| by.is_none_or(|by| row.shipment.shipped_at <= by))
        .flat_map(|row| row.shipment.lines());
    let mut rests = ended::rests(&request.lines, left, &request.ended);
    if is_over(bundle, request) || !request.live {
        for rest in &mut rests {
            rest.lapsed += std::mem::take(&mut rest.to_come);
        }
    }
    rests
}

/// Whether the warehouse may have carried out a cancel of this request that nobody has heard of: the hub's own, or one that a
/// person was to ask for.
fn is_being_cancelled(bundle: &Bundle, request: &RequestRow) -> bool {
    let is_asked = || matches!(bundle.cancel_step(request), CancelStep::Open | CancelStep::Stuck);
    let Some(race) = bundle.races.get(&request.id) else { return is_asked() };
    match race.shown.outcome {
        Outcome::Pending => race.shown.by_hand.is_some() || is_asked(),
        // Somebody asks them by now.
        Outcome::Silent => true,
        Outcome::Withdrawn => race.shown.by_hand.is_some() && race.shown.answer.is_none(),
        Outcome::Accepted | Outcome::Partly | Outcome::TooLate => false,
    }
}

/// Whether the warehouse held this request when it counted, or may have: some keep units for what is held, and others do not.
fn is_held(bundle: &Bundle, request: &RequestRow, window: &Window) -> bool {
    bundle.sent(request)
        && !bundle.effects.iter().any(|effect| {
            effect.kind == EffectKind::ReleaseRequest
                && effect.request.as_ref() == Some(&request.id)
                && effect.state == EffectState::Applied
                && effect.changed_at <= window.from
        })
}

/// Products of which units left, untold, after the warehouse had said that nothing more of them would: at a count in between they
/// were kept for nobody.
fn left_after_the_end(bundle: &Bundle, request: &RequestRow, window: &Window) -> BTreeSet<i64> {
    let Some(freed_at) = request.freed_at else { return BTreeSet::new() };
    let after = bundle.shipments_of(request).filter(|row| row.shipment.shipped_at > freed_at.max(window.from));
    after
        .filter(|row| !told(bundle, row, EffectKind::PostShipped) && !given_up(bundle, row))
        .flat_map(|row| shipped_units(&request.lines, row).into_keys())
        .collect()
}

/// Marks products of which the warehouse may or may not have kept units for this request when it counted.
fn add_ending(bundle: &Bundle, request: &RequestRow, window: &Window, flights: &mut BTreeMap<i64, InFlight>) {
    let has_ended = request.ended_at.is_some_and(|at| at > window.from);
    let is_ending = request.live && is_being_cancelled(bundle, request);
    let was_held = request.live && window.holds && is_held(bundle, request, window);
    let mut products = left_after_the_end(bundle, request, window);
    for (line, rest) in request.lines.iter().zip(rests(bundle, request, None)) {
        if has_ended && !rest.lapsed.is_zero() || is_ending && !rest.to_come.is_zero() {
            products.insert(line.product_id);
        }
    }
    if was_held {
        let then = request.lines.iter().zip(rests(bundle, request, Some(window.from)));
        products.extend(then.filter(|(_, rest)| !rest.to_come.is_zero()).map(|(line, _)| line.product_id));
    }
    for product in products {
        flights.entry(product).or_default().ending = Some(request.order_id);
    }
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
    let over = is_over(bundle, request);
    // What ended is kept for nobody.
    let mut kept = request.lines.clone();
    for (line, rest) in kept.iter_mut().zip(rests(bundle, request, None)) {
        line.quantity -= rest.lapsed;
    }
    let mut open = if over { BTreeMap::new() } else { asked_units(&kept) };
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
    add_kits(bundle, request, &kept, window, wanted, by_then && !over, flights);
    let by_word = !over && bundle.submit(request).is_some_and(|submit| submit.by_word);
    if unsettled || by_word {
        for line in &request.lines {
            let flight = flights.entry(line.product_id).or_default();
            flight.unsettled |= unsettled;
            flight.by_word |= by_word;
        }
    }
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
    kept: &[RequestLine],
    window: &Window,
    wanted: &Wanted<'_>,
    committed: bool,
    flights: &mut BTreeMap<i64, InFlight>,
) {
    for line in kept {
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
