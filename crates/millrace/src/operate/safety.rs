//! Whether anything is sent, why not, and how it comes to be sent again (docs/recovery.md).

use std::{collections::BTreeMap, path::Path, sync::Arc};

use engine::safety::{Home, Witness, judge};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Caller, Failure, FailureKind, Hub, reason};
use crate::{
    db::{Access, FrozenKind, Guard, Look, LookedFor, Lost, PassView, Safety, alarm},
    witness::{self, Keeper},
};

/// Most entries of each list.
const MOST: u32 = 200;

/// The state of sending.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SafetyOut {
    /// Nothing is sent to any remote system.
    pub frozen: bool,
    /// What it was stopped for: `restored`, `cloned`, `failed_over`, `person`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When a backup was taken last, as far as Millrace was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub backed_up_at: Option<Timestamp>,
    /// The recovery from the last loss of the journal, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<RecoveryOut>,
}

/// A recovery.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecoveryOut {
    /// The window that was lost begins.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// And ends.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Who named it.
    pub by: String,
    /// When sending was released; absent while the recovery is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub released_at: Option<Timestamp>,
    /// Effects still to be looked up.
    pub open: i64,
    /// Effects that the lost journal had made.
    pub confirmed: i64,
    /// Effects that it had not made.
    pub absent: i64,
    /// Effects in whose place something different was found, or more than one.
    pub conflicts: i64,
    /// Effects that cannot be looked up: a person compares.
    pub cannot_ask: i64,
    /// The connections, read again.
    pub connections: Vec<PassOut>,
    /// The effects that are open, in conflict or cannot be looked up.
    pub needing_a_person: Vec<LookOut>,
    /// The effects that were found.
    pub found: Vec<LookOut>,
}

/// A connection's part of a recovery.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PassOut {
    /// Its name.
    pub name: String,
    /// It is switched on.
    pub enabled: bool,
    /// When both its sides had been read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub read_at: Option<Timestamp>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<serde_json::Value>,
}

impl From<PassView> for PassOut {
    fn from(pass: PassView) -> Self {
        Self { name: pass.name, enabled: pass.enabled, read_at: pass.done_at, report: pass.report }
    }
}

/// One effect of a recovery.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LookOut {
    /// Its id.
    pub id: String,
    /// What it does.
    pub title: String,
    /// Its key.
    pub key: String,
    /// Where it stands.
    pub state: String,
    /// `open`, `confirmed`, `conflict`, `cannot_ask`.
    pub look: String,
    /// What the look said.
    pub note: String,
}

impl From<LookedFor> for LookOut {
    fn from(one: LookedFor) -> Self {
        Self {
            id: one.id.to_string(),
            title: one.title,
            key: one.key,
            state: one.state.to_string(),
            look: one.look.to_owned(),
            note: one.note,
        }
    }
}

/// Since when the journal may have been lost.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoverIn {
    /// A moment before which the database surely knew everything: when its backup was taken, or a little before.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// A release.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseIn {
    /// Why; kept in the audit trail.
    pub reason: String,
    /// Although something of the named window has not been looked up yet. What was not looked up is still looked up before it is
    /// sent. Where no window is named, nothing is known to be in doubt, and this does not help.
    #[serde(default)]
    pub force: bool,
}

