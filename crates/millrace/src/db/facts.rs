//! Orders with their requests, shipments and effects, loaded together; and the state of an order that follows from them.

use std::collections::{BTreeMap, BTreeSet};

use connect::{
    Address, EffectId, EffectKind, LineRef, NoteRow, OrderId, RemoteRef, RequestId, RequestLine, Shipment, ShipmentId,
};
use engine::{
    effect::EffectState,
    order::{Disposition, OrderFacts, OrderState, RequestFacts},
    race::Outcome,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{
    DbError, R, Scope, StepState,
    races::{self, RaceRow},
    sql::{Row, Tx, Value},
};

/// A request as kept.
#[derive(Debug, Clone)]
pub(super) struct RequestRow {
    pub(super) id: RequestId,
    pub(super) order: OrderId,
    pub(super) order_id: i64,
    pub(super) key: String,
    pub(super) note_id: Option<i64>,
    pub(super) warehouse_id: Option<i64>,
    pub(super) lines: Vec<RequestLine>,
    pub(super) live: bool,
    pub(super) finished: bool,
    pub(super) cancelled_by_warehouse: bool,
    /// Lines of which nothing more will leave.
    pub(super) ended: Vec<LineRef>,
    /// When it was last said of some of it that nothing more will leave.
    pub(super) ended_at: Option<Timestamp>,
    /// When that was said first: what leaves later was kept for nobody in between.
    pub(super) freed_at: Option<Timestamp>,
    pub(super) cancel_wanted: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) done: bool,
    pub(super) version: i64,
    pub(super) look_at: Option<Timestamp>,
    /// Cancelled at the warehouse, and asked for again under another key.
    pub(super) retired: bool,
    pub(super) ship_to: Option<Address>,
}

/// A shipment as kept.
#[derive(Debug, Clone)]
pub(super) struct ShipmentRow {
    pub(super) id: ShipmentId,
    pub(super) request: Option<RequestId>,
    /// What it is known by here.
    pub(super) reference: String,
    pub(super) shipment: Shipment,
    pub(super) rows: Option<Vec<NoteRow>>,
    pub(super) confirmed_at: Option<Timestamp>,
    pub(super) problem: Option<String>,
}

impl ShipmentRow {
    /// Sorts the shipments of a request as they are told: what is begun first, then as they left, not as they came in. After
    /// a loss of the journal they come in anew, in whatever order, and the part whose note the lost journal had made already
    /// must still be the first.
    fn told(&self) -> (bool, bool, Timestamp, &ShipmentId) {
        (self.confirmed_at.is_none(), self.rows.is_none(), self.shipment.shipped_at, &self.id)
    }
}

/// An effect as far as decisions about orders need it.
#[derive(Debug, Clone)]
pub(super) struct EffectBrief {
    pub(super) id: EffectId,
    pub(super) kind: EffectKind,
    pub(super) key: String,
    pub(super) state: EffectState,
    pub(super) body_sha256: String,
    pub(super) remote: Option<RemoteRef>,
    pub(super) title: String,
    pub(super) note: String,
    pub(super) voided_by: Option<String>,
    pub(super) changed_at: Timestamp,
    pub(super) next_at: Timestamp,
    /// Nothing of it left before; `None` while it was never armed. When what a lost journal sent left, nobody knows.
    pub(super) sent_from: Option<Timestamp>,
    pub(super) request: Option<RequestId>,
    pub(super) shipment: Option<ShipmentId>,
    /// A journal that was lost may have sent it, and it has not been looked for yet (docs/recovery.md).
    pub(super) suspected: bool,
    /// It is done by a person's word: a lost journal sent it, perhaps with other content.
    pub(super) by_word: bool,
    /// It is done, and the warehouse says that it could not read the message that carries it: it has nothing of it
    /// (docs/x12.md). Since when that is known.
    pub(super) turned_down: Option<Timestamp>,
}

impl EffectBrief {
    pub(super) fn step(&self) -> StepState {
        StepState {
            kind: self.kind,
            key: self.key.clone(),
            state: self.state,
            remote: self.remote.clone(),
            note: self.note.clone(),
            changed_at: self.changed_at,
        }
    }
}

