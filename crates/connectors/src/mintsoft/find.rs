//! Orders under a key, with every part of them and their lines.

use std::collections::BTreeSet;

use connect::{ConnectorError, ErrorKind};

use super::{
    Mintsoft,
    calls::Read,
    client::Purpose,
    wire::{Item, Order, Split, list, parse, typed},
};

impl Mintsoft {
    /// Every order under a key, whatever its state, by id, with its lines. The search may find more than what was asked for,
    /// and it is not documented whether it finds the parts of an order that was split: those are asked for as well.
    pub(super) async fn find(&self, purpose: Purpose, key: &str) -> Result<Vec<Order>, ConnectorError> {
        let read = Read::Search { number: key };
        let rows = match self.client.read(purpose, read, &self.config).await {
            Ok(response) => list(&read.path(), parse(&read.path(), &response)?)?,
            Err(ConnectorError { kind: ErrorKind::NotFound, .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut orders: Vec<Order> = Vec::new();
        for row in rows {
            let order: Order = typed("an order", row)?;
            let is_ours = self.config.client.is_none_or(|client| order.client_id.is_none_or(|other| other == client));
            if is_ours && order.is_of(key) && !orders.iter().any(|known| known.id == order.id) {
                orders.push(order);
            }
        }
        self.add_parts(purpose, &mut orders).await?;
        for order in &mut orders {
            if order.order_items.is_none() {
                order.order_items = Some(self.items(purpose, order.id).await?);
            }
        }
        orders.sort_by_key(|order| order.id);
        Ok(orders)
    }

    /// Follows the splits of orders that say they have more parts than were found.
    pub(super) async fn add_parts(&self, purpose: Purpose, orders: &mut Vec<Order>) -> Result<(), ConnectorError> {
        let most = orders.iter().filter_map(|order| order.number_of_parts).max().unwrap_or(1);
        let mut asked: BTreeSet<i64> = BTreeSet::new();
        // Each round asks orders not asked before, so this ends.
        while i64::try_from(orders.len()).is_ok_and(|found| found < most) {
            let Some(id) = orders.iter().map(|order| order.id).find(|id| !asked.contains(id)) else { return Ok(()) };
            asked.insert(id);
            let read = Read::Splits(id);
            let rows = match self.client.read(purpose, read, &self.config).await {
                Ok(response) => list(&read.path(), parse(&read.path(), &response)?)?,
                Err(ConnectorError { kind: ErrorKind::NotFound, .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            for row in rows {
                let split: Split = typed("a split order", row)?;
                for part in [split.order_id, split.split_order_id] {
                    if !orders.iter().any(|order| order.id == part)
                        && let Some(order) = self.read_order(purpose, part).await?
                    {
                        orders.push(order);
                    }
                }
            }
        }
        Ok(())
    }

    /// One order, read directly, with its lines; `None` when there is none.
    pub(super) async fn read_order(&self, purpose: Purpose, id: i64) -> Result<Option<Order>, ConnectorError> {
        let read = Read::Order(id);
        let response = match self.client.read(purpose, read, &self.config).await {
            Ok(response) => response,
            Err(ConnectorError { kind: ErrorKind::NotFound, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut order: Order = match parse(&read.path(), &response)? {
            serde_json::Value::Null => return Ok(None),
            value => typed(&read.path(), value)?,
        };
        if order.id != id {
            return Err(ConnectorError::unexpected(format!("order {id} was asked for, and {} came", order.id)));
        }
        if order.order_items.is_none() {
            order.order_items = Some(self.items(purpose, id).await?);
        }
        Ok(Some(order))
    }

    pub(super) async fn items(&self, purpose: Purpose, id: i64) -> Result<Vec<Item>, ConnectorError> {
        let read = Read::Items(id);
        let rows = list(&read.path(), parse(&read.path(), &self.client.read(purpose, read, &self.config).await?)?)?;
        rows.into_iter().map(|row| typed("a line of an order", row)).collect()
    }
}
