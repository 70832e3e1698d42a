//! What is wrong becomes issues, and issues become messages.

use std::collections::BTreeSet;

use connect::MerchantId;
use engine::alert::{self, AlertKind, Channel, Issue, Policy, Quiet, Sighting, Word};
use jiff::{civil::Time, tz::TimeZone};

use crate::{
    db::{Access, AlertPatience, AlertPolicy, DEFAULT_POLICY, DbError, Outlet, OutletKind, PolicySettings, QuietHours},
    notify::{Notifier, PACE, REST, locked, message},
};

impl Notifier {
    /// Looks what is wrong, opens and closes issues, and has people told.
    ///
    /// # Errors
    /// When the database cannot be reached; the next look finds the same.
    pub async fn watch(&self) -> Result<(), DbError> {
        let tenants = self.hub.db.tenants().await?;
        // What concerns the installation is told in the oldest tenant that works.
        let working = tenants.iter().filter(|tenant| tenant.disabled_at.is_none());
        let first = working.min_by_key(|tenant| tenant.created_at).map(|tenant| tenant.id.clone());
        let before = std::mem::take(&mut *locked(&self.late));
        let mut late = BTreeSet::new();
        for tenant in tenants.into_iter().filter(|tenant| tenant.disabled_at.is_none()) {
            let backups = first.as_ref() == Some(&tenant.id);
            let access = Access::Tenant(tenant.id);
            let patience = AlertPatience { factor: self.hub.config.waits.factor, backups };
            let mut seen = self.hub.db.sightings(&access, patience).await?;
            // A channel that was just switched on looks late until its first run begins: only what is late twice is late.
            seen.retain(|sighting| {
                if sighting.key.kind != AlertKind::ChannelLate {
                    return true;
                }
                late.insert(sighting.key.clone());
                before.contains(&sighting.key)
            });
            self.note(&access, seen).await?;
            self.speak(&access).await?;
        }
        *locked(&self.late) = late;
        Ok(())
    }

    /// Opens, counts and closes issues.
    async fn note(&self, access: &Access, seen: Vec<Sighting>) -> Result<(), DbError> {
        let open = self.hub.db.open_issues(access).await?;
        let now = self.hub.db.now().await?;
        let changes = alert::compare(&open, alert::group(seen), now, self.scaled(REST));
        if changes.is_empty() { Ok(()) } else { self.hub.db.change_issues(access, changes).await }
    }

    /// Says what is to be said in every channel.
    async fn speak(&self, access: &Access) -> Result<(), DbError> {
        let outlets = self.hub.db.outlets(access).await?;
        if outlets.is_empty() {
            return Ok(());
        }
        let kept = with_default(self.hub.db.alert_policies(access).await?);
        for outlet in outlets.into_iter().filter(|outlet| outlet.enabled) {
            let policies: Vec<Policy> = kept
                .iter()
                .filter(|policy| policy.enabled)
                // A webhook is for programs: it is told of alerts where a policy names it.
                .filter(|policy| outlet.kind != OutletKind::Webhook || policy.settings.channels.contains(&outlet.id))
                .map(|policy| self.policy(policy))
                .collect();
            if !policies.is_empty() {
                self.speak_in(access, &outlet, &policies).await?;
            }
        }
        Ok(())
    }

    async fn speak_in(&self, access: &Access, outlet: &Outlet, policies: &[Policy]) -> Result<(), DbError> {
        let channel = Channel {
            id: outlet.id.clone(),
            merchant: outlet.merchant.as_ref().map_or("", MerchantId::as_str).to_owned(),
            last_at: outlet.spoke_at,
        };
        let issues = self.hub.db.issues_for(access, &outlet.id).await?;
        let now = self.hub.db.now().await?;
        let words = alert::words(&channel, &issues, policies, now, self.scaled(PACE));
        let words: Vec<(&Issue, Word)> =
            words.into_iter().filter_map(|(place, word)| issues.get(place).map(|(issue, _)| (issue, word))).collect();
        if words.is_empty() {
            return Ok(());
        }
        let spoken = words
            .iter()
            .map(|(issue, word)| (issue.key.merchant.clone(), issue.id.clone(), *word == Word::Closed))
            .collect();
        self.hub.db.say(access, outlet, message::of_issues(now, &words), spoken).await?;
        Ok(())
    }

    fn policy(&self, kept: &AlertPolicy) -> Policy {
        let settings = &kept.settings;
        let hours = u64::from(settings.remind_hours);
        Policy {
            merchant: kept.merchant.as_ref().map_or("", MerchantId::as_str).to_owned(),
            kinds: settings.kinds.iter().copied().collect(),
            connections: settings.connections.iter().cloned().collect(),
            channels: settings.channels.iter().cloned().collect(),
            remind: (hours > 0).then(|| self.scaled(std::time::Duration::from_secs(hours * 3600))),
            // What cannot be read any more (a zone that the system lost) must not silence anybody.
            quiet: settings.quiet.as_ref().and_then(|hours| quiet(hours).ok()),
        }
    }
}

/// All policies: those kept, and the default one as it is unless somebody has changed it.
pub(crate) fn with_default(mut kept: Vec<AlertPolicy>) -> Vec<AlertPolicy> {
    if !kept.iter().any(|policy| policy.id == DEFAULT_POLICY) {
        kept.insert(0, default_policy());
    }
    kept
}

/// The policy that every tenant has: everything that needs a person, in every alert channel.
pub(crate) fn default_policy() -> AlertPolicy {
    AlertPolicy {
        id: DEFAULT_POLICY.to_owned(),
        merchant: None,
        name: DEFAULT_POLICY.to_owned(),
        enabled: true,
        settings: PolicySettings::default(),
    }
}

/// Quiet hours as given.
///
/// # Errors
/// What cannot be read of them.
pub(crate) fn quiet(given: &QuietHours) -> Result<Quiet, String> {
    let time = |text: &str| -> Result<Time, String> {
        Time::strptime("%H:%M", text).map_err(|_| format!("{text:?} is not a time of day like 22:00"))
    };
    let zone = TimeZone::get(&given.zone)
        .map_err(|_| format!("{:?} is not a time zone this system knows; give one like Europe/London", given.zone))?;
    Ok(Quiet { from: time(&given.from)?, until: time(&given.until)?, zone })
}