/// Everything that hangs on one order.
#[derive(Debug, Default)]
pub(super) struct Bundle {
    pub(super) requests: Vec<RequestRow>,
    /// In the order they are told, which is the order their rows are decided in.
    pub(super) shipments: Vec<ShipmentRow>,
    pub(super) effects: Vec<EffectBrief>,
    /// Cancels and changes that came after it was sent.
    pub(super) races: BTreeMap<RequestId, RaceRow>,
}

/// Whether an effect in this state may have reached the remote system.
pub(super) fn may_be_there(state: EffectState) -> bool {
    !matches!(state, EffectState::Planned | EffectState::NotSent | EffectState::Refused | EffectState::Voided)
}

impl Bundle {
    pub(super) fn submit(&self, request: &RequestRow) -> Option<&EffectBrief> {
        self.effects
            .iter()
            .find(|effect| effect.kind == EffectKind::SubmitRequest && effect.request.as_ref() == Some(&request.id))
    }

    /// Whether the warehouse may have this request.
    pub(super) fn sent(&self, request: &RequestRow) -> bool {
        self.submit(request).is_some_and(|submit| may_be_there(submit.state))
    }

    /// Whether the warehouse says that it could not read this request, and nothing has left as if it had.
    pub(super) fn turned_down(&self, request: &RequestRow) -> bool {
        self.submit(request).is_some_and(|submit| submit.turned_down.is_some()) && self.shipped(request).is_zero()
    }

    /// Whether the warehouse does not have this request, or works on it no more, as far as it says.
    pub(super) fn not_there(&self, request: &RequestRow) -> bool {
        self.cancelled(request) || request.cancelled_by_warehouse || self.turned_down(request)
    }

    /// Whether a journal that was lost may have sent this request, and nobody has looked yet.
    pub(super) fn suspected(&self, request: &RequestRow) -> bool {
        self.submit(request).is_some_and(|submit| submit.suspected && submit.state != EffectState::Voided)
    }

    /// Whether the warehouse may have this request, as far as this journal or one that was lost can tell.
    pub(super) fn may_have_left(&self, request: &RequestRow) -> bool {
        self.sent(request) || self.suspected(request)
    }

    pub(super) fn shipments_of<'a>(&'a self, request: &'a RequestRow) -> impl Iterator<Item = &'a ShipmentRow> {
        self.shipments.iter().filter(|shipment| shipment.request.as_ref() == Some(&request.id))
    }

    /// The warehouse has cancelled it because it was asked to, and nothing has left.
    pub(super) fn cancelled(&self, request: &RequestRow) -> bool {
        match self.races.get(&request.id) {
            Some(race) => race.shown.outcome == Outcome::Accepted,
            // Cancelled before races were kept.
            None => self.cancel_step(request) == engine::race::CancelStep::Accepted,
        }
    }

    /// Nothing more will leave: the warehouse says so, or the rest of it was cancelled.
    pub(super) fn finished(&self, request: &RequestRow) -> bool {
        request.finished || self.races.get(&request.id).is_some_and(|race| race.shown.outcome == Outcome::Partly)
    }

    /// When the time for second thoughts ends, while it runs.
    pub(super) fn leaves_at(&self, request: &RequestRow) -> Option<Timestamp> {
        let submit = self.submit(request)?;
        match submit.state {
            EffectState::Planned => {
                let set_so = submit.sent_from.is_none() && submit.note.is_empty();
                (set_so && submit.next_at > submit.changed_at).then_some(submit.next_at)
            }
            EffectState::Applied => {
                let release = EffectKind::ReleaseRequest;
                let released = self
                    .effects
                    .iter()
                    .any(|effect| effect.kind == release && effect.request.as_ref() == Some(&request.id));
                let racing = self.races.get(&request.id).is_some_and(RaceRow::waits);
                request.look_at.filter(|_| !released && !racing)
            }
            _ => None,
        }
    }

    pub(super) fn shipped(&self, request: &RequestRow) -> Decimal {
        self.shipments_of(request).flat_map(|row| row.shipment.lines()).map(|line| line.quantity).sum()
    }

    /// All has left, or nothing more will, and the source knows.
    pub(super) fn complete(&self, request: &RequestRow) -> bool {
        let submitted = self.submit(request).is_some_and(|submit| submit.state == EffectState::Applied);
        if self.cancelled(request) {
            return self.shipments_of(request).all(|row| row.confirmed_at.is_some());
        }
        submitted
            && (self.finished(request) || self.shipped(request) >= asked(&request.lines))
            && self.shipments_of(request).all(|row| row.confirmed_at.is_some())
    }

