//! Every call this connector makes, each declared a reading or a change.
//!
//! Mintsoft changes things with GET: `…/Cancel`, `…/MarkDespatched` and others look like readings and are none. So nothing
//! here goes by the verb: a reading is one of [`Read`], which may be made again freely; a change is one of [`Change`], which
//! is made once and by the journal alone. There is no other way to an address.

use super::settings::Config;

/// Rows a page of the list of orders, the most there is.
pub(super) const PAGE: usize = 100;

/// What only looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Read<'a> {
    Clients,
    Warehouses,
    CourierServices,
    Channels,
    Statuses,
    /// Orders by number; may find more than exactly that.
    Search {
        number: &'a str,
    },
    Order(i64),
    Items(i64),
    Parcels(i64),
    Splits(i64),
    /// What was scanned when it was packed: boxes, batches, serial numbers.
    Scans(i64),
    /// Orders changed since a time of the service's, with their lines.
    Changed {
        since: &'a str,
        page: usize,
    },
    /// All stock, warehouse by warehouse.
    Stock,
    /// Stock that changed since a time of the service's.
    StockSince {
        since: &'a str,
    },
}

impl Read<'_> {
    pub(super) fn path(&self) -> String {
        match self {
            Self::Clients => "/api/Client".to_owned(),
            Self::Warehouses => "/api/Warehouse".to_owned(),
            Self::CourierServices => "/api/Courier/Services".to_owned(),
            Self::Channels => "/api/Order/Channels".to_owned(),
            Self::Statuses => "/api/Order/Statuses".to_owned(),
            Self::Search { .. } => "/api/Order/Search".to_owned(),
            Self::Order(id) => format!("/api/Order/{id}"),
            Self::Items(id) => format!("/api/Order/{id}/Items"),
            Self::Parcels(id) => format!("/api/Order/{id}/Shipments"),
            Self::Splits(id) => format!("/api/Order/{id}/Splits"),
            Self::Scans(id) => format!("/api/Order/{id}/BarcodeVerifiedOrderItems"),
            Self::Changed { .. } => "/api/Order/List".to_owned(),
            Self::Stock => "/api/Product/StockLevels".to_owned(),
            Self::StockSince { .. } => "/api/Product/StockLevels/UpdatedSince".to_owned(),
        }
    }

    pub(super) fn query(&self, config: &Config) -> Vec<(&'static str, String)> {
        let client = config.client.map(|client| ("ClientId", client.to_string()));
        let mut query = match self {
            Self::Search { number } => vec![("OrderNumber", (*number).to_owned())],
            Self::Changed { since, page } => vec![
                ("SinceLastUpdated", (*since).to_owned()),
                ("IncludeOrderItems", "true".to_owned()),
                ("PageNo", page.to_string()),
                ("Limit", PAGE.to_string()),
            ],
            Self::StockSince { since } => vec![("FromDate", (*since).to_owned())],
            Self::Stock => Vec::new(),
            _ => return Vec::new(),
        };
        query.extend(client);
        query
    }
}

/// What changes something there, whatever its verb.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    /// Makes an order.
    Create,
    /// Cancels one, by GET.
    Cancel(i64),
    /// Says where to call for one.
    Calls(i64),
}

impl Change {
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Create | Self::Calls(_) => "PUT",
            Self::Cancel(_) => "GET",
        }
    }

    pub(super) fn path(self) -> String {
        match self {
            Self::Create => "/api/Order".to_owned(),
            Self::Cancel(id) => format!("/api/Order/{id}/Cancel"),
            Self::Calls(id) => format!("/api/Order/{id}/ConnectActions"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Read;

    /// The GETs that change something, as the vendor's description of the calls lists them.
    const CHANGING: [&str; 9] = [
        "Cancel",
        "MarkDespatched",
        "MarkConfirmed",
        "MarkPackAndHold",
        "MarkReleasePackAndHold",
        "MarkPrinted",
        "MarkPicked",
        "MarkPacked",
        "UpdateNumberOfParcels",
    ];

    #[test]
    fn no_reading_is_a_change() {
        let all = [
            Read::Clients,
            Read::Warehouses,
            Read::CourierServices,
            Read::Channels,
            Read::Statuses,
            Read::Search { number: "Cancel" },
            Read::Order(1),
            Read::Items(1),
            Read::Parcels(1),
            Read::Splits(1),
            Read::Scans(1),
            Read::Changed { since: "2026-11-23T06:30:00", page: 1 },
            Read::Stock,
            Read::StockSince { since: "2026-11-23T06:30:00" },
        ];
        for read in all {
            let path = read.path();
            let last = path.rsplit('/').next().unwrap_or_default();
            assert!(!CHANGING.contains(&last) && !last.starts_with("Mark"), "{path}");
        }
    }
}
