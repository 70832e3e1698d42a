//! Stock: comparisons of the warehouse's count with Brightpearl's, and what a person decides about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Role, connections, entries, limit, paging};
use crate::{
    db::{Assent, ConnectionKey, CorrectionView, RunState, StockLine, StockRun},
    flow,
    runtime::Runtime,
};

/// A comparison in a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunOut {
    /// Its id.
    pub id: String,
    /// Which connection's.
    pub connection: String,
    /// The feed it came from.
    pub feed: String,
    /// The moment the figures speak of.
    #[schema(value_type = String, format = DateTime)]
    pub cut_off: Timestamp,
    /// When it was worked out.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// `planned` (its corrections are under way or done), `waiting` (for a person), `refused` (by a brake), `dropped`.
    pub state: String,
    /// Why.
    pub reason: String,
    /// SKUs in the feed.
    pub skus: u32,
    /// Products compared.
    pub compared: u32,
    /// Products that differ and may be corrected.
    pub changed: u32,
}

/// A comparison, but for its lines.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunDetailOut {
    /// As in the list.
    #[serde(flatten)]
    pub run: RunOut,
    /// How many of its lines have each verdict: `correct`, `skip`, `hold`.
    pub verdicts: BTreeMap<String, u32>,
    /// How many corrections it led to are in each state of effects; `undone` are those that another one takes back.
    pub corrections: BTreeMap<String, u32>,
    /// What waits of it is approved by two people, who both signed in.
    pub two_people: bool,
    /// Who has said yes, where two people approve.
    pub assents: Vec<AssentOut>,
}

/// A comparison with all of its lines.
#[derive(Debug, Clone, Serialize)]
pub struct WholeRunOut {
    /// But for them.
    #[serde(flatten)]
    pub detail: RunDetailOut,
    /// Lines that differ, are skipped or held.
    pub lines: Vec<RunLineOut>,
}

/// Which lines of a comparison.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct LinesQuery {
    /// With this verdict; several with commas.
    pub verdict: Option<String>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// One person's yes, where two people approve.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AssentOut {
    /// The SKUs of the lines it is for; none: the run itself.
    pub skus: Vec<String>,
    /// Who, as the audit trail names them.
    pub by: String,
    /// The same person's id (`per_…`).
    pub person: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether it counts: not that of a person who may not sign in any more.
    pub counts: bool,
}

/// One product of a comparison.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RunLineOut {
    /// Brightpearl's warehouse.
    pub warehouse: i64,
    /// Brightpearl's product.
    pub product: i64,
    /// The warehouse's SKUs that feed it.
    pub skus: Vec<String>,
    /// The warehouse's figure.
    #[schema(value_type = String)]
    pub figure: Decimal,
    /// Brightpearl's figure it was compared with.
    #[schema(value_type = String)]
    pub brightpearl: Decimal,
    /// Signed difference.
    #[schema(value_type = String)]
    pub difference: Decimal,
    /// The parts of the equation.
    #[schema(value_type = BTreeMap<String, String>)]
    pub parts: BTreeMap<String, Decimal>,
    /// `correct`, `skip`, `hold`.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// The correction that it led to (`eff_…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Where that stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect_state: Option<String>,
    /// The correction that takes it back (`eff_…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undone_by: Option<String>,
}

/// Which lines of a run are approved.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApproveIn {
    /// Held lines of a run that was acted upon, by the warehouse's SKUs. Empty: the run itself, which waits.
    pub skus: BTreeSet<String>,
}

/// Which levels.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct LevelsQuery {
    /// SKUs with this text.
    pub text: Option<String>,
    /// Most entries, 1 to 500; 50 where not given.
    pub limit: Option<u32>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

/// The warehouse's latest figure of a SKU.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LevelOut {
    /// The warehouse's SKU.
    pub sku: String,
    /// The facility; empty where there is one only.
    pub facility: String,
    /// Available figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub available: Option<Decimal>,
    /// Physical figure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub physical: Option<Decimal>,
    /// The moment it speaks of.
    #[schema(value_type = String, format = DateTime)]
    pub cut_off: Timestamp,
    /// The feed it came with.
    pub feed: String,
}

fn out(key: &ConnectionKey, run: &StockRun) -> RunOut {
    let state = match run.state {
        RunState::Planned => "planned",
        RunState::Waiting => "waiting",
        RunState::Refused => "refused",
        RunState::Dropped => "dropped",
    };
    RunOut {
        id: run.id.clone(),
        connection: key.connection.to_string(),
        feed: run.feed.clone(),
        cut_off: run.cut_off,
        made_at: run.made_at,
        state: state.to_owned(),
        reason: run.reason.clone(),
        skus: run.skus,
        compared: run.compared,
        changed: run.changed,
    }
}

