//! What can be typed can be asked of the API and the other way round (docs/api.md), or it is said here why not.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;
use millrace::{api, cli::args::Cli};
use serde_json::Value;

/// What a command is in the API: the routes that do the same, by their `operationId`; or why there is none.
enum InTheApi {
    Routes(&'static [&'static str]),
    None(&'static str),
}
use InTheApi::{None as Nothing, Routes};

const MACHINE: &str = "it belongs to the machine that the program runs on";
const STAND_IN: &str = "a stand-in for tests and demonstrations, which no installation has";

/// Every command that can be typed.
const COMMANDS: &[(&str, InTheApi)] = &[
    ("init", Nothing("there is no API before there is an installation")),
    ("serve", Nothing("it is what the API is served by")),
    ("check", Routes(&["check_installation", "test_connection"])),
    ("plan", Routes(&["plan_configuration"])),
    ("apply", Routes(&["update_configuration"])),
    ("export", Routes(&["get_configuration"])),
    ("overview", Routes(&["get_overview"])),
    ("exports", Routes(&["export_data"])),
    ("stores list", Routes(&["list_stores"])),
    ("stores test", Routes(&["test_store"])),
    ("stores try", Routes(&["test_new_store"])),
    ("stores access", Routes(&["get_grant"])),
    ("stores disconnect", Routes(&["forget_grant"])),
    ("warehouses list", Routes(&["list_warehouses"])),
    ("warehouses test", Routes(&["test_warehouse"])),
    ("warehouses try", Routes(&["test_new_warehouse"])),
    ("connections list", Routes(&["list_connections"])),
    ("connections show", Routes(&["get_connection"])),
    ("connections rename", Routes(&["rename_merchant", "rename_store", "rename_warehouse", "rename_connection"])),
    ("connections delete", Routes(&["delete_merchant", "delete_store", "delete_warehouse", "delete_connection"])),
    ("connections enable", Routes(&["enable_connection"])),
    ("connections disable", Routes(&["disable_connection"])),
    ("connections resume", Routes(&["resume_connection"])),
    ("connections choices", Routes(&["get_choices"])),
    ("connections channel", Routes(&["update_channel"])),
    ("connections run", Routes(&["run_channel"])),
    ("connections mappings", Routes(&["get_mappings"])),
    ("connections import-mappings", Routes(&["import_mappings"])),
    ("connections export-mappings", Routes(&["export_mappings"])),
    ("connections webhooks", Routes(&["get_webhooks", "register_webhooks"])),
    ("channels schedule", Routes(&["get_schedule", "update_schedule"])),
    ("channels runs", Routes(&["list_channel_runs"])),
    ("preview", Routes(&["preview_files"])),
    ("orders list", Routes(&["list_orders"])),
    ("orders show", Routes(&["get_order"])),
    ("orders explain", Routes(&["explain_order"])),
    ("orders retry", Routes(&["retry_order"])),
    ("orders hold", Routes(&["hold_order"])),
    ("orders release", Routes(&["release_order"])),
    ("orders archive", Routes(&["archive_order"])),
    ("orders unarchive", Routes(&["unarchive_order"])),
    ("orders edit", Routes(&["edit_order"])),
    ("orders bulk", Routes(&["preview_bulk_action", "run_bulk_action"])),
    ("orders counts", Routes(&["get_order_counts"])),
    ("orders cancel", Routes(&["cancel_order"])),
    ("orders answer", Routes(&["answer_order"])),
    ("orders resend", Routes(&["resend_order"])),
    ("shipments list", Routes(&["list_shipments"])),
    ("shipments show", Routes(&["get_shipment"])),
    ("shipments retry", Routes(&["retry_shipment"])),
    ("stock runs", Routes(&["list_stock_runs"])),
    ("stock show", Routes(&["get_stock_run", "list_stock_run_lines"])),
    ("stock approve", Routes(&["approve_stock_run"])),
    ("stock drop", Routes(&["drop_stock_run"])),
    ("stock undo", Routes(&["undo_stock_run"])),
    ("stock holds", Routes(&["list_stock_holds"])),
    ("stock release", Routes(&["release_stock"])),
    ("stock levels", Routes(&["list_stock_levels"])),
    ("stock run", Routes(&["run_channel"])),
    ("drift", Routes(&["get_drift"])),
    ("effects list", Routes(&["list_effects"])),
    ("effects show", Routes(&["get_effect"])),
    ("effects explain", Routes(&["explain_effect"])),
    ("effects retry", Routes(&["decide_effect"])),
    ("effects applied", Routes(&["decide_effect"])),
    ("effects void", Routes(&["decide_effect"])),
    ("effects hold", Routes(&["hold_order"])),
    ("census", Routes(&["get_census", "run_census"])),
    ("preflight", Routes(&["start_preflight", "list_preflights", "get_preflight", "cancel_preflight"])),
    ("doctor list", Routes(&["list_findings"])),
    ("doctor show", Routes(&["get_finding"])),
    ("doctor repair", Routes(&["repair_finding"])),
    ("exceptions list", Routes(&["list_exceptions"])),
    ("exceptions groups", Routes(&["list_exception_groups"])),
    ("exceptions retry", Routes(&["retry_exception_group"])),
    ("exceptions document", Routes(&["get_exception_document"])),
    ("exceptions content", Routes(&["get_exception_content"])),
    ("exceptions resolve", Routes(&["resolve_exception"])),
    ("webhooks list", Routes(&["list_webhooks"])),
    ("webhooks show", Routes(&["get_webhook"])),
    ("webhooks create", Routes(&["create_webhook"])),
    ("webhooks update", Routes(&["update_webhook"])),
    ("webhooks delete", Routes(&["delete_webhook"])),
    ("webhooks rotate", Routes(&["rotate_webhook_secret"])),
    ("webhooks test", Routes(&["test_webhook"])),
    ("webhooks deliveries", Routes(&["list_webhook_deliveries"])),
    ("webhooks delivery", Routes(&["get_delivery"])),
    ("webhooks replay", Routes(&["replay_webhook", "replay_delivery"])),
    ("alerts issues", Routes(&["list_issues"])),
    ("alerts show", Routes(&["get_issue"])),
    ("alerts acknowledge", Routes(&["acknowledge_issue"])),
    ("alerts snooze", Routes(&["snooze_issue"])),
    ("alerts channels list", Routes(&["list_alert_channels"])),
    ("alerts channels create-email", Routes(&["create_alert_channel"])),
    ("alerts channels create-chat", Routes(&["create_alert_channel"])),
    ("alerts channels update", Routes(&["get_alert_channel", "update_alert_channel"])),
    ("alerts channels delete", Routes(&["delete_alert_channel"])),
    ("alerts channels test", Routes(&["test_alert_channel"])),
    ("alerts channels deliveries", Routes(&["list_alert_deliveries"])),
    ("alerts policies list", Routes(&["list_alert_policies"])),
    ("alerts policies create", Routes(&["create_alert_policy"])),
    ("alerts policies update", Routes(&["get_alert_policy", "update_alert_policy"])),
    ("alerts policies delete", Routes(&["delete_alert_policy"])),
    ("events", Routes(&["follow_events"])),
    ("audit", Routes(&["list_audit"])),
    ("audit verify", Routes(&["get_audit_verification"])),
    ("people list", Routes(&["list_people"])),
    ("people invite", Routes(&["create_invitation"])),
    ("people invitations", Routes(&["list_invitations"])),
    ("people withdraw", Routes(&["withdraw_invitation"])),
    ("people role", Routes(&["change_person"])),
    ("people disable", Routes(&["disable_person"])),
    ("people enable", Routes(&["enable_person"])),
    ("people reset", Routes(&["reset_person"])),
    ("people remove-second-factor", Routes(&["remove_persons_second_factor"])),
    ("people unlink", Routes(&["unlink_person"])),
    ("people sessions", Routes(&["list_persons_sessions"])),
    ("people end-sessions", Routes(&["end_persons_sessions"])),
    ("hand-off create", Routes(&["create_hand_off"])),
    ("hand-off list", Routes(&["list_hand_offs"])),
    ("hand-off revoke", Routes(&["revoke_hand_off"])),
    ("tenants list", Routes(&["list_tenants"])),
    ("tenants create", Routes(&["create_tenant"])),
    ("tenants set-up", Routes(&["set_up_tenant"])),
    ("tenants disable", Routes(&["disable_tenant"])),
    ("tenants enable", Routes(&["enable_tenant"])),
    ("merchants list", Routes(&["list_merchants"])),
    ("merchants export", Routes(&["export_merchant"])),
    ("merchants erase", Routes(&["get_erasure", "erase_merchant"])),
    ("drafts list", Routes(&["list_drafts"])),
    ("drafts show", Routes(&["get_draft"])),
    ("drafts remove", Routes(&["delete_draft"])),
    ("keys list", Routes(&["list_keys"])),
    ("keys create", Routes(&["create_key", "create_warehouse_key"])),
    ("keys revoke", Routes(&["revoke_key"])),
    ("keys wrapping", Routes(&["get_wrapping_key"])),
    ("keys rotate", Routes(&["rotate_wrapping_key"])),
    ("backups list", Routes(&["list_backups"])),
    ("backups fetch", Routes(&["export_backup"])),
    ("backups remove", Routes(&["remove_backup"])),
    ("backup", Routes(&["create_backup", "record_backup", "list_backups"])),
    ("restore", Nothing(MACHINE)),
    ("safety", Routes(&["get_safety"])),
    ("freeze-sending", Routes(&["freeze_sending"])),
    ("recover", Routes(&["recover"])),
    ("release-sending", Routes(&["release_sending"])),
    ("openapi", Nothing("the document is served beside the API, at /openapi.json")),
    ("x12 show", Routes(&["show_document"])),
    ("simulate brightpearl", Nothing(STAND_IN)),
    ("simulate dsfx", Nothing(STAND_IN)),
    ("simulate extensiv", Nothing(STAND_IN)),
    ("simulate mintsoft", Nothing(STAND_IN)),
    ("simulate shiphero", Nothing(STAND_IN)),
    ("demo", Nothing(STAND_IN)),
    ("bench", Nothing(MACHINE)),
    ("bench api", Nothing(MACHINE)),
    ("exit-codes", Nothing("the API has statuses and types of problems instead")),
];