/// Looks, before anything can be sent, whether the database is the one that ran here last, and stops sending if it may not be. From
/// then on the journal's steps are witnessed beside the key.
///
/// # Errors
/// When the database cannot be reached.
pub async fn start(hub: &Arc<Hub>) -> Result<(), Failure> {
    let path = hub.config.witness_file();
    let (kept_file, unreadable) = match witness::read(&path) {
        Ok(found) => (found, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let state = hub.db.safety().await?;
    let of_this = kept_file.filter(|witness| witness.installation == state.kept.installation);
    let folder_id = match &of_this {
        Some(witness) => witness.folder.clone(),
        None => witness::new_folder_id(hub.seams.clock.now(), &*hub.seams.random),
    };
    let here = home(hub, &state, &folder_id, &path).await?;
    let alarm = alarm(judge(&state.kept, of_this.as_ref(), &here, hub.config.synchronous_replication));
    let armed = of_this.as_ref().map_or(0, |witness| witness.armed).max(state.kept.armed);
    let stopped = hub.db.settle_home(here, armed, alarm).await?;
    let witness = Witness { installation: state.kept.installation.clone(), folder: folder_id, armed };
    if let Some(why) = unreadable {
        tracing::warn!("{} could not be read and is made anew: {why}", path.display());
    }
    let writing = path.clone();
    let first = witness.clone();
    match tokio::task::spawn_blocking(move || witness::write(&writing, &first)).await {
        Ok(Ok(())) => {
            let outside = Arc::new(Keeper::new(path, witness));
            hub.db.set_guard(Guard { outside, synchronous: hub.config.synchronous_replication });
        }
        failed => {
            let why = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "the task broke off".to_owned(),
            };
            tracing::warn!(
                "{} cannot be written ({why}): an older copy of the database would not be noticed. Let the program write there, or \
                 put the key file into a folder where it may",
                path.display()
            );
        }
    }
    let now = hub.db.safety().await?;
    if let Some(frozen) = &now.frozen {
        let next = next(&now, 0, false).unwrap_or_default();
        let again = if stopped { "" } else { " (as before)" };
        tracing::error!("SENDING IS FROZEN{again}: {} since {}: {}. {next}", frozen.kind, frozen.since, frozen.reason);
    }
    Ok(())
}

/// What is wrong with the guard itself, for people; looks and changes nothing.
///
/// # Errors
/// When the database cannot be read.
pub async fn problems(hub: &Hub) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    let path = hub.config.witness_file();
    let state = hub.db.safety().await?;
    match witness::read(&path) {
        Err(error) => problems.push(format!("the witness file {} cannot be read: {error}", path.display())),
        // Not started yet, or from before this was kept.
        Ok(None) if state.kept.home.is_none() => {}
        Ok(None) if hub.db.is_postgres() => {}
        Ok(found) => {
            let of_this = found.filter(|witness| witness.installation == state.kept.installation);
            let id = of_this.as_ref().map(|witness| witness.folder.clone()).unwrap_or_default();
            let here = home(hub, &state, &id, &path).await?;
            if let Some((kind, why)) =
                alarm(judge(&state.kept, of_this.as_ref(), &here, hub.config.synchronous_replication))
            {
                problems.push(format!("the next start will send nothing ({kind}): {why}"));
            }
        }
    }
    if hub.config.synchronous_replication && hub.db.replicates_synchronously().await? == Some(false) {
        problems.push(
            "synchronous replication is declared, and the database server has no synchronous replica (synchronous_standby_names is \
             empty): a fail-over could lose commits"
                .to_owned(),
        );
    }
    Ok(problems)
}

/// Where the program runs now. What cannot be told now stays as it was.
async fn home(hub: &Hub, state: &Safety, folder_id: &str, witness: &Path) -> Result<Home, Failure> {
    let server = hub.db.server_identity().await?;
    let folder = server.is_none().then(|| witness::folder(folder_id, witness, hub.config.database_file()));
    let before = state.kept.home.as_ref().and_then(|home| home.public_url.clone());
    let public_url = hub.config.public_url.as_ref().map(ToString::to_string).or(before);
    Ok(Home { public_url, folder, server })
}

/// What a person does next.
fn next(state: &Safety, open: i64, unread: bool) -> Option<String> {
    let frozen = state.frozen.as_ref()?;
    if !frozen.kind.lost() {
        return Some("`millrace release-sending --reason WHY` lets it go on.".to_owned());
    }
    if frozen.kind == FrozenKind::Cloned && state.lost.is_none() {
        return Some(
            "If this is a copy beside an installation that works, leave it frozen. If the installation moved here and the other is \
             gone for good: `millrace recover --since TIME`, TIME being when this copy was taken, then `millrace release-sending`."
                .to_owned(),
        );
    }
    Some(match &state.lost {
        None => {
            let hint = state.backup_at.map(|at| format!(" (its backup was taken at {at})")).unwrap_or_default();
            format!(
                "`millrace recover --since TIME` looks up what was sent after TIME, the moment this database stems from{hint}; then \
                 `millrace release-sending --reason WHY`."
            )
        }
        Some(_) if unread => "A running server reads the enabled connections again; wait for it.".to_owned(),
        Some(_) if open > 0 => format!("{open} effects are being looked up; wait for them."),
        Some(_) => "Look at `millrace safety`, then `millrace release-sending --reason WHY`.".to_owned(),
    })
}

