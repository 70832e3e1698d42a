//! What the account calls the states of an order. Their numbers and some of their names are the account's own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use connect::{ConnectorError, RequestState};

use super::{
    Mintsoft,
    calls::Read,
    client::Purpose,
    wire::{Named, list, parse, typed},
};

/// The list is read again after so long, and when an order has a status that is not in it.
const READ_EVERY: Duration = Duration::from_secs(3600);

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There, not started.
    Waiting,
    /// Held there.
    Held,
    /// Being worked on, or something unknown: never success.
    Working,
    /// The goods have left.
    Despatched,
    /// Cancelled.
    Cancelled,
}

impl Standing {
    pub(super) fn state(self) -> RequestState {
        match self {
            Self::Waiting => RequestState::Waiting,
            Self::Held => RequestState::Held,
            Self::Working => RequestState::Working,
            Self::Despatched => RequestState::Finished,
            Self::Cancelled => RequestState::Cancelled,
        }
    }

    /// Whether more can become of it.
    pub(super) fn is_open(self) -> bool {
        !matches!(self, Self::Despatched | Self::Cancelled)
    }
}

/// Standings by the account's status numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Statuses(Arc<BTreeMap<i64, Standing>>);

impl Statuses {
    /// A status that the account does not list is one that is not understood.
    pub(super) fn of(&self, id: i64) -> Standing {
        self.0.get(&id).copied().unwrap_or(Standing::Working)
    }
}

/// The list as last read, and when.
#[derive(Default)]
pub(super) struct KeptStatuses(Option<(Duration, Statuses)>);

impl Mintsoft {
    /// The standings of orders with these statuses.
    pub(super) async fn statuses(
        &self,
        purpose: Purpose,
        wanted: impl Iterator<Item = i64> + Send,
    ) -> Result<Statuses, ConnectorError> {
        let wanted: Vec<i64> = wanted.collect();
        let mut kept = self.statuses.lock().await;
        let now = self.clock.monotonic();
        if let Some((read_at, statuses)) = &kept.0
            && now.saturating_sub(*read_at) < READ_EVERY
            && wanted.iter().all(|id| statuses.0.contains_key(id))
        {
            return Ok(statuses.clone());
        }
        let what = Read::Statuses.path();
        let answer = parse(&what, &self.client.read(purpose, Read::Statuses, &self.config).await?)?;
        let mut standings = BTreeMap::new();
        for status in list(&what, answer)? {
            let status: Named = typed("an order status", status)?;
            standings.insert(status.id, standing(&status, &self.config.despatched));
        }
        if standings.is_empty() {
            return Err(ConnectorError::unexpected("the account lists no order statuses"));
        }
        // Remembered as something unknown, so that an odd status does not cost a call each time it is met.
        for id in wanted {
            standings.entry(id).or_insert(Standing::Working);
        }
        let statuses = Statuses(Arc::new(standings));
        kept.0 = Some((now, statuses.clone()));
        Ok(statuses)
    }
}

/// By name: the numbers are the account's own.
fn standing(status: &Named, despatched: &[String]) -> Standing {
    let name = plain(status.name.as_deref().unwrap_or_default());
    let other = plain(status.external_name.as_deref().unwrap_or_default());
    if despatched.contains(&name) {
        Standing::Despatched
    } else if matches!(name.as_str(), "CANCELLED" | "CANCELED") {
        Standing::Cancelled
    } else if name.contains("QUERY") || name.contains("HOLD") || other.contains("ONHOLD") {
        Standing::Held
    } else if name == "NEW" || name.starts_with("AWAITING") {
        Standing::Waiting
    } else {
        Standing::Working
    }
}

/// A name by its letters and digits alone, in capitals.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{Named, Standing, plain, standing};

    #[test]
    fn statuses_go_by_name_and_an_unknown_one_is_no_success() {
        let despatched = ["DESPATCHED".to_owned(), plain("Invoiced")];
        for (name, expected) in [
            ("NEW", Standing::Waiting),
            ("AWAITINGPICKING", Standing::Waiting),
            ("Awaiting Confirmation", Standing::Waiting),
            ("PICKED", Standing::Working),
            ("PACKED", Standing::Working),
            ("DESPATCHED", Standing::Despatched),
            ("INVOICED", Standing::Despatched),
            ("PARTDESPATCHED", Standing::Working),
            ("QUERYRAISED", Standing::Held),
            ("PACK AND HOLD", Standing::Held),
            ("Cancelled", Standing::Cancelled),
            ("CANCELLATIONREQUESTED", Standing::Working),
            ("GONE FISHING", Standing::Working),
            ("", Standing::Working),
        ] {
            let status = Named { id: 1, name: Some(name.to_owned()), external_name: None, active_b: None };
            assert_eq!(standing(&status, &despatched), expected, "{name}");
        }
    }
}
