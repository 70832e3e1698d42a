//! An order source that answers at once, so that what is measured is the hub alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    AccountCheck, Address, Allocation, Armed, BundleRole, Capabilities, Choices, ConnectorError, Cost, Delivery,
    Effect, EffectDraft, EffectKind, Effects, GoodsOutNote, LineStock, Money, NewNote, NoteRow, NoteScan, Order,
    OrderFilter, OrderHead, OrderLine, OrderScan, OrderSource, PlanError, Prepared, Probe, Product, Progress,
    ShippingDetails, SourceLevels, StockCorrection,
};
use jiff::Timestamp;
use rust_decimal::Decimal;

/// Makes orders 1 to `count` out of nothing, three lines each.
pub struct Made {
    /// How many orders there are.
    pub count: i64,
    /// The status they have.
    pub status_id: i64,
    /// The warehouse they leave from.
    pub warehouse_id: i64,
    /// When they were placed.
    pub placed_at: Timestamp,
}

const PRODUCTS: i64 = 500;
const NOT_HERE: &str = "this source only makes orders";

impl Made {
    fn order(&self, order_id: i64) -> Order {
        let line = |place: i64| OrderLine {
            row_id: order_id * 10 + place,
            product_id: Some(product(order_id, place)),
            sku: sku(product(order_id, place)),
            name: format!("Example product {}", product(order_id, place)),
            quantity: Decimal::from(1 + (order_id + place) % 3),
            unit_price: Some(Money { currency: "GBP".to_owned(), amount: Decimal::new(1_999, 2) }),
            stock: LineStock::Unknown,
            bundle: BundleRole::None,
            sequence: place * 10,
        };
        let address = Address {
            name: format!("Recipient {order_id}"),
            company: "Example Customer Ltd.".to_owned(),
            line1: format!("{} Example Street", order_id % 200),
            line2: "Unit 2".to_owned(),
            city: "Exampletown".to_owned(),
            state: "Exampleshire".to_owned(),
            postcode: "EX1 1EX".to_owned(),
            country: "GB".to_owned(),
            phone: "01632 960001".to_owned(),
            email: format!("customer{order_id}@example.test"),
        };
        Order {
            order_id,
            parent_id: None,
            version: 1,
            reference: format!("WEB-{order_id}"),
            status_id: self.status_id,
            warehouse_id: Some(self.warehouse_id),
            channel_id: Some(1),
            ship_method_id: Some(49),
            placed_at: self.placed_at,
            updated_at: None,
            deliver_on: None,
            notes: String::new(),
            is_sale: true,
            allocation: Allocation::All,
            fulfilment: Progress::None,
            shipping: Progress::None,
            deliver_to: address.clone(),
            bill_to: address,
            lines: (1..=3).map(line).collect(),
        }
    }
}

fn product(order_id: i64, place: i64) -> i64 {
    1 + (order_id * 7 + place * 13) % PRODUCTS
}

/// The SKU of a made product.
pub fn sku(product: i64) -> String {
    format!("SKU-{product:05}")
}

/// Every SKU there is.
pub fn skus() -> impl Iterator<Item = String> {
    (1..=PRODUCTS).map(sku)
}

#[async_trait]
impl Effects for Made {
    fn capabilities(&self, _kind: EffectKind) -> Option<Capabilities> {
        None
    }
    async fn prepare(&self, _effects: &[Effect]) -> Result<Vec<Prepared>, ConnectorError> {
        Err(ConnectorError::unsupported(NOT_HERE))
    }
    async fn send(&self, batch: &[Armed], _until: Duration) -> Delivery {
        Delivery::all(batch.len(), &connect::Sent::not_sent(connect::ErrorKind::Unsupported, NOT_HERE), None)
    }
    async fn probe(&self, _effects: &[Armed]) -> Result<Vec<Probe>, ConnectorError> {
        Err(ConnectorError::unsupported(NOT_HERE))
    }
}

#[async_trait]
impl OrderSource for Made {
    async fn check(&self) -> Result<AccountCheck, ConnectorError> {
        Err(ConnectorError::unsupported(NOT_HERE))
    }

    async fn choices(&self) -> Result<Choices, ConnectorError> {
        Ok(Choices::default())
    }

    async fn scan_orders(&self, _filter: &OrderFilter) -> Result<OrderScan, ConnectorError> {
        let head = |order_id| OrderHead { order_id, status_id: self.status_id, updated: String::new() };
        Ok(OrderScan { heads: (1..=self.count).map(head).collect() })
    }

    async fn scan_notes(&self, _warehouses: &BTreeSet<i64>) -> Result<NoteScan, ConnectorError> {
        Ok(NoteScan::default())
    }

    async fn orders(&self, ids: &[i64]) -> Result<Vec<Order>, ConnectorError> {
        Ok(ids.iter().map(|id| self.order(*id)).collect())
    }

    async fn notes(&self, _order_ids: &[i64]) -> Result<Vec<GoodsOutNote>, ConnectorError> {
        Ok(Vec::new())
    }

    async fn fulfilled(&self, _order_id: i64) -> Result<BTreeMap<i64, Decimal>, ConnectorError> {
        Ok(BTreeMap::new())
    }

    async fn products(&self, ids: &[i64]) -> Result<Vec<Product>, ConnectorError> {
        let made = |id: &i64| Product {
            product_id: *id,
            sku: sku(*id),
            stock_tracked: true,
            archived: false,
            components: Vec::new(),
        };
        Ok(ids.iter().map(made).collect())
    }

    async fn find_skus(&self, _skus: &[String]) -> Result<BTreeMap<String, Vec<i64>>, ConnectorError> {
        Ok(BTreeMap::new())
    }

    async fn stock(&self, _warehouse: i64, _products: &[i64]) -> Result<SourceLevels, ConnectorError> {
        Ok(SourceLevels::default())
    }

    async fn costs(&self, _price_list: i64, _products: &[i64]) -> Result<BTreeMap<i64, Cost>, ConnectorError> {
        Ok(BTreeMap::new())
    }

    async fn default_location(&self, _warehouse: i64) -> Result<i64, ConnectorError> {
        Err(ConnectorError::unsupported(NOT_HERE))
    }

    fn plan_note(&self, _key: &str, _note: &NewNote) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }

    fn plan_note_deletion(&self, _key: &str, _order_id: i64, _note_id: i64) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }

    fn plan_shipping(&self, _key: &str, _details: &ShippingDetails) -> Result<Vec<EffectDraft>, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }

    fn plan_shipped(
        &self,
        _key: &str,
        _order: i64,
        _note: i64,
        _rows: &[NoteRow],
        _at: Timestamp,
    ) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }

    fn plan_status(
        &self,
        _key: &str,
        _order: i64,
        _from: &BTreeSet<i64>,
        _to: i64,
        _name: Option<&str>,
    ) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }

    fn plan_order_note(&self, _key: &str, _order_id: i64, _text: &str) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }

    fn plan_correction(&self, _batch: &str, _correction: &StockCorrection) -> Result<EffectDraft, PlanError> {
        Err(PlanError::new(NOT_HERE))
    }
}
