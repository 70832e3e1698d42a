//! Messages exchanged with warehouses: which of theirs were taken in, and what they say of ours (docs/decisions/0036).

use std::collections::BTreeMap;

use connect::{EffectId, EffectKind, Known, Mark, OrderId, Receipt, Reception};
use engine::race::Outcome;
use jiff::{SignedDuration, Timestamp};

use super::{
    ConnectionKey, Database, NewEffect, R,
    effects::{self, key_values},
    facts, inbox,
    sql::{Row, Tx},
};

/// What an exception about a message of ours that nobody has acknowledged is called.
const UNACKNOWLEDGED: &str = "unacknowledged";
/// What an exception about a message of ours that was not taken in is called.
const REFUSED: &str = "refused_message";

/// Most of those that are raised together.
const MOST: i64 = 500;

/// Most messages that are forgotten together, oldest first. More come in with no reading, so none is left over for long.
const FORGOTTEN: i64 = 1_000;

/// Most messages whose names end in no number that are passed over to find the highest that does.
const NO_NUMBERS: i64 = 50;

/// A message of ours whose receipt is overdue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overdue {
    /// The effect that carries it.
    pub id: EffectId,
    /// What it does, for people.
    pub title: String,
    /// Its running number.
    pub number: i64,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// Within how many minutes it should have been acknowledged.
    pub within_minutes: i64,
}

impl Overdue {
    /// What is missing, and what to do. What differs from one to the next stands in quotes, so that all of them are one cause.
    fn words(&self) -> String {
        format!(
            "the warehouse has not acknowledged number {} (\"{}\"), sent {} and due within {} minutes: it may not have been read. \
             Ask the warehouse whether it has it; it is not sent again by itself, and must not be sent under another number before \
             that is known. This settles itself when the acknowledgement comes",
            self.number,
            self.title.replace('"', "'"),
            self.sent_at.strftime("%Y-%m-%d %H:%M UTC"),
            self.within_minutes
        )
    }
}

