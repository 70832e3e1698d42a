//! What is expected of every route. A route that is not here fails the test; so does a row without its route.

use serde_json::{Value, json};

use super::super::browser::PASSWORD;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: for whoever is not signed in yet.
    Nothing,
    /// To look.
    Read,
    /// To work.
    Staff,
    /// To administer what belongs to the merchant.
    Manage,
    /// To administer the tenant, all its merchants.
    Admin,
    /// To administer the installation.
    Operator,
    /// To be a person, whatever else they may do: it is about themselves.
    Oneself,
    /// To be the system of a warehouse: it is about its desk.
    Warehouse,
}
use Needs::{Admin, Manage, Nothing, Oneself, Operator, Read, Staff, Warehouse};

/// How lately a person must have given the password (control 27). A new route says it: what hands out or changes credentials,
/// sends again, or writes or lets go of much stock at once, asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// Within the last ten minutes.
    Lately,
    /// At any time since they signed in.
    Whenever,
}
use Password::{Lately, Whenever};

/// The shortest interchange: no group in it.
const DOCUMENT: &str = "SVNBKjAwKiAgICAgICAgICAqMDAqICAgICAgICAgICpaWipUSFJFRVBMICAgICAgICAqWloqQlBNRVJDSEFOVCAgICAgKjI2MTEy\
    MyowNjMwKlUqMDA0MDEqMDAwMDAwMDAxKjAqUCo+fklFQSowKjAwMDAwMDAwMX4=";

/// One route.
pub struct Row {
    /// Its `operationId`.
    pub id: &'static str,
    pub needs: Needs,
    pub password: Password,
    /// A body that is right for it.
    pub body: Value,
    /// Its query.
    pub query: &'static str,
    /// What who may gets with an object of its own: several where the second time is not as the first.
    pub own: &'static [u16],
    /// What an administrator gets of another tenant, and of another merchant where the route is not for whole tenants only. Of
    /// routes about oneself: what the other people get.
    pub foreign: u16,
}

fn row(id: &'static str, needs: Needs, password: Password, body: Value, own: &'static [u16], foreign: u16) -> Row {
    Row { id, needs, password, body, query: "", own, foreign }
}

/// A route that only looks at one object.
fn look(id: &'static str) -> Row {
    row(id, Read, Whenever, Value::Null, &[200], 404)
}

/// A route that lists: what is another's is not in it.
fn list(id: &'static str) -> Row {
    row(id, Read, Whenever, Value::Null, &[200], 200)
}

/// A route for whoever is not signed in yet.
fn open(id: &'static str, body: Value, answers: &'static [u16]) -> Row {
    row(id, Nothing, Whenever, body, answers, 0)
}

/// A route about oneself: the same for everybody.
fn oneself(id: &'static str, password: Password, body: Value, answers: u16, own: &'static [u16]) -> Row {
    row(id, Oneself, password, body, own, answers)
}