/// Routes that no command is, and why.
const NOT_TYPED: &[(&str, &[&str])] = &[
    (
        "`apply -f` does it, and `export` and `plan` show it",
        &[
            "create_merchant",
            "create_store",
            "get_store",
            "update_store",
            "create_warehouse",
            "get_warehouse",
            "update_warehouse",
            "create_connection",
            "get_settings",
            "update_settings",
            "update_mappings",
        ],
    ),
    ("shown with the connection, by `connections show`", &["get_channel"]),
    ("shown in `people list`", &["get_person"]),
    (
        "a person does it about themselves, with the session that they signed in to",
        &[
            "sign_in",
            "get_session",
            "sign_out",
            "prove",
            "change_password",
            "list_own_sessions",
            "end_own_session",
            "get_provider",
            "begin_provider_sign_in",
            "finish_provider_sign_in",
            "begin_second_factor",
            "confirm_second_factor",
            "remove_second_factor",
        ],
    ),
    ("whoever was given a link does it, without an account", &["describe_link", "redeem_link", "submit_hand_off"]),
    ("what was entered in the wizard is the browser's to write", &["create_draft", "update_draft"]),
    ("a browser is sent to Brightpearl and back", &["begin_consent"]),
    ("the wizard offers it; `connections choices` has the same", &["get_store_choices", "list_platforms"]),
    ("the app fills fields with it in which anything may be typed", &["get_warehouse_choices"]),
    (
        "the system of a warehouse does it, with a key for its desk",
        &[
            "pull_requests",
            "list_desk_requests",
            "get_desk_request",
            "acknowledge_request",
            "answer_cancel",
            "give_up_request",
            "post_shipment",
            "post_stock",
        ],
    ),
    ("only the server knows: docs/api.md", &["get_budgets", "create_warehouse_address"]),
];

