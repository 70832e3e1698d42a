//! Orders under a key, and one order with everything.

use std::collections::BTreeMap;

use connect::{ConnectorError, ErrorKind};
use serde_json::{Value, json};

use super::{
    ShipHero,
    client::{Purpose, Read},
    documents::{Document, FIND, ORDER},
    wire::{Head, Order, list, typed},
};

/// Most lines of one order.
pub(super) const MOST_LINES: usize = 500;
/// Lines asked for: each costs credits, whether it is there or not. An order that has more is read again with more.
const LINES: [usize; 3] = [20, 100, MOST_LINES];
/// Pages of one list: more is not a list but a circle.
const MOST_PAGES: usize = 400;

impl ShipHero {
    /// Every order under a key, whatever its state, by id. The number and the partner's id are both asked for, since people can
    /// change the one. The search may lag behind.
    pub(super) async fn find(&self, purpose: Purpose, key: &str) -> Result<Vec<Head>, ConnectorError> {
        let variables = json!({ "key": key, "customer": self.config.customer });
        let Read { data, .. } = self.client.read(purpose, &FIND, &variables).await?;
        let mut found: BTreeMap<String, Head> = BTreeMap::new();
        for field in [FIND.field, "by_partner"] {
            let page = list(&data, field)?;
            if !page.is_whole() {
                return Err(ConnectorError::unexpected(format!(
                    "the warehouse has more than five orders under {key}: look there which of them is meant"
                )));
            }
            let orders: Vec<Head> = page.typed("an order")?;
            found.extend(orders.into_iter().filter(|order| order.is_of(key)).map(|order| (order.id.clone(), order)));
        }
        Ok(found.into_values().collect())
    }

    /// One order, read directly, with its lines and what left; `None` when there is none.
    pub(super) async fn read_order(&self, purpose: Purpose, id: &str) -> Result<Option<Order>, ConnectorError> {
        for lines in LINES {
            let variables = json!({ "id": id, "lines": lines });
            let answer = match self.client.read(purpose, &ORDER, &variables).await {
                Ok(Read { mut data, .. }) => data.pointer_mut("/order/data").map(Value::take),
                // A page of something in between that was not found is no word of the service's.
                Err(ConnectorError { kind: ErrorKind::Rejected { code }, message })
                    if code == "errors" && says_gone(&message) =>
                {
                    None
                }
                Err(error) => return Err(error),
            };
            let order = match answer {
                None | Some(Value::Null) => return Ok(None),
                Some(answer) => Order::read(answer)?,
            };
            if order.head.id != id {
                return Err(ConnectorError::unexpected(format!(
                    "order {id} was asked for, and {} came",
                    order.head.id
                )));
            }
            if order.is_whole() {
                return Ok(Some(order));
            }
        }
        Err(ConnectorError::unexpected(format!("order {id} has more than {MOST_LINES} lines")))
    }

    /// Every node of a list, page by page, and the time at the service when the first page was read.
    pub(super) async fn all(
        &self,
        purpose: Purpose,
        document: &Document,
        mut variables: Value,
    ) -> Result<(Vec<Value>, Option<jiff::Timestamp>), ConnectorError> {
        let (mut nodes, mut at, mut after) = (Vec::new(), None, None::<String>);
        for _ in 0..MOST_PAGES {
            if let Some(fields) = variables.as_object_mut() {
                fields.insert("after".to_owned(), json!(after));
            }
            let read = self.client.read(purpose, document, &variables).await?;
            at = at.or(read.at);
            let page = list(&read.data, document.field)?;
            nodes.extend(page.nodes().cloned());
            match page.next()? {
                None => return Ok((nodes, at)),
                next if next == after => break,
                next => after = next,
            }
        }
        Err(ConnectorError::unexpected(format!("{}: the list does not end", document.field)))
    }

    /// The list of one page that is all there may be.
    pub(super) async fn few<T: serde::de::DeserializeOwned>(
        &self,
        purpose: Purpose,
        document: &Document,
        variables: &Value,
    ) -> Result<Vec<T>, ConnectorError> {
        let read = self.client.read(purpose, document, variables).await?;
        list(&read.data, document.field)?.nodes().map(|node| typed(document.field, node.clone())).collect()
    }
}

/// How the service says that an id is not there is not published; its other refusals do not speak so.
fn says_gone(message: &str) -> bool {
    message.to_lowercase().contains("not found")
}
