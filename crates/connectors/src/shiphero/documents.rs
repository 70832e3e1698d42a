//! What is asked of the service, word for word, and where its answer stands.

/// One request. Its text is checked against the schema that the stand-in judges by.
pub(super) struct Document {
    /// The field at the top of its answer; the first of two that ask alike.
    pub(super) field: &'static str,
    pub(super) text: &'static str,
}

pub(super) static ACCOUNT: Document = Document { field: "account", text: include_str!("queries/account.graphql") };
pub(super) static FIND: Document = Document { field: "by_number", text: include_str!("queries/find.graphql") };
pub(super) static CHANGED: Document = Document { field: "orders", text: include_str!("queries/changed.graphql") };
pub(super) static LEFT: Document = Document { field: "shipments", text: include_str!("queries/left.graphql") };
pub(super) static ORDER: Document = Document { field: "order", text: include_str!("queries/order.graphql") };
pub(super) static PRODUCT: Document =
    Document { field: "warehouse_products", text: include_str!("queries/product.graphql") };
pub(super) static STOCK: Document =
    Document { field: "warehouse_products", text: include_str!("queries/stock.graphql") };

pub(super) static CREATE: Document = Document { field: "order_create", text: include_str!("queries/create.graphql") };
pub(super) static RELEASE: Document =
    Document { field: "order_update_holds", text: include_str!("queries/release.graphql") };
pub(super) static CANCEL: Document = Document { field: "order_cancel", text: include_str!("queries/cancel.graphql") };