/// Every command that does something, as it is typed.
fn leaves(command: &clap::Command, typed: &str, found: &mut BTreeSet<String>) {
    let mut below = command.get_subcommands().peekable();
    if !typed.is_empty() && (below.peek().is_none() || !command.is_subcommand_required_set()) {
        found.insert(typed.to_owned());
    }
    for next in below {
        leaves(next, format!("{typed} {}", next.get_name()).trim(), found);
    }
}

fn documented() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    let methods = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    methods.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_command_is_a_route_or_says_why_not() {
    let mut typed = BTreeSet::new();
    leaves(&Cli::command(), "", &mut typed);
    let known: BTreeMap<&str, &InTheApi> = COMMANDS.iter().map(|(command, known)| (*command, known)).collect();
    assert_eq!(known.len(), COMMANDS.len(), "a command twice");
    let missing: Vec<&String> = typed.iter().filter(|command| !known.contains_key(command.as_str())).collect();
    assert!(missing.is_empty(), "say in cli/routes.rs what these new commands are in the API: {missing:?}");
    let gone: Vec<&&str> = known.keys().filter(|command| !typed.contains(**command)).collect();
    assert!(gone.is_empty(), "these can no longer be typed: {gone:?}");
    let routes = documented();
    for (command, known) in COMMANDS {
        match known {
            Routes(these) => {
                assert!(!these.is_empty(), "{command}");
                for route in *these {
                    assert!(routes.contains(*route), "{command}: there is no route {route}");
                }
            }
            Nothing(why) => assert!(!why.is_empty(), "{command}"),
        }
    }
}

