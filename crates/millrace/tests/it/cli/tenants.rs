//! Tenants, typed.

use serde_json::json;

use super::Desk;

#[test]
fn tenants_are_made_and_stopped_without_naming_one() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let made = desk.works(&["--json", "tenants", "create", "North"]).json();
    assert_eq!(made["tenant"]["name"], "North");
    assert!(made["link"]["token"].as_str().unwrap().starts_with("mrl_"));
    assert_eq!(desk.type_in(&["tenants", "create", "North"]).code, 1);
    let again = desk.works(&["--json", "tenants", "set-up", "North"]).json();
    assert_ne!(again["token"], made["link"]["token"]);

    // From now on other commands must be told whose data is meant; these need not.
    let unclear = desk.type_in(&["connections", "list"]);
    assert_eq!(unclear.code, 3, "{}", unclear.all());
    assert!(unclear.err.contains("--tenant"), "{}", unclear.err);
    assert_eq!(desk.works(&["--json", "--tenant", "North", "connections", "list"]).json()["items"], json!([]));
    let listed = desk.works(&["--json", "tenants", "list"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert!(desk.works(&["tenants", "list"]).out.contains("North"));

    let disabled = desk.works(&["tenants", "disable", "North"]);
    assert!(disabled.out.contains("is disabled since"), "{}", disabled.out);
    assert!(desk.works(&["tenants", "enable", "North"]).out.contains("works"));
    assert_eq!(desk.type_in(&["tenants", "disable", "East"]).code, 4);
}