/// Lines of a run, each with its correction.
async fn corrected(
    hub: &Hub,
    key: &ConnectionKey,
    run: &str,
    lines: Vec<StockLine>,
) -> Result<Vec<RunLineOut>, Failure> {
    let corrections: BTreeMap<(i64, i64), CorrectionView> = hub
        .db
        .corrections_of_run(key, run)
        .await?
        .into_iter()
        .map(|one| ((one.warehouse_id, one.product_id), one))
        .collect();
    let with = |line: StockLine| {
        let correction = corrections.get(&(line.warehouse_id, line.product_id));
        RunLineOut {
            effect: correction.map(|one| one.effect.to_string()),
            effect_state: correction.map(|one| one.state.to_string()),
            undone_by: correction.and_then(|one| Some(one.undone_by.as_ref()?.0.to_string())),
            ..line_out(line)
        }
    };
    Ok(lines.into_iter().map(with).collect())
}

async fn detail(hub: &Hub, key: &ConnectionKey, run: &StockRun) -> Result<RunDetailOut, Failure> {
    let mut verdicts = BTreeMap::new();
    for line in &run.lines {
        *verdicts.entry(line.verdict.clone()).or_default() += 1;
    }
    let mut corrections = BTreeMap::new();
    for one in hub.db.corrections_of_run(key, &run.id).await? {
        let stands = if one.undone_by.is_some() { "undone".to_owned() } else { one.state.to_string() };
        *corrections.entry(stands).or_default() += 1;
    }
    let assents = hub.db.assents(key, &run.id).await?;
    let said =
        |one: Assent| AssentOut { skus: one.skus, by: one.actor, person: one.person, at: one.at, counts: one.counts };
    Ok(RunDetailOut {
        run: out(key, run),
        verdicts,
        corrections,
        two_people: two_people(hub, key).await?,
        assents: assents.into_iter().map(said).collect(),
    })
}

fn line_out(line: StockLine) -> RunLineOut {
    RunLineOut {
        warehouse: line.warehouse_id,
        product: line.product_id,
        skus: line.skus,
        figure: line.figure,
        brightpearl: line.source_figure,
        difference: line.difference,
        parts: line.parts,
        verdict: line.verdict,
        reason: line.reason,
        effect: None,
        effect_state: None,
        undone_by: None,
    }
}

/// The comparisons of a connection, newest first.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn runs(hub: &Hub, caller: &Caller, named: &str, query: &PagingQuery) -> Result<PageOut<RunOut>, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let page = hub.db.runs(&key, query.cursor.as_deref(), query.limit()).await?;
    Ok(PageOut { items: page.items.iter().map(|run| out(&key, run)).collect(), next: page.next })
}

/// As [`runs`], each with its lines.
pub(super) async fn with_lines(
    hub: &Hub,
    caller: &Caller,
    named: &str,
    query: &PagingQuery,
) -> Result<PageOut<(RunOut, Vec<RunLineOut>)>, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let page = hub.db.runs(&key, query.cursor.as_deref(), query.limit()).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for run in page.items {
        let about = out(&key, &run);
        items.push((about, corrected(hub, &key, &run.id, run.lines).await?));
    }
    Ok(PageOut { items, next: page.next })
}

/// One comparison, but for its lines.
///
/// # Errors
/// When there is none for this caller.
pub async fn show(hub: &Hub, caller: &Caller, run: &str) -> Result<RunDetailOut, Failure> {
    let key = hub.db.find_run(&caller.access(), run).await?;
    detail(hub, &key, &hub.db.run(&key, run).await?).await
}

/// The lines of one comparison, by warehouse and product; those that no product was found for come first.
///
/// # Errors
/// When there is none for this caller, or the cursor is none of this list.
pub async fn lines(hub: &Hub, caller: &Caller, run: &str, query: &LinesQuery) -> Result<PageOut<RunLineOut>, Failure> {
    let key = hub.db.find_run(&caller.access(), run).await?;
    let mut kept = hub.db.run(&key, run).await?.lines;
    if let Some(named) = &query.verdict {
        let verdicts: BTreeSet<&str> = named.split(',').map(str::trim).collect();
        kept.retain(|line| verdicts.contains(line.verdict.as_str()));
    }
    let place = |line: &StockLine| (line.warehouse_id, line.product_id, line.skus.clone());
    let page = paging::page(kept, (entries(query.limit), query.cursor.as_deref()), place)?;
    Ok(PageOut { items: corrected(hub, &key, run, page.items).await?, next: page.next })
}

/// One comparison with all of its lines.
///
/// # Errors
/// When there is none for this caller.
pub async fn whole(hub: &Hub, caller: &Caller, run: &str) -> Result<WholeRunOut, Failure> {
    let key = hub.db.find_run(&caller.access(), run).await?;
    let run = hub.db.run(&key, run).await?;
    let detail = detail(hub, &key, &run).await?;
    Ok(WholeRunOut { lines: corrected(hub, &key, &run.id, run.lines).await?, detail })
}

