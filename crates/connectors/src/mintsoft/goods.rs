//! What left in one order, or one part of it: lines, boxes, tracking, batches and serial numbers.

use std::collections::{BTreeMap, BTreeSet};

use connect::{ConnectorError, ErrorKind, Package, PackageLine, RequestState, ShipMethod, Shipment};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Mintsoft,
    calls::Read,
    shipments::POLL,
    statuses::{Standing, Statuses},
    wire::{Item, Order, Parcels, Scan, filled, list, parse, typed},
};
use crate::times::moment;

impl Mintsoft {
    /// The shipment that a despatched order is. Its id is the order's: each part of a split order leaves by itself, and none of
    /// them says that it is the last, which may change after it was told. How they all end is told by [`Mintsoft::ending`].
    pub(super) async fn shipment_of(&self, order: &Order) -> Result<Shipment, ConnectorError> {
        let changed = order.last_updated.clone().unwrap_or_default();
        if let Some((_, shipment)) = self.told.lock().await.get(&order.id).filter(|(known, _)| *known == changed) {
            return Ok(shipment.clone());
        }
        let left = filled(order.despatch_date.as_deref())
            .or_else(|| filled(order.last_updated.as_deref()))
            .ok_or_else(|| ConnectorError::unexpected("the order is despatched and does not say when"))?;
        let items = match &order.order_items {
            Some(items) => items.clone(),
            None => self.items(POLL, order.id).await?,
        };
        let numbers = self.tracking(order).await?;
        let scans: Vec<Scan> = match self.config.package_details {
            true => self.below(Read::Scans(order.id)).await?,
            false => Vec::new(),
        };
        let (packages, loose) = packed(&items, &scans, numbers);
        if packages.iter().flat_map(|package| &package.lines).chain(&loose).next().is_none() {
            return Err(ConnectorError::unexpected("it is despatched with nothing in it"));
        }
        let shipment = Shipment {
            reference: order.id.to_string(),
            key: order.key().to_owned(),
            shipped_at: moment(left, &self.config.zone)?,
            ship_method: ShipMethod {
                carrier: filled(order.courier_service_name.as_deref()).unwrap_or_default().to_owned(),
                service: String::new(),
            },
            packages,
            loose,
            is_final: !order.is_part(),
            ended: Vec::new(),
            whole: false,
            within_order: false,
            numbers_may_be_theirs: false,
        };
        self.told.lock().await.insert(order.id, (changed, shipment.clone()));
        Ok(shipment)
    }

    /// How an order that was split has ended, seen from one part of it that has: `None` while another part is open or not found,
    /// and from every part but the one that changed last, so that it is told once all of them have been read.
    pub(super) async fn ending(
        &self,
        part: &Order,
        statuses: &Statuses,
    ) -> Result<Option<RequestState>, ConnectorError> {
        let changed = part.last_updated.clone().unwrap_or_default();
        if let Some((_, ending)) = self.ended.lock().await.get(&part.id).filter(|(known, _)| *known == changed) {
            return Ok(ending.clone());
        }
        let found = self.find(POLL, part.key()).await?;
        let parts = found.iter().filter_map(|one| one.number_of_parts).chain(part.number_of_parts).max();
        if !parts.is_none_or(|parts| i64::try_from(found.len()).is_ok_and(|found| found >= parts)) {
            return Ok(None);
        }
        let is_last = found.iter().all(|one| (&one.last_updated, one.id) <= (&part.last_updated, part.id));
        let standings: Vec<Standing> = found.iter().map(|one| statuses.of(one.order_status_id)).collect();
        let ending = match is_last && !standings.iter().any(|standing| standing.is_open()) {
            true if standings.contains(&Standing::Despatched) => Some(RequestState::Finished),
            true => Some(RequestState::Cancelled),
            false => None,
        };
        // Whatever another part becomes, it changes later than this one has.
        self.ended.lock().await.insert(part.id, (changed, ending.clone()));
        Ok(ending)
    }