    pub(super) fn problem(&self, request: &RequestRow) -> Option<String> {
        let outcome = self.races.get(&request.id).map(|race| race.shown.outcome);
        let answered = outcome.is_some_and(Outcome::answered);
        let of_effect = self
            .effects
            .iter()
            .find(|effect| {
                effect.state.needs_person()
                    && effect.request.as_ref() == Some(&request.id)
                    && !outcome.is_some_and(|outcome| outcome.ends(effect.kind))
            })
            .map(|effect| format!("{}: {}", effect.title, effect.note));
        of_effect
            .or_else(|| self.unread(request).filter(|_| !answered).map(str::to_owned))
            .or_else(|| request.problem.clone())
            .or_else(|| self.shipments_of(request).find_map(|row| row.problem.clone()))
    }

    /// What to do about a message of this request that the warehouse could not read.
    fn unread(&self, request: &RequestRow) -> Option<&'static str> {
        if self.turned_down(request) {
            return Some(
                "the warehouse could not read it, and does not have it: mend what its exception names, then send it again",
            );
        }
        if self.races.get(&request.id).is_none_or(|race| race.withdrawn) {
            return None;
        }
        let cancel = |effect: &&EffectBrief| {
            effect.kind == EffectKind::CancelRequest && effect.request.as_ref() == Some(&request.id)
        };
        self.effects.iter().find(cancel).filter(|cancel| cancel.turned_down.is_some()).map(
            |_| "the warehouse could not read the cancel: tell it by telephone or e-mail, then record what it says",
        )
    }

    fn facts(&self, request: &RequestRow) -> RequestFacts {
        let work_open = self.effects.iter().any(|effect| {
            effect.kind.side() == connect::Side::Source
                && effect.state.open()
                && effect.request.as_ref() == Some(&request.id)
        });
        let cancel_accepted = self.cancelled(request);
        let answered = self.races.get(&request.id).is_some_and(|race| race.shown.outcome.answered());
        RequestFacts {
            submit: self.submit(request).map_or(EffectState::Planned, |submit| submit.state),
            problem: self.problem(request),
            cancel_accepted,
            // Of what somebody wanted stopped, the race tells.
            cancelled_by_warehouse: request.cancelled_by_warehouse && !cancel_accepted && !answered,
            asked: asked(&request.lines),
            shipped: self.shipped(request),
            finished: self.finished(request),
            source_work_open: work_open || self.shipments_of(request).any(|row| row.confirmed_at.is_none()),
            leaves_at: self.leaves_at(request),
            race: self.races.get(&request.id).map(|race| race.shown.clone()),
        }
    }
}

pub(super) fn asked(lines: &[RequestLine]) -> Decimal {
    lines.iter().map(|line| line.quantity).sum()
}

/// Units of each of the source's rows that these lines ask for. Lines of one kit speak of the same units of their row.
pub(super) fn row_units(lines: &[RequestLine]) -> BTreeMap<i64, Decimal> {
    let mut units: BTreeMap<i64, Decimal> = BTreeMap::new();
    for line in lines {
        let of_line = line.quantity.checked_div(line.per_unit).unwrap_or(line.quantity);
        let known = units.entry(line.row_id).or_default();
        *known = (*known).max(of_line);
    }
    units
}

pub(super) fn disposition(kind: &str, reason: &str) -> R<Disposition> {
    let reason = reason.to_owned();
    match kind {
        "waiting" => Ok(Disposition::Waiting(reason)),
        "held" => Ok(Disposition::Held(reason)),
        "skipped" => Ok(Disposition::Skipped(reason)),
        "cancelled" => Ok(Disposition::Cancelled(reason)),
        "requested" => Ok(Disposition::Requested),
        other => Err(DbError::Corrupt(format!("{other:?} is not a disposition"))),
    }
}

pub(super) fn state(name: &str) -> R<OrderState> {
    name.parse().map_err(DbError::corrupt)
}

pub(super) fn scope_values(scope: &Scope) -> [Value; 2] {
    [(&scope.tenant).into(), (&scope.merchant).into()]
}