/// The state of sending, and of a recovery as far as the caller may see it.
///
/// # Errors
/// When the database cannot be read.
pub async fn show(hub: &Hub, caller: &Caller) -> Result<SafetyOut, Failure> {
    let mut shown = show_for(hub, &caller.access()).await?;
    if !caller.installation {
        // Folders, servers, addresses and names are the operator's own.
        shown.reason = None;
        if let Some(recovery) = &mut shown.recovery {
            recovery.by = "the operator".to_owned();
        }
    }
    Ok(shown)
}

async fn show_for(hub: &Hub, access: &Access) -> Result<SafetyOut, Failure> {
    let state = hub.db.safety().await?;
    let recovery = match &state.lost {
        Some(lost) => Some(recovery(hub, access, lost).await?),
        None => None,
    };
    let (open, unread) = recovery.as_ref().map_or((0, false), |recovery| (recovery.open, recovery.unread()));
    let next = next(&state, open, unread);
    let frozen = state.frozen;
    Ok(SafetyOut {
        frozen: frozen.is_some(),
        kind: frozen.as_ref().map(|frozen| frozen.kind.to_string()),
        reason: frozen.as_ref().map(|frozen| frozen.reason.clone()),
        since: frozen.map(|frozen| frozen.since),
        next,
        backed_up_at: state.backed_up_at,
        recovery,
    })
}

impl RecoveryOut {
    /// Whether everything that can be looked up has been.
    pub fn is_answered(&self) -> bool {
        self.open == 0 && !self.unread()
    }

    fn unread(&self) -> bool {
        self.connections.iter().any(|connection| connection.enabled && connection.read_at.is_none())
    }
}

async fn recovery(hub: &Hub, access: &Access, lost: &Lost) -> Result<RecoveryOut, Failure> {
    // In this order: what a connection was found to have sent is written before it counts as read.
    let passes = hub.db.passes(access).await?;
    let looks = hub.db.looks(access).await?;
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (connection, of_connection) in &looks {
        // What is switched off is looked up before it is sent, whenever that is; nobody waits for it now.
        let waits = passes.iter().any(|pass| pass.enabled && pass.connection == *connection);
        for (look, count) in of_connection {
            if look != Look::Open.as_str() || waits {
                *counts.entry(look.as_str()).or_default() += count;
            }
        }
    }
    let count = |look: Look| counts.get(look.as_str()).copied().unwrap_or(0);
    let mut needing = Vec::new();
    for look in [Look::Conflict, Look::CannotAsk, Look::Open] {
        needing.extend(hub.db.looked_for(access, look, MOST).await?.into_iter().map(LookOut::from));
    }
    let found = hub.db.looked_for(access, Look::Confirmed, MOST).await?.into_iter().map(LookOut::from).collect();
    Ok(RecoveryOut {
        since: lost.since,
        until: lost.until,
        by: lost.recovered_by.clone(),
        released_at: lost.released_at,
        open: count(Look::Open),
        confirmed: count(Look::Confirmed),
        absent: count(Look::Absent),
        conflicts: count(Look::Conflict),
        cannot_ask: count(Look::CannotAsk),
        connections: passes.into_iter().map(PassOut::from).collect(),
        needing_a_person: needing,
        found,
    })
}

const WHOSE: &str = "sending is stopped and released for the whole installation, by its administrators only";