    /// Keeps what was told of these orders alone.
    pub(super) async fn forget_all_but(&self, orders: &[(Value, Order)]) {
        let ids: BTreeSet<i64> = orders.iter().map(|(_, order)| order.id).collect();
        self.told.lock().await.retain(|id, _| ids.contains(id));
        self.ended.lock().await.retain(|id, _| ids.contains(id));
    }

    /// Tracking numbers in the order of parcels, each once.
    async fn tracking(&self, order: &Order) -> Result<Vec<String>, ConnectorError> {
        let consignments: Vec<Parcels> = self.below(Read::Parcels(order.id)).await?;
        let mut numbers: Vec<String> = Vec::new();
        let add = |numbers: &mut Vec<String>, number: &str| {
            let number = number.trim();
            if !number.is_empty() && !numbers.iter().any(|known| known == number) {
                numbers.push(number.to_owned());
            }
        };
        for consignment in &consignments {
            let parcels = consignment.parcel_numbers.iter().flatten().map(String::as_str);
            let mut parcels = parcels.filter(|number| !number.trim().is_empty()).peekable();
            if parcels.peek().is_none() {
                add(&mut numbers, consignment.number.as_deref().unwrap_or_default());
            }
            parcels.for_each(|number| add(&mut numbers, number));
        }
        // The numbers of parcels made outside the warehouse's carrier connections stand on the order alone, whether there are rows for
        // them or not.
        if numbers.is_empty() {
            let on_order = order.tracking_number.as_deref().unwrap_or_default();
            on_order.split([',', ';']).for_each(|number| add(&mut numbers, number));
        }
        Ok(numbers)
    }