#[test]
fn every_route_is_a_command_or_says_why_not() {
    let typed = COMMANDS.iter().flat_map(|(_, known)| match known {
        Routes(these) => *these,
        Nothing(_) => &[],
    });
    let typed: BTreeSet<&str> = typed.copied().collect();
    let untyped: Vec<&str> = NOT_TYPED.iter().flat_map(|(_, routes)| *routes).copied().collect();
    for route in &untyped {
        assert!(!typed.contains(route), "{route} can be typed");
    }
    let all: BTreeSet<&str> = typed.iter().copied().chain(untyped.iter().copied()).collect();
    assert_eq!(all.len(), typed.len() + untyped.len(), "a route twice");
    let routes = documented();
    let missing: Vec<&String> = routes.iter().filter(|route| !all.contains(route.as_str())).collect();
    assert!(
        missing.is_empty(),
        "say in cli/routes.rs how these new routes are typed, or why they are not: {missing:?}"
    );
    let gone: Vec<&&str> = all.iter().filter(|route| !routes.contains(**route)).collect();
    assert!(gone.is_empty(), "these routes are no more: {gone:?}");
}

/// What the book says is missing is what is missing.
#[test]
fn the_book_names_what_belongs_to_the_machine() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let book = std::fs::read_to_string(path).unwrap();
    let (_, told) = book.split_once("The other way round only what belongs to the").unwrap();
    let told: BTreeSet<&str> = told.split("\n\n").next().unwrap().split('`').skip(1).step_by(2).collect();
    let missing = COMMANDS.iter().filter(|(_, known)| matches!(known, Nothing(_)));
    let missing: BTreeSet<&str> = missing.map(|(command, _)| command.split(' ').next().unwrap_or(command)).collect();
    assert_eq!(told, missing);
}
