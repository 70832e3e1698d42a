//! Issues that people are told of, who is told, and what was said.

use std::collections::BTreeMap;

use connect::{MerchantId, ulid};
use engine::alert::{AlertKind, CauseKey, Change, Issue, Said, Sighting};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Access, Database, DbError, Page, R, audit, deliveries,
    outlets::{self, merchant_text},
    queries::{self, Stretch},
    sql::{PendingEvent, Row, Tx, json},
};

/// The id of the policy that every tenant has.
pub const DEFAULT_POLICY: &str = "default";

/// Hours in which nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// From this time of day, `22:00`.
    pub from: String,
    /// Until this one.
    pub until: String,
    /// Time zone (IANA).
    pub zone: String,
}

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySettings {
    /// Only these kinds; empty: all.
    pub kinds: Vec<AlertKind>,
    /// Only of these connections; empty: all.
    pub connections: Vec<String>,
    /// Only in these channels; empty: all alert channels.
    pub channels: Vec<String>,
    /// Hours between reminders; 0: none.
    pub remind_hours: u32,
    /// When nothing is said.
    pub quiet: Option<QuietHours>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self { kinds: Vec::new(), connections: Vec::new(), channels: Vec::new(), remind_hours: 24, quiet: None }
    }
}

/// A policy as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertPolicy {
    /// `alp_…`, or [`DEFAULT_POLICY`].
    pub id: String,
    /// Only this merchant's issues.
    pub merchant: Option<MerchantId>,
    /// Its name.
    pub name: String,
    /// Switched on.
    pub enabled: bool,
    /// What it says.
    pub settings: PolicySettings,
}

/// An issue with what people did about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRecord {
    /// The issue.
    pub issue: Issue,
    /// When somebody took it on.
    pub acknowledged_at: Option<Timestamp>,
    /// Who.
    pub acknowledged_by: Option<String>,
}

/// What a person does about an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueDecision {
    /// Takes it on, or not any more: while it is taken on there are no reminders.
    Acknowledge(bool),
    /// Nothing is said of it until then; `None`: at once again.
    Snooze(Option<Timestamp>),
}