    /// A list below an order; there may be none.
    async fn below<T: DeserializeOwned>(&self, read: Read<'_>) -> Result<Vec<T>, ConnectorError> {
        let what = read.path();
        match self.client.read(POLL, read, &self.config).await {
            Ok(response) => list(&what, parse(&what, &response)?)?.into_iter().map(|row| typed(&what, row)).collect(),
            Err(ConnectorError { kind: ErrorKind::NotFound, .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// Boxes with what is in them, and the goods that are in no known box.
///
/// What left is what stands on the lines of the order that was despatched. Not every warehouse scans everything: scans say
/// where the goods are only where they add up to the lines.
fn packed(items: &[Item], scans: &[Scan], numbers: Vec<String>) -> (Vec<Package>, Vec<PackageLine>) {
    let scanned = |item: &Item| -> Decimal {
        scans.iter().filter(|scan| scan.order_item_id == item.id).map(|scan| scan.quantity).sum()
    };
    let adds_up = !scans.is_empty()
        && items.iter().all(|item| scanned(item) == item.quantity)
        && scans.iter().all(|scan| items.iter().any(|item| item.id == scan.order_item_id));
    let boxed: BTreeSet<i64> = scans.iter().filter_map(|scan| scan.box_number).collect();
    let tracked = |number| Package { tracking: Some(number), ..Package::default() };
    if !adds_up {
        let loose = items.iter().filter_map(|item| line(item, item.quantity, None, Vec::new())).collect();
        return (numbers.into_iter().map(tracked).collect(), loose);
    }
    let loose = contents(items, scans.iter().filter(|scan| scan.box_number.is_none()));
    let mut packages: Vec<Package> = boxed
        .iter()
        .map(|number| Package {
            lines: contents(items, scans.iter().filter(|scan| scan.box_number == Some(*number))),
            ..Package::default()
        })
        .collect();
    match numbers.as_slice() {
        // One consignment of several boxes.
        [only] if !packages.is_empty() => packages.iter_mut().for_each(|package| package.tracking = Some(only.clone())),
        several if several.len() == packages.len() => {
            packages.iter_mut().zip(numbers).for_each(|(package, number)| package.tracking = Some(number));
        }
        _ => packages.extend(numbers.into_iter().map(tracked)),
    }
    (packages, loose)
}

/// Scans by line and batch.
fn contents<'a>(items: &[Item], scans: impl Iterator<Item = &'a Scan>) -> Vec<PackageLine> {
    let mut sums: BTreeMap<(i64, Option<String>), (Decimal, Vec<String>)> = BTreeMap::new();
    for scan in scans {
        let batch = filled(scan.batch_no.as_deref()).map(str::to_owned);
        let (units, serials) = sums.entry((scan.order_item_id, batch)).or_default();
        *units += scan.quantity;
        serials.extend(
            filled(scan.serial_no.as_deref())
                .filter(|serial| !serials.iter().any(|known| known == serial))
                .map(str::to_owned),
        );
    }
    sums.into_iter()
        .filter_map(|((id, batch), (units, serials))| {
            line(items.iter().find(|item| item.id == id)?, units, batch, serials)
        })
        .collect()
}

/// Goods of one line; `None` when it is nothing.
fn line(item: &Item, quantity: Decimal, lot: Option<String>, serials: Vec<String>) -> Option<PackageLine> {
    (quantity > Decimal::ZERO).then(|| PackageLine {
        line_number: item.line_number(),
        sku: item.sku.clone(),
        quantity,
        lot,
        serials,
    })
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::{Item, Scan, packed};

    fn item(id: i64, units: i64) -> Item {
        Item { id, sku: format!("SKU-{id}"), quantity: units.into(), order_item_name_values: None }
    }

    fn scan(item: i64, units: i64, batch: &str, serial: &str, box_number: Option<i64>) -> Scan {
        Scan {
            order_item_id: item,
            quantity: units.into(),
            batch_no: Some(batch.to_owned()),
            serial_no: Some(serial.to_owned()),
            box_number,
        }
    }

    #[test]
    fn scans_say_where_goods_are_only_where_they_add_up() {
        let items = [item(1, 3), item(2, 2)];
        let full = [scan(1, 2, "L1", "S1", Some(1)), scan(1, 1, "L1", "S2", Some(2)), scan(2, 2, "", "", Some(2))];
        let (packages, loose) = packed(&items, &full, vec!["T1".to_owned(), "T2".to_owned()]);
        assert_eq!((packages.len(), loose.len()), (2, 0));
        assert_eq!(packages[0].tracking.as_deref(), Some("T1"));
        assert_eq!(
            (packages[0].lines[0].lot.as_deref(), packages[0].lines[0].serials.as_slice()),
            (Some("L1"), &["S1".to_owned()][..])
        );
        assert_eq!(packages[1].lines.len(), 2);
        // One number for both boxes; more numbers than boxes.
        let (packages, _) = packed(&items, &full, vec!["T1".to_owned()]);
        assert!(packages.iter().all(|package| package.tracking.as_deref() == Some("T1")));
        let (packages, _) = packed(&items, &full, (1..=3).map(|number| format!("T{number}")).collect());
        assert_eq!(packages.len(), 5);
        // A scan is missing, or there is one of a line that is not there: the lines count, whatever was scanned.
        for some in
            [&full[..2], &[scan(1, 3, "", "", None), scan(2, 2, "", "", None), scan(9, 1, "", "", None)][..], &[]]
        {
            let (packages, loose) = packed(&items, some, vec!["T1".to_owned()]);
            assert!(packages[0].lines.is_empty());
            assert_eq!(loose.iter().map(|line| line.quantity).sum::<Decimal>(), 5.into());
            assert!(loose.iter().all(|line| line.lot.is_none()));
        }
        // No boxes were counted, and one line is empty.
        let items = [item(1, 1), item(2, 0)];
        let (packages, loose) = packed(&items, &[scan(1, 1, "L", "", None)], Vec::new());
        assert_eq!((packages.len(), loose.len(), loose[0].lot.as_deref()), (0, 1, Some("L")));
    }
}
