//! Brightpearl's documents, named as Brightpearl names them. What is read is lenient: fields may be absent or null, and
//! fields that are not named here are ignored. What is written is exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Number as JsonNumber;

use super::lenient::{Day, Flag, IdMap, Moment, Number, Text, Whole};

// --- read ----------------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Order {
    pub(super) id: Whole,
    pub(super) parent_order_id: Whole,
    pub(super) order_type_code: Text,
    pub(super) reference: Text,
    pub(super) version: Whole,
    pub(super) order_status: Option<OrderStatusOfOrder>,
    pub(super) stock_status_code: Text,
    pub(super) allocation_status_code: Text,
    pub(super) shipping_status_code: Text,
    pub(super) placed_on: Moment,
    pub(super) created_on: Moment,
    pub(super) updated_on: Moment,
    pub(super) delivery: Option<Delivery>,
    pub(super) assignment: Option<Assignment>,
    pub(super) parties: Option<Parties>,
    pub(super) order_rows: IdMap<OrderRow>,
    pub(super) warehouse_id: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OrderStatusOfOrder {
    pub(super) order_status_id: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Delivery {
    pub(super) delivery_date: Day,
    pub(super) shipping_method_id: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Assignment {
    pub(super) current: Option<CurrentAssignment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CurrentAssignment {
    pub(super) channel_id: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Parties {
    pub(super) customer: Option<Party>,
    pub(super) delivery: Option<Party>,
    pub(super) billing: Option<Party>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Party {
    pub(super) address_full_name: Text,
    pub(super) company_name: Text,
    pub(super) address_line1: Text,
    pub(super) address_line2: Text,
    pub(super) address_line3: Text,
    pub(super) address_line4: Text,
    pub(super) postal_code: Text,
    pub(super) country_iso_code: Text,
    pub(super) telephone: Text,
    pub(super) mobile_telephone: Text,
    pub(super) email: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OrderRow {
    pub(super) order_row_sequence: Whole,
    pub(super) product_id: Whole,
    pub(super) product_name: Text,
    pub(super) product_sku: Text,
    pub(super) quantity: Option<Quantity>,
    pub(super) product_price: Option<MoneyValue>,
    pub(super) row_value: Option<RowValue>,
    pub(super) composition: Option<RowComposition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Quantity {
    pub(super) magnitude: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MoneyValue {
    pub(super) currency_code: Text,
    pub(super) value: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RowValue {
    pub(super) row_net: Option<MoneyValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RowComposition {
    pub(super) bundle_parent: Flag,
    pub(super) bundle_child: Flag,
    pub(super) parent_order_row_id: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OrderNote {
    pub(super) note_id: Whole,
    pub(super) text: Text,
    pub(super) added_by: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GoodsOutNote {
    pub(super) order_id: Whole,
    pub(super) warehouse_id: Whole,
    pub(super) transfer: Flag,
    pub(super) priority: Flag,
    pub(super) status: Option<GoodsOutNoteStatus>,
    pub(super) shipping: Option<Shipping>,
    pub(super) release_date: Moment,
    pub(super) created_on: Moment,
    pub(super) created_by: Whole,
    pub(super) order_rows: IdMap<Vec<GoodsOutNoteRow>>,
    pub(super) label_uri: Text,
    pub(super) last_event_version: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GoodsOutNoteStatus {
    pub(super) shipped: Flag,
    pub(super) shipped_on: Moment,
    pub(super) shipped_by_id: Whole,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Shipping {
    pub(super) reference: Text,
    pub(super) shipping_method_id: Whole,
    pub(super) boxes: Option<Whole>,
    pub(super) weight: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GoodsOutNoteRow {
    pub(super) product_id: Whole,
    pub(super) quantity: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Product {
    pub(super) id: Whole,
    pub(super) identity: Option<Identity>,
    pub(super) stock: Option<ProductStock>,
    pub(super) status: Text,
    pub(super) composition: Option<Composition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Identity {
    pub(super) sku: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProductStock {
    pub(super) stock_tracked: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Composition {
    pub(super) bundle: Flag,
    pub(super) bundle_components: Vec<BundleComponent>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BundleComponent {
    pub(super) product_id: Whole,
    pub(super) product_quantity: Number,
    pub(super) composition: Option<Composition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProductAvailability {
    pub(super) warehouses: IdMap<Availability>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Availability {
    pub(super) in_stock: Number,
    pub(super) on_hand: Number,
    pub(super) allocated: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RowFulfilment {
    pub(super) fulfilled: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProductPrice {
    pub(super) product_id: Whole,
    pub(super) price_lists: Vec<ProductPriceList>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProductPriceList {
    pub(super) price_list_id: Whole,
    pub(super) currency_code: Text,
    pub(super) quantity_price: IdMap<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StockCorrectionNote {
    pub(super) goods_note_id: Whole,
    pub(super) reason: Text,
    pub(super) goods_moved: Vec<GoodsMoved>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GoodsMoved {
    pub(super) product_id: Whole,
    pub(super) quantity: Number,
    pub(super) created_on: Moment,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Warehouse {
    pub(super) id: Whole,
    pub(super) name: Text,
    pub(super) type_description: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OrderStatus {
    pub(super) status_id: Whole,
    pub(super) name: Text,
    pub(super) order_type_code: Text,
    pub(super) disabled: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Channel {
    pub(super) id: Whole,
    pub(super) name: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ShippingMethod {
    pub(super) id: Whole,
    pub(super) name: Text,
    pub(super) code: Text,
    pub(super) carrier: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PriceList {
    pub(super) id: Whole,
    pub(super) name: Option<Words>,
    pub(super) code: Text,
    pub(super) currency_code: Text,
    pub(super) price_list_type_code: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Words {
    pub(super) text: Text,
}

/// Every value is a text, ids and flags included.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AccountConfiguration {
    pub(super) configuration: BTreeMap<String, Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Webhook {
    pub(super) id: Whole,
    pub(super) subscribe_to: Text,
    pub(super) http_method: Text,
    pub(super) uri_template: Text,
    pub(super) body_template: Text,
    pub(super) id_set_accepted: Flag,
    pub(super) quality_of_service: Option<Whole>,
}

// --- written -------------------------------------------------------------------------------------------------------

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewGoodsOutNotes {
    pub(super) warehouses: [NewGoodsOutNote; 1],
    pub(super) priority: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shipping_method_id: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewGoodsOutNote {
    pub(super) release_date: String,
    pub(super) warehouse_id: i64,
    pub(super) transfer: bool,
    pub(super) products: Vec<NewGoodsOutNoteRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewGoodsOutNoteRow {
    pub(super) product_id: i64,
    pub(super) sales_order_row_id: i64,
    pub(super) quantity: JsonNumber,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GoodsOutNoteUpdate {
    pub(super) priority: bool,
    pub(super) shipping: ShippingUpdate,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) label_uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShippingUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shipping_method_id: Option<i64>,
    pub(super) reference: String,
    pub(super) boxes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) weight: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct GoodsOutNoteEvents {
    pub(super) events: [GoodsOutNoteEvent; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GoodsOutNoteEvent {
    pub(super) event_code: &'static str,
    /// Spelled with one r.
    pub(super) occured: String,
    pub(super) event_owner_id: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderStatusUpdate {
    pub(super) order_status_id: i64,
    pub(super) order_note: NoteOfStatusUpdate,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NoteOfStatusUpdate {
    pub(super) text: String,
    pub(super) is_public: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOrderNote {
    pub(super) text: String,
    pub(super) is_public: bool,
    pub(super) added_on: String,
}

#[derive(Debug, Serialize)]
pub(super) struct StockCorrections {
    pub(super) corrections: Vec<StockCorrectionLine>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StockCorrectionLine {
    pub(super) quantity: i64,
    pub(super) product_id: i64,
    pub(super) reason: String,
    pub(super) location_id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<CorrectionCost>,
}

#[derive(Debug, Serialize)]
pub(super) struct CorrectionCost {
    pub(super) currency: String,
    pub(super) value: JsonNumber,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewWebhook {
    pub(super) subscribe_to: &'static str,
    pub(super) http_method: &'static str,
    pub(super) uri_template: String,
    pub(super) content_type: &'static str,
    pub(super) id_set_accepted: bool,
    pub(super) quality_of_service: u8,
    pub(super) body_template: String,
}