fn request_row(row: &Row) -> R<RequestRow> {
    Ok(RequestRow {
        id: row.parsed(0)?,
        order: row.parsed(1)?,
        order_id: row.int(2)?,
        key: row.string(3)?,
        note_id: row.opt_int(4)?,
        warehouse_id: row.opt_int(5)?,
        lines: row.json(6)?,
        live: row.flag(7)?,
        finished: row.flag(8)?,
        cancelled_by_warehouse: row.flag(9)?,
        cancel_wanted: row.opt_string(10)?,
        problem: row.opt_string(11)?,
        done: row.flag(12)?,
        version: row.int(13)?,
        look_at: row.opt_time(14)?,
        retired: row.flag(15)?,
        ship_to: row.opt_json(16)?,
        ended: if row.text(18)?.is_empty() { Vec::new() } else { row.json(18)? },
        ended_at: row.opt_time(19)?,
        freed_at: row.opt_time(20)?,
    })
}

/// Everything that hangs on these orders; an order without anything has an empty bundle.
pub(super) async fn load(tx: &mut Tx, scope: &Scope, orders: &BTreeSet<OrderId>) -> R<BTreeMap<OrderId, Bundle>> {
    let mut bundles: BTreeMap<OrderId, Bundle> =
        orders.iter().map(|order| (order.clone(), Bundle::default())).collect();
    let fixed = scope_values(scope);
    let requests = tx
        .among(
            "SELECT id, order_ref, order_id, key, note_id, warehouse_id, lines, live, finished, cancelled_by_warehouse,
                 cancel_wanted, problem, done, version, look_at, retired, ship_to, racing, ended, ended_at, freed_at
             FROM request WHERE tenant = $1 AND merchant = $2 AND order_ref IN (",
            ")",
            &fixed,
            orders,
        )
        .await?;
    let mut racing = BTreeSet::new();
    for row in &requests {
        let request = request_row(row)?;
        if row.flag(17)? {
            racing.insert(request.order.clone());
        }
        if let Some(bundle) = bundles.get_mut(&request.order) {
            bundle.requests.push(request);
        }
    }
    if requests.is_empty() {
        return Ok(bundles);
    }
    let shipments = tx
        .among(
            "SELECT order_ref, id, request, document, note_rows, confirmed_at, problem, reference
             FROM shipment WHERE tenant = $1 AND merchant = $2 AND order_ref IN (",
            ")",
            &fixed,
            orders,
        )
        .await?;
    for row in &shipments {
        if let Some(bundle) = bundles.get_mut(&row.parsed(0)?) {
            bundle.shipments.push(ShipmentRow {
                id: row.parsed(1)?,
                request: row.opt_parsed(2)?,
                reference: row.string(7)?,
                shipment: row.json(3)?,
                rows: row.opt_json(4)?,
                confirmed_at: row.opt_time(5)?,
                problem: row.opt_string(6)?,
            });
        }
    }
    let effects = tx
        .among(
            "SELECT order_ref, id, kind, key, state, body_sha256, remote, title, note, voided_by, changed_at, request_ref,
                 shipment_ref, CASE WHEN armed_at IS NOT NULL AND recovery IS NOT NULL AND recovery <> 'absent' THEN 0
                     WHEN attempt > 1 THEN created_at ELSE armed_at END, next_at, recovery,
                 CASE WHEN receipt = 'refused' THEN receipt_at END,
                 CASE WHEN state = 'applied' AND attempt = 0 AND recovery IN ('conflict', 'cannot_ask') THEN 1 ELSE 0 END
             FROM effect WHERE tenant = $1 AND merchant = $2 AND order_ref IN (",
            ")",
            &fixed,
            orders,
        )
        .await?;
    for row in &effects {
        if let Some(bundle) = bundles.get_mut(&row.parsed(0)?) {
            bundle.effects.push(EffectBrief {
                id: row.parsed(1)?,
                kind: row.parsed(2)?,
                key: row.string(3)?,
                state: row.parsed(4)?,
                body_sha256: row.string(5)?,
                remote: row.opt_json(6)?,
                title: row.string(7)?,
                note: row.string(8)?,
                voided_by: row.opt_string(9)?,
                changed_at: row.time(10)?,
                request: row.opt_parsed(11)?,
                shipment: row.opt_parsed(12)?,
                sent_from: row.opt_time(13)?,
                next_at: row.time(14)?,
                suspected: row.opt_string(15)?.as_deref() == Some("open"),
                turned_down: row.opt_time(16)?,
                by_word: row.flag(17)?,
            });
        }
    }
    if !racing.is_empty() {
        for race in races::load(tx, scope, racing.iter()).await? {
            if let Some(bundle) = bundles.get_mut(&race.order) {
                bundle.races.insert(race.request.clone(), race);
            }
        }
    }
    for bundle in bundles.values_mut() {
        bundle.requests.sort_by(|a, b| a.id.cmp(&b.id));
        bundle.shipments.sort_by(|a, b| a.told().cmp(&b.told()));
        bundle.effects.sort_by(|a, b| a.id.cmp(&b.id));
    }
    Ok(bundles)
}

/// Works the shown state of these orders out again, keeps it where it changed, and says so. Called in the transaction of
/// whatever changed a fact.
pub(super) async fn refresh(tx: &mut Tx, scope: &Scope, orders: &BTreeSet<OrderId>) -> R<()> {
    if orders.is_empty() {
        return Ok(());
    }
    let mut bundles = load(tx, scope, orders).await?;
    races::settle(tx, scope, &mut bundles).await?;
    let fixed = scope_values(scope);
    let rows = tx
        .among(
            "SELECT id, archived, held_reason, disposition, disposition_reason, problem, state, state_reason, marked
             FROM orders WHERE tenant = $1 AND merchant = $2 AND id IN (",
            ")",
            &fixed,
            orders.iter(),
        )
        .await?;
    let now = tx.now;
    let mut changed = Vec::new();
    let mut done = Vec::new();
    for row in &rows {
        let id: OrderId = row.parsed(0)?;
        let Some(bundle) = bundles.get(&id) else { continue };
        let requests: Vec<RequestFacts> =
            bundle.requests.iter().filter(|request| request.live).map(|request| bundle.facts(request)).collect();
        let shipped_all_the_same =
            bundle.requests.iter().find(|request| request.retired && !bundle.shipped(request).is_zero()).map(
                |request| {
                    format!("the warehouse cancelled {} and shipped it all the same; ask it what left", request.key)
                },
            );
        let kept = row.opt_string(5)?.filter(|_| !requests.is_empty());
        let facts = OrderFacts {
            archived: row.flag(1)?,
            held_by_person: row.opt_string(2)?,
            disposition: disposition(row.text(3)?, row.text(4)?)?,
            problem: shipped_all_the_same.or(row.opt_string(8)?).or(kept),
            requests,
        };
        let (state, reason) = engine::order::state(&facts);
        if row.text(6)? != state.as_str() {
            tx.event("order", id.as_str(), state.as_str());
        }
        if row.text(6)? != state.as_str() || row.text(7)? != reason {
            changed.push(vec![(&id).into(), state.as_str().into(), reason.into()]);
        }
        for request in bundle.requests.iter().filter(|request| request.live) {
            let complete = bundle.complete(request);
            if complete != request.done {
                done.push(vec![Value::from(&request.id), complete.into()]);
            }
        }
    }
    let fixed = [fixed[0].clone(), fixed[1].clone(), now.into()];
    tx.many(
        "UPDATE orders SET state = v.column2, state_reason = v.column3, changed_at = $3 FROM (VALUES ",
        ") AS v WHERE orders.tenant = $1 AND orders.merchant = $2 AND orders.id = v.column1 AND orders.id IN ({first})",
        &fixed,
        changed,
    )
    .await?;
    let [tenant, merchant, _] = fixed;
    tx.many(
        "UPDATE request SET done = v.column2 FROM (VALUES ",
        ") AS v WHERE request.tenant = $1 AND request.merchant = $2 AND request.id = v.column1 AND request.id IN ({first})",
        &[tenant, merchant],
        done,
    )
    .await?;
    Ok(())
}

/// Marks requests: something happened to them.
pub(super) async fn flag(tx: &mut Tx, scope: &Scope, requests: &BTreeSet<RequestId>) -> R<()> {
    let [tenant, merchant] = scope_values(scope);
    let now = tx.now;
    if !requests.is_empty() {
        tx.wakes.work = true;
    }
    tx.among(
        "UPDATE request SET flagged = 1, flagged_at = CASE WHEN flagged = 1 THEN flagged_at ELSE $3 END,
             version = version + 1
         WHERE tenant = $1 AND merchant = $2 AND live = 1 AND id IN (",
        ")",
        &[tenant, merchant, now.into()],
        requests.iter(),
    )
    .await?;
    Ok(())
}