/// Which issues.
#[derive(Debug, Clone, Default)]
pub struct IssueQuery {
    /// Closed ones as well.
    pub all: bool,
    /// Of this kind.
    pub kind: Option<AlertKind>,
    /// Of this connection.
    pub connection: Option<String>,
    /// After this id.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

const ISSUE: &str =
    "id, merchant, connection, kind, cause, what, count, subjects, opened_at, last_at, gone_since, closed_at,
    acknowledged_at, acknowledged_by, snoozed_until";

fn issue(row: &Row) -> R<IssueRecord> {
    let acknowledged_at = row.opt_time(12)?;
    Ok(IssueRecord {
        issue: Issue {
            id: row.string(0)?,
            key: CauseKey {
                kind: row.parsed(3)?,
                merchant: row.string(1)?,
                connection: row.string(2)?,
                cause: row.string(4)?,
            },
            what: row.string(5)?,
            count: u64::try_from(row.int(6)?).map_err(DbError::corrupt)?,
            subjects: row.json(7)?,
            opened_at: row.time(8)?,
            last_at: row.time(9)?,
            gone_since: row.opt_time(10)?,
            closed_at: row.opt_time(11)?,
            acknowledged: acknowledged_at.is_some(),
            snoozed_until: row.opt_time(14)?,
        },
        acknowledged_at,
        acknowledged_by: row.opt_string(13)?,
    })
}

fn policy(row: &Row) -> R<AlertPolicy> {
    Ok(AlertPolicy {
        id: row.string(0)?,
        merchant: outlets::merchant(row.text(1)?)?,
        name: row.string(2)?,
        enabled: row.flag(3)?,
        settings: row.json(4)?,
    })
}

fn count(sighting: &Sighting) -> i64 {
    i64::try_from(sighting.count).unwrap_or(i64::MAX)
}

impl Database {
    /// The policies of a tenant or merchant that were ever changed, by name.
    pub async fn alert_policies(&self, access: &Access) -> R<Vec<AlertPolicy>> {
        let access = access.clone();
        self.read(access.clone(), "alert_policies", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let rows = tx
                    .query(
                        "SELECT id, merchant, name, enabled, settings FROM alert_policy
                         WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) ORDER BY name",
                        &[tenant.into(), merchant.into()],
                    )
                    .await?;
                rows.iter().map(policy).collect()
            })
        })
        .await
    }

    /// A page of the policies that may be seen, by name. To whoever sees the whole tenant, `default` stands among them as long as
    /// nobody has changed it.
    pub async fn list_alert_policies(
        &self,
        access: &Access,
        default: AlertPolicy,
        after: Option<&str>,
        limit: u32,
    ) -> R<Page<AlertPolicy>> {
        let (access, stretch) = (access.clone(), Stretch::page(after, limit));
        self.read(access.clone(), "list_alert_policies", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                // The database puts it into its place: what comes after what, it says itself.
                let rows = tx
                    .query(
                        "SELECT p.id, p.merchant, p.name, p.enabled, p.settings FROM (
                             SELECT id, merchant, name, enabled, settings FROM alert_policy
                             WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2)
                             UNION ALL
                             SELECT $5, '', $6, $7, $8
                             WHERE $2 = '*' AND NOT EXISTS (SELECT 1 FROM alert_policy WHERE tenant = $1 AND id = $5)
                         ) AS p WHERE p.name > $3 ORDER BY p.name LIMIT $4",
                        &[
                            tenant.into(),
                            merchant.into(),
                            stretch.after.into(),
                            stretch.rows.into(),
                            default.id.into(),
                            default.name.into(),
                            default.enabled.into(),
                            json(&default.settings)?.into(),
                        ],
                    )
                    .await?;
                let found = rows.iter().map(policy).collect::<R<Vec<_>>>()?;
                Ok(queries::page(found, limit, |policy| policy.name.clone()))
            })
        })
        .await
    }

    /// Keeps a policy; without an id it is a new one. Its id.
    pub async fn put_alert_policy(&self, access: &Access, policy: AlertPolicy, actor: &str) -> R<String> {
        let (access, actor) = (access.clone(), actor.to_owned());
        self.write(access.clone(), "put_alert_policy", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                let id = if policy.id.is_empty() { format!("alp_{}", ulid(tx.now, &*tx.random)) } else { policy.id };
                let sql = "SELECT id FROM alert_policy WHERE tenant = $1 AND name = $2 AND id <> $3";
                if tx.first(sql, &[(&tenant).into(), (&policy.name).into(), (&id).into()]).await?.is_some() {
                    return Err(DbError::Conflict(format!("there is a policy {:?} already", policy.name)));
                }
                let settings = json(&policy.settings)?;
                tx.execute(
                    "INSERT INTO alert_policy (tenant, merchant, id, name, enabled, settings) VALUES ($1, $2, $3, $4, $5, $6)
                     ON CONFLICT (tenant, merchant, id) DO UPDATE SET name = excluded.name, enabled = excluded.enabled,
                         settings = excluded.settings",
                    &[
                        (&tenant).into(),
                        merchant_text(policy.merchant.as_ref()).into(),
                        (&id).into(),
                        policy.name.into(),
                        policy.enabled.into(),
                        (&settings).into(),
                    ],
                )
                .await?;
                let detail = format!("{{\"enabled\":{},\"settings\":{settings}}}", policy.enabled);
                audit::append(tx, &tenant, &actor, "alert_policy.put", &id, &detail).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Removes a policy.
    pub async fn delete_alert_policy(&self, access: &Access, id: &str, actor: &str) -> R<()> {
        let (access, id, actor) = (access.clone(), id.to_owned(), actor.to_owned());
        self.write(access.clone(), "delete_alert_policy", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let gone = tx
                    .execute(
                        "DELETE FROM alert_policy WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND id = $3",
                        &[tenant.into(), merchant.into(), (&id).into()],
                    )
                    .await?;
                if gone == 0 {
                    return Err(DbError::NotFound(id));
                }
                audit::append(tx, tenant, &actor, "alert_policy.delete", &id, "{}").await
            })
        })
        .await
    }

    /// The issues of a tenant or merchant, newest first.
    pub async fn list_issues(&self, access: &Access, query: IssueQuery) -> R<Page<IssueRecord>> {
        let access = access.clone();
        self.read(access.clone(), "list_issues", move |tx| {
            Box::pin(async move {
                let (tenant, merchant) = access.setting();
                let sql = format!(
                    "SELECT {ISSUE} FROM alert_issue
                     WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND ($3 = 1 OR closed_at IS NULL)
                         AND ($4 = '' OR kind = $4) AND ($5 = '' OR connection = $5) AND ($6 = '' OR id < $6)
                     ORDER BY id DESC LIMIT $7"
                );
                let values = [
                    tenant.into(),
                    merchant.into(),
                    query.all.into(),
                    query.kind.map_or("", AlertKind::as_str).into(),
                    query.connection.unwrap_or_default().into(),
                    query.after.unwrap_or_default().into(),
                    (i64::from(query.limit) + 1).into(),
                ];
                let items = tx.query_built(sql, &values).await?.iter().map(issue).collect::<R<Vec<_>>>()?;
                Ok(queries::page(items, query.limit, |found| found.issue.id.clone()))
            })
        })
        .await
    }

    /// One issue.
    pub async fn issue(&self, access: &Access, id: &str) -> R<IssueRecord> {
        let (access, id) = (access.clone(), id.to_owned());
        self.read(access.clone(), "issue", move |tx| Box::pin(async move { find(tx, &access, &id).await })).await
    }

    /// What a person does about an open issue.
    pub async fn decide_issue(
        &self,
        access: &Access,
        id: &str,
        decision: IssueDecision,
        actor: &str,
    ) -> R<IssueRecord> {
        let (access, id, actor) = (access.clone(), id.to_owned(), actor.to_owned());
        self.write(access.clone(), "decide_issue", move |tx| {
            Box::pin(async move {
                let found = find(tx, &access, &id).await?;
                if found.issue.closed_at.is_some() {
                    return Err(DbError::Conflict("the issue has closed".to_owned()));
                }
                let tenant = access.setting().0.to_owned();
                let of = [(&tenant).into(), (&found.issue.key.merchant).into(), (&id).into()];
                let [tenant_value, merchant, id_value] = of;
                let (action, detail) = match decision {
                    IssueDecision::Acknowledge(yes) => {
                        let at = yes.then_some(tx.now);
                        tx.execute(
                            "UPDATE alert_issue SET acknowledged_at = $4, acknowledged_by = $5
                             WHERE tenant = $1 AND merchant = $2 AND id = $3",
                            &[tenant_value, merchant, id_value, at.into(), yes.then(|| actor.clone()).into()],
                        )
                        .await?;
                        ("issue.acknowledge", serde_json::json!({ "acknowledged": yes }))
                    }
                    IssueDecision::Snooze(until) => {
                        tx.execute(
                            "UPDATE alert_issue SET snoozed_until = $4 WHERE tenant = $1 AND merchant = $2 AND id = $3",
                            &[tenant_value, merchant, id_value, until.into()],
                        )
                        .await?;
                        ("issue.snooze", serde_json::json!({ "until": until }))
                    }
                };
                audit::append(tx, &tenant, &actor, action, &id, &detail.to_string()).await?;
                find(tx, &access, &id).await
            })
        })
        .await
    }

    /// The open issues of a tenant.
    pub async fn open_issues(&self, access: &Access) -> R<Vec<Issue>> {
        let access = access.clone();
        self.read(access.clone(), "open_issues", move |tx| {
            Box::pin(async move {
                let sql =
                    format!("SELECT {ISSUE} FROM alert_issue WHERE tenant = $1 AND closed_at IS NULL ORDER BY id");
                let rows = tx.query_built(sql, &[access.setting().0.into()]).await?;
                rows.iter().map(|row| Ok(issue(row)?.issue)).collect()
            })
        })
        .await
    }

    /// Writes down what became of issues.
    pub async fn change_issues(&self, access: &Access, changes: Vec<Change>) -> R<()> {
        let access = access.clone();
        self.write(access.clone(), "change_issues", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0.to_owned();
                for change in changes {
                    change_issue(tx, &tenant, change).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// What may have to be said in an outlet: open issues, and closed ones whose end was not told there.
    pub async fn issues_for(&self, access: &Access, outlet: &str) -> R<Vec<(Issue, Option<Said>)>> {
        let (access, outlet) = (access.clone(), outlet.to_owned());
        self.read(access.clone(), "issues_for", move |tx| {
            Box::pin(async move {
                let tenant = access.setting().0;
                let said = "SELECT issue, at, closed FROM alert_said WHERE tenant = $1 AND outlet = $2 AND closed = 0";
                let rows = tx.query(said, &[tenant.into(), (&outlet).into()]).await?;
                let mut said = BTreeMap::new();
                for row in &rows {
                    said.insert(row.string(0)?, Said { at: row.time(1)?, closed: row.flag(2)? });
                }
                let sql = format!(
                    "SELECT {ISSUE} FROM alert_issue AS i WHERE tenant = $1 AND (closed_at IS NULL OR EXISTS (
                         SELECT 1 FROM alert_said AS s WHERE s.tenant = i.tenant AND s.merchant = i.merchant
                             AND s.issue = i.id AND s.outlet = $2 AND s.closed = 0)) ORDER BY id"
                );
                let rows = tx.query_built(sql, &[tenant.into(), outlet.into()]).await?;
                rows.iter()
                    .map(|row| {
                        let issue = issue(row)?.issue;
                        let said = said.get(&issue.id).copied();
                        Ok((issue, said))
                    })
                    .collect()
            })
        })
        .await
    }

    /// Has one message go out through an outlet, and remembers what it says of which issues (merchant, id, closed). Says nothing when
    /// somebody else spoke there meanwhile.
    pub async fn say(
        &self,
        access: &Access,
        outlet: &outlets::Outlet,
        body: String,
        spoken: Vec<(String, String, bool)>,
    ) -> R<bool> {
        let (access, outlet) = (access.clone(), outlet.clone());
        self.write(access.clone(), "say", move |tx| {
            Box::pin(async move {
                let (tenant, now) = (access.setting().0.to_owned(), tx.now);
                let mine = tx
                    .execute(
                        "UPDATE outlet SET spoke_at = $4
                         WHERE tenant = $1 AND merchant = $2 AND id = $3 AND coalesce(spoke_at, 0) = coalesce($5, 0)",
                        &[
                            (&tenant).into(),
                            merchant_text(outlet.merchant.as_ref()).into(),
                            (&outlet.id).into(),
                            now.into(),
                            outlet.spoke_at.into(),
                        ],
                    )
                    .await?;
                if mine == 0 {
                    return Ok(false);
                }
                deliveries::add(tx, &access, &outlet, "alert", body).await?;
                let rows = spoken
                    .into_iter()
                    .map(|(merchant, issue, closed)| vec![merchant.into(), issue.into(), closed.into()])
                    .collect();
                tx.many(
                    "INSERT INTO alert_said (tenant, outlet, at, merchant, issue, closed)
                     SELECT $1, $2, $3, v.column1, v.column2, v.column3 FROM (VALUES ",
                    ") AS v WHERE 1 = 1 ON CONFLICT (tenant, merchant, issue, outlet) DO UPDATE SET at = excluded.at,
                         closed = excluded.closed",
                    &[tenant.into(), outlet.id.into(), now.into()],
                    rows,
                )
                .await?;
                Ok(true)
            })
        })
        .await
    }
}

async fn find(tx: &mut Tx, access: &Access, id: &str) -> R<IssueRecord> {
    let (tenant, merchant) = access.setting();
    let sql = format!(
        "SELECT {ISSUE} FROM alert_issue WHERE tenant = $1 AND ($2 = '*' OR replace($2, merchant, '') <> $2) AND id = $3"
    );
    let rows = tx.query_built(sql, &[tenant.into(), merchant.into(), id.into()]).await?;
    rows.first().map(issue).transpose()?.ok_or_else(|| DbError::NotFound(id.to_owned()))
}

async fn change_issue(tx: &mut Tx, tenant: &str, change: Change) -> R<()> {
    let now = tx.now;
    let told = match change {
        Change::Open(sighting) => {
            let id = format!("iss_{}", ulid(now, &*tx.random));
            let opened = tx
                .execute(
                    "INSERT INTO alert_issue (tenant, merchant, id, connection, kind, cause, what, count, subjects,
                         opened_at, last_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
                     ON CONFLICT (tenant, merchant, connection, kind, cause) WHERE closed_at IS NULL DO NOTHING",
                    &[
                        tenant.into(),
                        (&sighting.key.merchant).into(),
                        (&id).into(),
                        (&sighting.key.connection).into(),
                        sighting.key.kind.as_str().into(),
                        (&sighting.key.cause).into(),
                        (&sighting.what).into(),
                        count(&sighting).into(),
                        json(&sighting.subjects)?.into(),
                        now.into(),
                    ],
                )
                .await?;
            (opened > 0).then_some((sighting.key.merchant, id, "opened"))
        }
        Change::Seen(id, sighting) => {
            tx.execute(
                "UPDATE alert_issue SET what = $3, count = $4, subjects = $5, last_at = $6, gone_since = NULL
                 WHERE tenant = $1 AND id = $2 AND closed_at IS NULL",
                &[
                    tenant.into(),
                    id.into(),
                    (&sighting.what).into(),
                    count(&sighting).into(),
                    json(&sighting.subjects)?.into(),
                    now.into(),
                ],
            )
            .await?;
            None
        }
        Change::Gone(id) => {
            let sql = "UPDATE alert_issue SET gone_since = $3 WHERE tenant = $1 AND id = $2 AND gone_since IS NULL";
            tx.execute(sql, &[tenant.into(), id.into(), now.into()]).await?;
            None
        }
        Change::Close(id) => {
            let rows = tx
                .query(
                    "UPDATE alert_issue SET closed_at = $3 WHERE tenant = $1 AND id = $2 AND closed_at IS NULL
                     RETURNING merchant",
                    &[tenant.into(), (&id).into(), now.into()],
                )
                .await?;
            match rows.first() {
                Some(row) => Some((row.string(0)?, id, "closed")),
                None => None,
            }
        }
    };
    if let Some((merchant, subject, change)) = told {
        // Of the issue's merchant, whoever's transaction this is.
        tx.events.push(PendingEvent { merchant, what: "alert", subject, change: change.to_owned() });
    }
    Ok(())
}