impl Database {
    /// Those of these messages that were taken in before.
    pub async fn letters(&self, key: &ConnectionKey, names: &[String]) -> R<BTreeMap<String, Known>> {
        let (key, names) = (key.clone(), names.to_vec());
        self.read(&key.clone(), "letters", move |tx| {
            Box::pin(async move {
                let rows = tx
                    .among(
                        "SELECT name, content_sha256, at, written FROM letter
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND name IN (",
                        ")",
                        &key_values(&key),
                        &names,
                    )
                    .await?;
                rows.iter().map(|row| Ok((row.string(0)?, known(row)?))).collect()
            })
        })
        .await
    }

    /// Of the messages whose names are this series, a space and a number, the one with the highest number.
    pub async fn highest_letter(&self, key: &ConnectionKey, series: &str) -> R<Option<(u64, Known)>> {
        let (key, before) = (key.clone(), format!("{series} "));
        self.read(&key.clone(), "highest_letter", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                // Of numbers without zeros in front the longer one is the higher one.
                let rows = tx
                    .query(
                        "SELECT name, content_sha256, at, written FROM letter
                         WHERE tenant = $1 AND merchant = $2 AND connection = $3
                             AND substr(name, 1, length(CAST($4 AS TEXT))) = CAST($4 AS TEXT)
                         ORDER BY length(name) DESC, name DESC LIMIT $5",
                        &[tenant, merchant, connection, (&before).into(), NO_NUMBERS.into()],
                    )
                    .await?;
                for row in &rows {
                    if let Some(number) = row.text(0)?.strip_prefix(&before).and_then(|number| number.parse().ok()) {
                        return Ok(Some((number, known(row)?)));
                    }
                }
                Ok(None)
            })
        })
        .await
    }

    /// Keeps what one reading says about messages, once what stands in them is kept: which were taken in, the answers to them,
    /// and what the warehouse says of ours. The same once more changes nothing.
    pub async fn keep_letters(
        &self,
        key: &ConnectionKey,
        marks: &[Mark],
        answers: Vec<NewEffect>,
        receipts: &[Receipt],
    ) -> R<()> {
        let (key, marks, receipts) = (key.clone(), marks.to_vec(), receipts.to_vec());
        self.write(&key.clone(), "keep_letters", move |tx| {
            Box::pin(async move {
                keep_marks(tx, &key, marks).await?;
                effects::plan(tx, &key, answers).await?;
                for receipt in receipts {
                    keep_receipt(tx, &key, receipt).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Forgets messages that were taken in longer ago than this: one that comes then is another one. How many.
    pub async fn forget_letters(&self, key: &ConnectionKey, known_for: SignedDuration) -> R<u64> {
        let key = key.clone();
        self.write(&key.clone(), "forget_letters", move |tx| {
            Box::pin(async move {
                let [tenant, merchant, connection] = key_values(&key);
                let before = tx.now.checked_sub(known_for).unwrap_or(Timestamp::UNIX_EPOCH);
                tx.execute(
                    "DELETE FROM letter WHERE tenant = $1 AND merchant = $2 AND connection = $3 AND at < $4 AND name IN (
                         SELECT l.name FROM letter AS l
                         WHERE l.tenant = $1 AND l.merchant = $2 AND l.connection = $3 AND l.at < $4
                         ORDER BY l.at LIMIT $5)",
                    &[tenant, merchant, connection, before.into(), FORGOTTEN.into()],
                )
                .await
            })
        })
        .await
    }

    /// Raises what was sent, should have been acknowledged by now, and was not. `factor` divides the times, as everywhere. How
    /// many are new.
    pub async fn raise_unacknowledged(&self, key: &ConnectionKey, factor: u32) -> R<usize> {
        let one = key.clone();
        let overdue = self
            .read(key, "unacknowledged", move |tx| Box::pin(async move { overdue(tx, &one, factor).await }))
            .await?;
        if overdue.is_empty() {
            return Ok(0);
        }
        let count = overdue.len();
        let key = key.clone();
        self.write(&key.clone(), "raise_unacknowledged", move |tx| {
            Box::pin(async move {
                for one in overdue {
                    // Its receipt may have come since.
                    if is_open(tx, &key, &one.id).await? {
                        inbox::raise(tx, &key, UNACKNOWLEDGED, one.id.as_str(), &one.words(), None).await?;
                    }
                }
                Ok(count)
            })
        })
        .await
    }
}

fn known(row: &Row) -> R<Known> {
    Ok(Known { content_hash: row.string(1)?, at: row.time(2)?, written: row.opt_time(3)? })
}

async fn keep_marks(tx: &mut Tx, key: &ConnectionKey, marks: Vec<Mark>) -> R<()> {
    let now = tx.now;
    for Mark { name, content_hash, written, instead_of } in marks {
        let [tenant, merchant, connection] = key_values(key);
        tx.execute(
            "INSERT INTO letter AS l (tenant, merchant, connection, name, content_sha256, at, written)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant, merchant, connection, name) DO UPDATE
                 SET content_sha256 = excluded.content_sha256, at = excluded.at, written = excluded.written
                 WHERE l.content_sha256 = $8 AND l.content_sha256 <> excluded.content_sha256",
            &[
                tenant,
                merchant,
                connection,
                name.into(),
                content_hash.into(),
                now.into(),
                written.into(),
                instead_of.into(),
            ],
        )
        .await?;
    }
    Ok(())
}

/// What a receipt is about.
struct Told {
    id: EffectId,
    title: String,
    kind: EffectKind,
    order: Option<OrderId>,
    /// What was said of it before.
    before: Option<String>,
    /// Its request was given up, or asked for again under another key, because the warehouse did not have it.
    given_up: bool,
}

/// What this journal sent under a number, the last where numbers have begun again. Of what a lost journal sent nobody knows
/// under which it went (docs/decisions/0036).
async fn told(tx: &mut Tx, key: &ConnectionKey, number: u32) -> R<Option<Told>> {
    let [tenant, merchant, connection] = key_values(key);
    let row = tx
        .first(
            "SELECT e.id, e.title, e.kind, e.order_ref, e.receipt, coalesce(q.retired, 0), coalesce(r.outcome, '')
             FROM effect AS e
             LEFT JOIN request AS q ON q.tenant = e.tenant AND q.merchant = e.merchant AND q.id = e.request_ref
             LEFT JOIN race AS r ON r.tenant = e.tenant AND r.merchant = e.merchant AND r.request = e.request_ref
             WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.number = $4 AND e.kind <> 'acknowledge'
                 AND e.attempt > 0 AND (e.recovery IS NULL OR e.recovery = 'absent')
             ORDER BY e.id DESC LIMIT 1",
            &[tenant, merchant, connection, i64::from(number).into()],
        )
        .await?;
    row.map(|row| {
        Ok(Told {
            id: row.parsed(0)?,
            title: row.string(1)?,
            kind: row.parsed(2)?,
            order: row.opt_parsed(3)?,
            before: row.opt_string(4)?,
            given_up: row.flag(5)? || row.text(6)? == Outcome::Accepted.as_str(),
        })
    })
    .transpose()
}

/// What to do about a message that was not taken in.
fn mend(kind: EffectKind) -> &'static str {
    match kind {
        EffectKind::CancelRequest => {
            "Tell the warehouse to stop the order by telephone or e-mail, then record what it says"
        }
        _ => "Mend what is named, then send the order again: it goes under a fresh key and a new number",
    }
}

async fn keep_receipt(tx: &mut Tx, key: &ConnectionKey, receipt: Receipt) -> R<()> {
    let Receipt { number, reception } = receipt;
    let Some(told) = told(tx, key, number).await? else {
        let why = match reception {
            Reception::Read => return Ok(()),
            Reception::Refused(why) | Reception::Unclear(why) => why,
        };
        let reason = format!("of number {number} (\"nothing that is known here\") the warehouse says: {why}");
        return inbox::raise(tx, key, REFUSED, &format!("number {number}"), &reason, None).await;
    };
    let named = format!("number {number} (\"{}\")", told.title.replace('"', "'"));
    let was = told.before.as_deref();
    let (word, problem) = match &reception {
        // It may be mended and worked on after all, once nobody expects that any more.
        Reception::Read if was == Some("refused") && told.given_up && told.kind == EffectKind::SubmitRequest => (
            "read",
            Some(format!(
                "the warehouse had not taken in {named}, and has done so after all, once it was given up or sent again: two \
                 may ship. Tell the warehouse which one to work on"
            )),
        ),
        Reception::Read => ("read", None),
        // Once read, it is there: a second copy of its file may be turned down, say.
        Reception::Refused(why) if was == Some("read") => (
            "read",
            Some(format!("the warehouse has read {named}, and says otherwise now: {why}. Ask it whether it has it")),
        ),
        Reception::Refused(why) => {
            ("refused", Some(format!("the warehouse has not taken in {named}: {why}. {}", mend(told.kind))))
        }
        Reception::Unclear(why) => (
            was.unwrap_or("unclear"),
            Some(format!(
                "of {named} the warehouse says: {why}. Ask it whether it has it; nothing is sent again before"
            )),
        ),
    };
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    tx.execute(
        "UPDATE effect SET receipt = $4, receipt_at = $5
         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND (receipt IS NULL OR receipt <> $4)",
        &[tenant.clone(), merchant.clone(), (&told.id).into(), word.into(), now.into()],
    )
    .await?;
    let settled: &[&str] = if reception == Reception::Read { &[UNACKNOWLEDGED, REFUSED] } else { &[UNACKNOWLEDGED] };
    for kind in settled {
        tx.execute(
            "UPDATE exception SET resolved_at = $6, resolved_by = 'millrace' WHERE tenant = $1 AND merchant = $2
                 AND connection = $3 AND kind = $4 AND subject = $5 AND resolved_at IS NULL",
            &[tenant.clone(), merchant.clone(), connection.clone(), (*kind).into(), (&told.id).into(), now.into()],
        )
        .await?;
    }
    if let Some(problem) = problem {
        // One that says otherwise than the one before is another one.
        let subject = if was.is_some_and(|was| was != word || word == "read") {
            format!("{}/{word}", told.id)
        } else {
            told.id.to_string()
        };
        inbox::raise(tx, key, REFUSED, &subject, &problem, None).await?;
    }
    // An order that could not be read is not at the warehouse.
    facts::refresh(tx, &key.scope, &told.order.into_iter().collect()).await
}

async fn overdue(tx: &mut Tx, key: &ConnectionKey, factor: u32) -> R<Vec<Overdue>> {
    let [tenant, merchant, connection] = key_values(key);
    let now = tx.now;
    let rows = tx
        .query(
            "SELECT e.id, e.title, e.number, e.armed_at, e.acknowledged_within / 60000 FROM effect AS e
             WHERE e.tenant = $1 AND e.merchant = $2 AND e.connection = $3 AND e.acknowledged_within IS NOT NULL
                 AND e.receipt IS NULL AND e.state = 'applied' AND e.number IS NOT NULL
                 AND e.attempt > 0 AND (e.recovery IS NULL OR e.recovery = 'absent')
                 AND e.armed_at + e.acknowledged_within / $5 <= $4
                 AND NOT EXISTS (SELECT 1 FROM exception AS x WHERE x.tenant = e.tenant AND x.merchant = e.merchant
                     AND x.connection = e.connection AND x.kind = 'unacknowledged' AND x.subject = e.id)
             ORDER BY e.armed_at, e.id LIMIT $6",
            &[tenant, merchant, connection, now.into(), i64::from(factor.max(1)).into(), MOST.into()],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Overdue {
                id: row.parsed(0)?,
                title: row.string(1)?,
                number: row.int(2)?,
                sent_at: row.time(3)?,
                within_minutes: row.int(4)?,
            })
        })
        .collect()
}

async fn is_open(tx: &mut Tx, key: &ConnectionKey, id: &EffectId) -> R<bool> {
    let [tenant, merchant, _] = key_values(key);
    let row = tx
        .first(
            "SELECT 1 FROM effect WHERE tenant = $1 AND merchant = $2 AND id = $3 AND receipt IS NULL",
            &[tenant, merchant, id.into()],
        )
        .await?;
    Ok(row.is_some())
}