/// Approves a comparison that waits, or single held lines of one that was acted upon: they are worked out anew, and what still
/// differs is corrected. Where two people approve, the first one's yes is written down, and the second one's decides.
///
/// # Errors
/// When it does not wait, a SKU is none of its held lines, or a remote system cannot be read.
pub async fn approve(hub: &Hub, caller: &Caller, run: &str, skus: &BTreeSet<String>) -> Result<RunDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    caller.proves(hub)?;
    let key = hub.db.find_run(&caller.access(), run).await?;
    if hub.db.frozen().await? {
        return Err(Failure::conflict("sending is frozen: a difference approved now would be old when it is sent")
            .remedy("See `millrace safety`; approve the first comparison after sending is released."));
    }
    if !agreed(hub, caller, &key, run, skus).await? {
        return detail(hub, &key, &hub.db.run(&key, run).await?).await;
    }
    let runtime = ready(hub, &key).await?;
    let approved = if skus.is_empty() {
        flow::stock::approve(&runtime, run, &caller.actor).await?
    } else {
        flow::stock::approve_lines(&runtime, run, skus, &caller.actor).await?
    };
    detail(hub, &key, &approved).await
}

/// Whether two people approve. As it is kept, not as it runs: the switch holds from its commit on.
async fn two_people(hub: &Hub, key: &ConnectionKey) -> Result<bool, Failure> {
    Ok(hub.db.connection(key, &hub.keyring).await?.settings.stock.two_people)
}

/// Whether nothing but this yes is missing: always, unless two people approve.
async fn agreed(
    hub: &Hub,
    caller: &Caller,
    key: &ConnectionKey,
    run: &str,
    skus: &BTreeSet<String>,
) -> Result<bool, Failure> {
    if !two_people(hub, key).await? {
        return Ok(true);
    }
    // A key or a command line is nobody, and one person may hold several.
    let Some(person) = &caller.signed_in else {
        return Err(Failure::new(
            FailureKind::Forbidden,
            "stock of this connection is approved by two people who signed in",
        )
        .remedy("Approve it in the app, and have somebody else approve it as well; or set `two_people` off."));
    };
    let wanted = if skus.is_empty() { RunState::Waiting } else { RunState::Planned };
    if hub.db.run(key, run).await?.state != wanted {
        // It cannot be approved, and approving says why.
        return Ok(true);
    }
    let skus: Vec<&str> = skus.iter().map(String::as_str).collect();
    Ok(hub.db.assent(key, run, &skus, &person.person, &caller.actor).await?)
}

/// The connection as it runs here; on another node, or not at all: built for this one reading.
pub(super) async fn ready(hub: &Hub, key: &ConnectionKey) -> Result<Arc<Runtime>, Failure> {
    match hub.workers.runtime(key) {
        Some(runtime) => Ok(runtime),
        None => Ok(Arc::new(hub.workers.build(key).await?)),
    }
}

/// Turns a comparison that waits down.
///
/// # Errors
/// When it does not wait, or there is none for this caller.
pub async fn turn_down(hub: &Hub, caller: &Caller, run: &str) -> Result<RunDetailOut, Failure> {
    caller.needs(Role::Staff)?;
    let key = hub.db.find_run(&caller.access(), run).await?;
    hub.db.drop_run(&key, run, &caller.actor).await?;
    detail(hub, &key, &hub.db.run(&key, run).await?).await
}

/// The warehouse's latest figures, by SKU.
///
/// # Errors
/// When there is no such connection for this caller.
pub async fn levels(hub: &Hub, caller: &Caller, named: &str, query: LevelsQuery) -> Result<PageOut<LevelOut>, Failure> {
    let key = connections::find(hub, caller, named).await?;
    let wanted = usize::try_from(limit(query.limit)).unwrap_or(50);
    let text = query.text.unwrap_or_default().to_lowercase();
    let mut after = query.cursor;
    let mut items: Vec<LevelOut> = Vec::new();
    loop {
        let mut slice = hub.db.levels(&key, &text, after.as_deref(), SLICE).await?;
        let full = slice.len() == usize::try_from(SLICE).unwrap_or(usize::MAX);
        if full && let Some(last) = slice.last().map(|level| level.sku.clone()) {
            // Its facilities may go on behind the slice: the next slice has all of them.
            slice.retain(|level| level.sku != last);
        }
        let Some(last) = slice.last().map(|level| level.sku.clone()) else { break };
        for level in slice {
            // Facilities of one SKU stay on one page, so that the SKU alone says where to go on.
            if let Some(before) = items.last()
                && items.len() >= wanted
                && before.sku != level.sku
            {
                let next = Some(before.sku.clone());
                return Ok(PageOut { items, next });
            }
            if level.sku.to_lowercase().contains(&text) {
                items.push(LevelOut {
                    sku: level.sku,
                    facility: level.facility,
                    available: level.available,
                    physical: level.physical,
                    cut_off: level.cut_off,
                    feed: level.feed,
                });
            }
        }
        if !full {
            break;
        }
        after = Some(last);
    }
    Ok(PageOut { items, next: None })
}

/// Levels read with one look.
const SLICE: u32 = 1000;