/// The same where the database is a PostgreSQL server's, which makes its own backups: who may not ask is refused before that is said.
pub fn expected_on_postgres() -> Vec<Row> {
    let mut rows = expected();
    for row in &mut rows {
        match row.id {
            "create_backup" => row.own = &[501],
            "export_backup" | "remove_backup" => row.own = &[404],
            _ => {}
        }
    }
    rows
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
    // A request that nothing else asks about.
    let shipped = json!({
        "id": "S1", "request": "BPacme-O9002", "shipped_at": "2026-11-26T10:00:00Z",
        "lines": [{ "sku": "WH-1", "quantity": 1 }],
    });
    let counted = json!({
        "id": "C1", "counted_at": "2026-11-26T10:00:00Z", "levels": [{ "sku": "WH-1", "physical": 5 }],
    });
    let webhook = json!({
        "name": "Another hook", "merchant": "Acme", "url": "https://hooks.example.com/b", "events": [],
    });
    let changed_webhook =
        json!({ "name": "Hook", "url": "https://hooks.example.com/c", "events": [], "enabled": true });
    let alert_channel =
        json!({ "name": "Another channel", "merchant": "Acme", "kind": "email", "to": ["ops@example.com"] });
    let changed_channel = json!({ "name": "Mail", "to": ["ops@example.com"], "enabled": true });
    let entered = json!({
        "token": "{hand_off_token}",
        "settings": { "datacenter_code": "eu1", "account_id": "acme", "email": "api.user@example.test" },
        "secrets": { "password": "example-password" },
    });
    let invitation = json!({ "email": "new@example.com", "name": "New", "role": "staff" });
    vec![
        list("list_platforms"),
        list("list_merchants"),
        list("list_stores"),
        list("list_warehouses"),
        list("list_connections"),
        list("list_orders"),
        list("get_order_counts"),
        list("get_overview"),
        list("list_exception_groups"),
        list("export_data"),
        list("list_shipments"),
        list("list_effects"),
        Row { query: "?all=true", ..list("list_exceptions") },
        Row { query: "?all=true", ..list("list_findings") },
        list("get_budgets"),
        Row { query: "?after=0", ..list("follow_events") },
        list("get_safety"),
        look("get_store"),
        look("get_grant"),
        look("get_warehouse"),
        look("get_connection"),
        look("get_choices"),
        look("get_store_choices"),
        look("get_warehouse_choices"),
        look("get_census"),
        look("get_drift"),
        look("list_preflights"),
        look("get_preflight"),
        look("get_mappings"),
        look("export_mappings"),
        look("get_webhooks"),
        look("list_stock_holds"),
        look("list_stock_levels"),
        look("list_stock_runs"),
        look("get_stock_run"),
        look("list_stock_run_lines"),
        look("get_order"),
        look("explain_order"),
        look("get_shipment"),
        look("get_effect"),
        look("explain_effect"),
        look("get_finding"),
        list("list_issues"),
        look("get_issue"),
        list("list_alert_policies"),
        look("get_alert_policy"),
        list("list_alert_channels"),
        look("get_alert_channel"),
        look("list_alert_deliveries"),
        list("list_webhooks"),
        look("get_webhook"),
        look("list_webhook_deliveries"),
        look("get_delivery"),
        row("list_hand_offs", Staff, Whenever, Value::Null, &[200], 200),
        row("list_people", Admin, Whenever, Value::Null, &[200], 200),
        row("get_person", Admin, Whenever, Value::Null, &[200], 404),
        row("list_persons_sessions", Admin, Whenever, Value::Null, &[200], 404),
        row("list_invitations", Admin, Whenever, Value::Null, &[200], 200),
        row("list_keys", Admin, Whenever, Value::Null, &[200], 200),
        row("list_audit", Admin, Whenever, Value::Null, &[200], 200),
        row("get_audit_verification", Admin, Whenever, Value::Null, &[200], 200),
        row("get_configuration", Admin, Whenever, Value::Null, &[200], 200),
        row("test_store", Staff, Whenever, Value::Null, &[200], 404),
        row("test_warehouse", Staff, Whenever, Value::Null, &[200], 404),
        row("test_connection", Staff, Whenever, Value::Null, &[200], 404),
        row("run_census", Staff, Whenever, json!({ "full": false }), &[409], 404),
        row("cancel_preflight", Staff, Whenever, Value::Null, &[200], 404),
        row("start_preflight", Staff, Whenever, json!({ "days": 7 }), &[202, 409], 404),
        row("export_merchant", Manage, Lately, Value::Null, &[200], 404),
        row("get_erasure", Admin, Whenever, Value::Null, &[200], 404),
        row("erase_merchant", Admin, Lately, json!({ "orders": -1, "reason": "the matrix" }), &[409], 404),
        row("update_channel", Staff, Whenever, json!({ "enabled": false, "every_seconds": 60 }), &[200], 404),
        look("get_settings"),
        look("get_channel"),
        look("get_schedule"),
        look("list_channel_runs"),
        row(
            "update_schedule",
            Staff,
            Whenever,
            json!({ "zone": "UTC", "rules": [{ "kind": "daily", "at": "02:00" }] }),
            &[200],
            404,
        ),
        row("run_channel", Staff, Whenever, Value::Null, &[204, 409], 404),
        row("update_mappings", Staff, Whenever, json!({ "listings": [["A", "B"]] }), &[200], 404),
        row("import_mappings", Staff, Whenever, json!("Brightpearl SKU,Warehouse SKU\nC,D\n"), &[200], 404),
        row("enable_connection", Staff, Whenever, Value::Null, &[200, 409], 404),
        row("disable_connection", Staff, Whenever, Value::Null, &[200], 404),
        row("resume_connection", Staff, Whenever, Value::Null, &[200], 404),
        row("release_stock", Staff, Lately, json!({ "skus": [], "all": true }), &[200, 404], 404),
        row("approve_stock_run", Staff, Lately, json!({ "skus": [] }), &[200, 409], 404),
        row("drop_stock_run", Staff, Whenever, Value::Null, &[200, 409], 404),
        row("undo_stock_run", Staff, Lately, why(), &[200, 409], 404),
        row("edit_order", Staff, Whenever, json!({ "notes": "the matrix" }), &[200, 409], 404),
        row("preview_bulk_action", Staff, Whenever, json!({ "action": "retry", "filter": {} }), &[200], 200),
        // A token is good once, and only for who got it.
        row("run_bulk_action", Staff, Whenever, json!({ "token": "{previewed}" }), &[200], 404),
        // Where what was refused goes out once more, which nothing in this group does, the password is asked for.
        row("retry_exception_group", Staff, Whenever, Value::Null, &[200, 404, 409], 404),
        row("retry_order", Staff, Whenever, Value::Null, &[200, 409], 404),
        row("hold_order", Staff, Whenever, why(), &[200, 409], 404),
        row("release_order", Staff, Whenever, Value::Null, &[200, 409], 404),
        row("cancel_order", Staff, Whenever, why(), &[200, 409], 404),
        row("answer_order", Staff, Whenever, json!({ "answer": "too_late", "reason": "the matrix" }), &[409], 404),
        row("resend_order", Staff, Lately, why(), &[200, 409], 404),
        row("archive_order", Staff, Whenever, Value::Null, &[200, 409], 404),
        row("unarchive_order", Staff, Whenever, Value::Null, &[200, 409], 404),
        row("retry_shipment", Staff, Whenever, Value::Null, &[200, 409], 404),
        // Voided, nothing goes out once more.
        row("decide_effect", Staff, Whenever, json!({ "decision": "void", "reason": "the matrix" }), &[200, 409], 404),
        // What it keeps is no such document.
        row("get_exception_document", Read, Whenever, Value::Null, &[422], 404),
        look("get_exception_content"),
        row("show_document", Staff, Whenever, json!({ "content_base64": DOCUMENT }), &[200], 200),
        row("resolve_exception", Staff, Whenever, Value::Null, &[204, 404], 404),
        row("repair_finding", Staff, Whenever, why(), &[409], 404),
        row("create_hand_off", Staff, Lately, json!({ "store": "BP" }), &[201], 404),
        row("revoke_hand_off", Staff, Lately, Value::Null, &[204, 404], 404),
        row("test_new_store", Admin, Lately, json!({ "platform": "brightpearl", "of": "BP" }), &[422], 404),
        row("test_new_warehouse", Admin, Lately, json!({ "platform": "dsfx", "of": "WH" }), &[422], 404),
        row(
            "preview_files",
            Admin,
            Whenever,
            json!({ "of": "WH", "holds": "stock", "name": "inv_1.csv", "content_base64": "c2t1LGF2YWlsYWJsZQpBLDUK" }),
            &[200],
            404,
        ),
        row("create_store", Admin, Lately, store, &[201, 409], 404),
        row("create_warehouse", Admin, Lately, warehouse, &[201, 409], 404),
        row(
            "create_connection",
            Admin,
            Whenever,
            json!({ "name": "main", "store": "BP", "warehouse": "WH" }),
            &[409, 422],
            404,
        ),
        row("acknowledge_issue", Staff, Whenever, json!({ "undo": false }), &[200], 404),
        row("snooze_issue", Staff, Whenever, json!({ "hours": 1 }), &[200], 404),
        row("test_webhook", Staff, Whenever, Value::Null, &[202], 404),
        row("replay_webhook", Staff, Whenever, json!({ "from": "2026-01-01T00:00:00Z" }), &[202], 404),
        row("replay_delivery", Staff, Whenever, Value::Null, &[202], 404),
        row("test_alert_channel", Staff, Whenever, Value::Null, &[202], 404),
        row("create_warehouse_key", Admin, Lately, json!({ "name": "the matrix" }), &[409], 404),
        row("pull_requests", Warehouse, Whenever, json!({ "limit": 1 }), &[200], 200),
        row("list_desk_requests", Warehouse, Whenever, Value::Null, &[200], 200),
        row("get_desk_request", Warehouse, Whenever, Value::Null, &[200], 404),
        row("acknowledge_request", Warehouse, Whenever, json!({ "lease": "{lease}" }), &[200], 404),
        row("answer_cancel", Warehouse, Whenever, json!({ "answer": "too_late" }), &[409], 404),
        row("post_shipment", Warehouse, Whenever, shipped, &[201], 422),
        row("post_stock", Warehouse, Whenever, counted, &[201], 201),
        row("give_up_request", Warehouse, Whenever, why(), &[200], 404),
        row("create_webhook", Manage, Lately, webhook, &[201, 409], 404),
        row("update_webhook", Manage, Lately, changed_webhook, &[200], 404),
        row("rotate_webhook_secret", Manage, Lately, json!({ "hours": 1 }), &[200], 404),
        row("delete_webhook", Manage, Lately, Value::Null, &[204, 404], 404),
        row("create_alert_channel", Manage, Lately, alert_channel, &[201, 409], 404),
        row("update_alert_channel", Manage, Lately, changed_channel, &[200], 404),
        row("delete_alert_channel", Manage, Lately, Value::Null, &[204, 404], 404),
        row(
            "create_alert_policy",
            Manage,
            Whenever,
            json!({ "name": "Another", "merchant": "Acme" }),
            &[201, 409],
            404,
        ),
        row("update_alert_policy", Manage, Whenever, json!({ "name": "Policy" }), &[200], 404),
        row("delete_alert_policy", Manage, Whenever, Value::Null, &[204, 404], 404),
        // A key is nobody who could give consent, and the store has another sign-in.
        row("forget_grant", Admin, Lately, Value::Null, &[404], 404),
        row("begin_consent", Admin, Lately, Value::Null, &[403, 409], 404),
        // From here on the other tenant has a merchant of the same name.
        row("create_merchant", Admin, Whenever, json!({ "name": "Acme" }), &[409], 201),
        row("update_store", Admin, Lately, json!({ "settings": { "datacenter_code": "eu1" } }), &[200, 422], 404),
        row("update_warehouse", Admin, Lately, json!({ "settings": { "transport": "folder" } }), &[200, 422], 404),
        row("update_settings", Admin, Whenever, json!({ "import_statuses": ["Ready to ship"] }), &[200, 422], 404),
        row("create_warehouse_address", Admin, Lately, Value::Null, &[409, 422, 501], 404),
        row("register_webhooks", Admin, Whenever, Value::Null, &[501], 404),
        row("plan_configuration", Admin, Whenever, json!({ "toml": "[[merchant]]\nname = \"Acme\"\n" }), &[200], 200),
        row("update_configuration", Admin, Lately, json!({ "toml": "[[merchant]]\nname = \"Acme\"\n" }), &[200], 200),
        row("create_key", Admin, Lately, json!({ "name": "made by the matrix", "role": "read" }), &[201], 201),
        row("revoke_key", Admin, Lately, Value::Null, &[204, 404], 404),
        row("create_invitation", Admin, Lately, invitation, &[201], 201),
        row("withdraw_invitation", Admin, Lately, Value::Null, &[204, 404], 404),
        row("change_person", Admin, Lately, json!({ "role": "staff" }), &[200], 404),
        row("disable_person", Admin, Lately, Value::Null, &[200], 404),
        row("enable_person", Admin, Lately, Value::Null, &[200], 404),
        row("reset_person", Admin, Lately, Value::Null, &[201], 404),
        row("remove_persons_second_factor", Admin, Lately, Value::Null, &[200, 404], 404),
        row("unlink_person", Admin, Lately, Value::Null, &[200, 404], 404),
        row("end_persons_sessions", Admin, Lately, Value::Null, &[200], 404),
        row("list_backups", Operator, Whenever, Value::Null, &[200], 403),
        row("create_backup", Operator, Whenever, Value::Null, &[201], 403),
        row("record_backup", Operator, Whenever, Value::Null, &[204], 403),
        row("export_backup", Operator, Lately, Value::Null, &[200], 403),
        row("remove_backup", Operator, Lately, Value::Null, &[204, 404], 403),
        row("list_tenants", Operator, Whenever, Value::Null, &[200], 403),
        row("create_tenant", Operator, Lately, json!({ "name": "another" }), &[201, 409], 403),
        row("set_up_tenant", Operator, Lately, Value::Null, &[201], 403),
        row("disable_tenant", Operator, Lately, Value::Null, &[200], 403),
        row("enable_tenant", Operator, Lately, Value::Null, &[200], 403),
        // A draft is its owner's alone, whatever the others may do.
        row("list_drafts", Admin, Whenever, Value::Null, &[200], 200),
        row("create_draft", Admin, Whenever, json!({ "name": "Begun", "content": {} }), &[201], 201),
        row("get_draft", Admin, Whenever, Value::Null, &[200, 404], 404),
        row("update_draft", Admin, Whenever, json!({ "name": "Begun", "content": {} }), &[200, 404], 404),
        row("delete_draft", Admin, Whenever, Value::Null, &[204, 404], 404),
        row("rename_store", Admin, Whenever, json!({ "name": "BP" }), &[200], 404),
        row("rename_warehouse", Admin, Whenever, json!({ "name": "WH" }), &[200], 404),
        row("rename_connection", Admin, Whenever, json!({ "name": "main" }), &[200, 409], 404),
        row("rename_merchant", Admin, Whenever, json!({ "name": "Acme" }), &[200], 404),
        // What belongs to them stands in the way, and of the connection its orders.
        row("delete_merchant", Admin, Lately, Value::Null, &[409], 404),
        row("delete_store", Admin, Lately, Value::Null, &[409], 404),
        row("delete_warehouse", Admin, Lately, Value::Null, &[409], 404),
        row("delete_connection", Admin, Lately, Value::Null, &[200, 409], 404),
        row("freeze_sending", Operator, Whenever, why(), &[200, 409], 403),
        row("recover", Operator, Whenever, json!({ "since": "2026-01-01T00:00:00Z" }), &[200], 403),
        row("release_sending", Operator, Lately, json!({ "reason": "the matrix", "force": true }), &[200, 409], 403),
        row("check_installation", Operator, Whenever, Value::Null, &[200], 403),
        row("get_wrapping_key", Operator, Whenever, Value::Null, &[200], 403),
        row("rotate_wrapping_key", Operator, Lately, Value::Null, &[200], 403),
        // One after another: the first who comes uses the link, and from then on everybody may sign in as who came.
        open("get_provider", Value::Null, &[200]),
        open("begin_provider_sign_in", json!({}), &[501]),
        open("finish_provider_sign_in", json!({ "code": "123456" }), &[404]),
        open("describe_link", json!({ "token": "{token}" }), &[200]),
        open("submit_hand_off", entered, &[200, 404]),
        open("redeem_link", json!({ "token": "{token}", "password": PASSWORD }), &[201, 404]),
        open("sign_in", json!({ "email": "door@example.com", "password": PASSWORD }), &[201]),
        oneself("get_session", Whenever, Value::Null, 200, &[200]),
        oneself("list_own_sessions", Whenever, Value::Null, 200, &[200]),
        oneself("end_own_session", Whenever, Value::Null, 404, &[204]),
        oneself("prove", Whenever, json!({ "password": PASSWORD }), 200, &[200]),
        oneself("begin_second_factor", Lately, Value::Null, 201, &[201]),
        oneself("confirm_second_factor", Lately, json!({ "code": "no code" }), 422, &[422]),
        oneself("remove_second_factor", Lately, Value::Null, 204, &[204]),
        oneself("sign_out", Whenever, Value::Null, 204, &[204]),
        oneself("change_password", Whenever, json!({ "current": PASSWORD, "new": PASSWORD }), 200, &[200]),
    ]
}