/// Stops sending.
///
/// # Errors
/// When the caller may not, or it is stopped already.
pub async fn freeze(hub: &Hub, caller: &Caller, why: &str) -> Result<SafetyOut, Failure> {
    caller.operates(WHOSE)?;
    if !hub.db.freeze(FrozenKind::Person, reason(why)?, &caller.actor).await? {
        return Err(Failure::conflict("sending is frozen already").remedy("`millrace safety` says why."));
    }
    show(hub, caller).await
}

/// Names the window in which the journal was lost: everything that may have been sent in it is looked up, and nothing is sent
/// meanwhile.
///
/// # Errors
/// When the caller may not, the time is ahead, or sending is not frozen.
pub async fn recover(hub: &Hub, caller: &Caller, given: &RecoverIn) -> Result<SafetyOut, Failure> {
    caller.operates(WHOSE)?;
    let now = hub.db.now().await?;
    if given.since > now {
        return Err(Failure::invalid(format!("{} is ahead of the database's clock ({now})", given.since), Vec::new())
            .remedy("Give the moment at which the backup was taken, in UTC."));
    }
    let state = hub.db.safety().await?;
    if !state.frozen.as_ref().is_some_and(|frozen| frozen.kind.lost()) {
        if state.frozen.is_none() {
            return Err(Failure::conflict("sending is not frozen: nothing says that the journal was lost").remedy(
                "If it was lost without being noticed, stop sending first: `millrace freeze-sending --reason WHY`.",
            ));
        }
        // A person stopped it and now says that the journal was lost.
        let why = format!("{} says that what was sent since {} is not known", caller.actor, given.since);
        hub.db.freeze(FrozenKind::Restored, &why, &caller.actor).await?;
    }
    hub.db.begin_recovery(given.since, &caller.actor).await?;
    show(hub, caller).await
}

/// Lets sending go on.
///
/// # Errors
/// When the caller may not; when the journal may be lost and no window is named, forced or not (reliability.md §10: everything in the
/// window is looked up before anything is sent); or when something of the window is not looked up yet and it is not forced.
pub async fn release(hub: &Hub, caller: &Caller, given: &ReleaseIn) -> Result<SafetyOut, Failure> {
    caller.operates(WHOSE)?;
    caller.proves(hub)?;
    let why = reason(&given.reason)?;
    let state = hub.db.safety().await?;
    let Some(frozen) = &state.frozen else {
        return Err(Failure::conflict("sending is not frozen").remedy("Nothing needs to be done."));
    };
    if frozen.kind.lost() && state.lost.is_none() {
        // Without a window nothing is marked as perhaps sent: what the lost journal had sent would go out a second time.
        return Err(Failure::new(
            FailureKind::NeedsPerson,
            format!("sending is frozen ({}) and nothing says from when on the journal was lost", frozen.kind),
        )
        .remedy(format!(
            "{} --force does not help here: what is not known to be in doubt is not looked up.",
            next(&state, 0, false).unwrap_or_default()
        )));
    }
    if frozen.kind.lost() && !given.force {
        let (mut open, mut unread, mut disabled) = (0, false, None);
        for tenant in hub.db.tenants().await? {
            if let Some(recovery) = show_for(hub, &Access::Tenant(tenant.id)).await?.recovery {
                open += recovery.open;
                unread |= recovery.unread();
                // Nothing of it is looked up as long as it does not work.
                if tenant.disabled_at.is_some() && (recovery.open > 0 || recovery.unread()) {
                    disabled = Some(tenant.name);
                }
            }
        }
        if open > 0 || unread {
            let what = if let Some(name) = disabled {
                format!(
                    "nothing of the tenant {name:?} is looked up while it is disabled (enable it until that is done)"
                )
            } else if unread {
                "a connection has not been read again yet".to_owned()
            } else {
                format!("{open} effects are not looked up yet")
            };
            return Err(Failure::new(
                FailureKind::NeedsPerson,
                format!("{what}: releasing now would go by what is not known"),
            )
            .remedy("Wait (`millrace safety` shows how far it is), or give --force with the reason."));
        }
    }
    hub.db.release(&caller.actor, why).await?;
    show(hub, caller).await
}
