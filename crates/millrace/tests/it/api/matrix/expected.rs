//! What is expected of every route. A route that is not here fails the test; so does a row without its route.

use serde_json::{Value, json};

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// To look.
    Read,
    /// To work.
    Staff,
    /// To administer the tenant, all its merchants.
    Admin,
    /// To administer the installation.
    Operator,
}
use Needs::{Admin, Operator, Read, Staff};

/// One route.
pub struct Row {
    /// Its `operationId`.
    pub id: &'static str,
    pub needs: Needs,
    /// A body that is right for it.
    pub body: Value,
    /// Its query.
    pub query: &'static str,
    /// What who may gets with an object of its own: several where the second time is not as the first.
    pub own: &'static [u16],
    /// What an administrator gets of another tenant, and of another merchant where the route is not for whole tenants only.
    pub foreign: u16,
}

fn row(id: &'static str, needs: Needs, body: Value, own: &'static [u16], foreign: u16) -> Row {
    Row { id, needs, body, query: "", own, foreign }
}

/// A route that only looks at one object.
fn look(id: &'static str) -> Row {
    row(id, Read, Value::Null, &[200], 404)
}

/// A route that lists: what is another's is not in it.
fn list(id: &'static str) -> Row {
    row(id, Read, Value::Null, &[200], 200)
}

/// All routes, in an order in which they can be asked one after another.
pub fn expected() -> Vec<Row> {
    let why = || json!({ "reason": "the matrix" });
    // Right in every way, so that nothing but the merchant it names stands in its way.
    let store = json!({
        "name": "Another", "merchant": "Acme", "platform": "brightpearl",
        "settings": { "datacenter_code": "eu1", "account_id": "another", "email": "api.user@example.test" },
        "secrets": { "password": "example-password" },
    });
    let warehouse = json!({
        "name": "Another", "merchant": "Acme", "platform": "dsfx",
        "settings": { "transport": "folder", "folder": "/nonexistent/another" }, "secrets": {},
    });
    vec![
        list("list_platforms"),
        list("list_merchants"),
        list("list_stores"),
        list("list_warehouses"),
        list("list_connections"),
        list("list_orders"),
        list("list_shipments"),
        list("list_effects"),
        Row { query: "?all=true", ..list("list_exceptions") },
        Row { query: "?all=true", ..list("list_findings") },
        list("get_budgets"),
        Row { query: "?after=0", ..list("follow_events") },
        list("get_safety"),
        look("get_store"),
        look("get_warehouse"),
        look("get_connection"),
        look("get_choices"),
        look("get_census"),
        look("get_drift"),
        look("get_mappings"),
        look("export_listings"),
        look("get_webhooks"),
        look("list_stock_holds"),
        look("list_stock_levels"),
        look("list_stock_runs"),
        look("get_stock_run"),
        look("get_order"),
        look("explain_order"),
        look("get_shipment"),
        look("get_effect"),
        look("explain_effect"),
        look("get_finding"),
        row("list_keys", Admin, Value::Null, &[200], 200),
        row("list_audit", Admin, Value::Null, &[200], 200),
        row("get_audit_verification", Admin, Value::Null, &[200], 200),
        row("get_configuration", Admin, Value::Null, &[200], 200),
        row("test_store", Staff, Value::Null, &[200], 404),
        row("test_warehouse", Staff, Value::Null, &[200], 404),
        row("test_connection", Staff, Value::Null, &[200], 404),
        row("run_census", Staff, json!({ "full": false }), &[409], 404),
        row("update_channel", Staff, json!({ "enabled": false, "every_seconds": 60 }), &[200], 404),
        row("run_channel", Staff, Value::Null, &[204, 409], 404),
        row("update_mappings", Staff, json!({ "listings": [["A", "B"]] }), &[200], 404),
        row("import_listings", Staff, json!("Brightpearl SKU,Warehouse SKU\nC,D\n"), &[200], 404),
        row("enable_connection", Staff, Value::Null, &[200, 409], 404),
        row("disable_connection", Staff, Value::Null, &[200], 404),
        row("resume_connection", Staff, Value::Null, &[200], 404),
        row("release_stock", Staff, json!({ "skus": [], "all": true }), &[200, 404], 404),
        row("approve_stock_run", Staff, json!({ "skus": [] }), &[200, 409], 404),
        row("drop_stock_run", Staff, Value::Null, &[200, 409], 404),
        row("undo_stock_run", Staff, why(), &[200, 409], 404),
        row("retry_order", Staff, Value::Null, &[200, 409], 404),
        row("hold_order", Staff, why(), &[200, 409], 404),
        row("release_order", Staff, Value::Null, &[200, 409], 404),
        row("cancel_order", Staff, why(), &[200, 409], 404),
        row("answer_order", Staff, json!({ "answer": "too_late", "reason": "the matrix" }), &[409], 404),
        row("resend_order", Staff, why(), &[200, 409], 404),
        row("archive_order", Staff, Value::Null, &[200, 409], 404),
        row("retry_shipment", Staff, Value::Null, &[200, 409], 404),
        row("decide_effect", Staff, json!({ "decision": "void", "reason": "the matrix" }), &[200, 409], 404),
        row("resolve_exception", Staff, Value::Null, &[204, 404], 404),
        row("repair_finding", Staff, why(), &[409], 404),
        row("create_store", Admin, store, &[201, 409], 404),
        row("create_warehouse", Admin, warehouse, &[201, 409], 404),
        row("create_connection", Admin, json!({ "name": "main", "store": "BP", "warehouse": "WH" }), &[409, 422], 404),
        // From here on the other tenant has a merchant of the same name.
        row("create_merchant", Admin, json!({ "name": "Acme" }), &[409], 201),
        row("update_store", Admin, json!({ "settings": { "datacenter_code": "eu1" } }), &[200, 422], 404),
        row("update_warehouse", Admin, json!({ "settings": { "transport": "folder" } }), &[200, 422], 404),
        row("update_settings", Admin, json!({ "import_statuses": ["Ready to ship"] }), &[200, 422], 404),
        row("create_warehouse_address", Admin, Value::Null, &[409, 422, 501], 404),
        row("register_webhooks", Admin, Value::Null, &[501], 404),
        row("plan_configuration", Admin, json!({ "toml": "[[merchant]]\nname = \"Acme\"\n" }), &[200], 200),
        row("update_configuration", Admin, json!({ "toml": "[[merchant]]\nname = \"Acme\"\n" }), &[200], 200),
        row("create_key", Admin, json!({ "name": "made by the matrix", "role": "read" }), &[201], 201),
        row("revoke_key", Admin, Value::Null, &[204, 404], 404),
        row("freeze_sending", Operator, why(), &[200], 403),
        row("recover", Operator, json!({ "since": "2026-01-01T00:00:00Z" }), &[200], 403),
        row("release_sending", Operator, json!({ "reason": "the matrix", "force": true }), &[200, 409], 403),
    ]
}
