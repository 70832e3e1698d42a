//! Hand-offs, typed: made, listed, taken back. What the holder does goes through the API: `api::hand_offs`.

use super::Desk;

#[test]
fn a_hand_off_is_made_listed_and_taken_back() {
    let desk = Desk::new();
    desk.works(&["init"]);
    std::fs::write(desk.path().join("acme.toml"), "[tenant]\nname = \"default\"\n[[merchant]]\nname = \"Acme\"\n")
        .unwrap();
    desk.works(&["apply", "-f", "acme.toml"]);
    let asked = ["hand-off", "create", "--merchant", "Acme", "--name", "BP", "--set", "account_id=acme"];
    let made = desk.works(&[&["--json"], asked.as_slice()].concat()).json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(made["link"].as_str().unwrap().ends_with(&format!("/hand-off#{token}")), "{made}");
    let listed = desk.works(&["--json", "hand-off", "list"]);
    let one = &listed.json()["items"][0];
    assert_eq!((one["id"].as_str(), one["state"].as_str()), (Some(id), Some("open")));
    assert!(one["fields"].as_array().unwrap().iter().any(|field| field == "password"), "{one}");
    assert!(!listed.all().contains(token), "a token is shown once");
    let shown = desk.works(&["hand-off", "list"]).out;
    assert!(shown.contains("BP") && shown.contains("open"), "{shown}");
    desk.works(&["hand-off", "revoke", id]);
    let again = desk.type_in(&["hand-off", "revoke", id]);
    assert_ne!(again.code, 0, "{}", again.all());
    assert_eq!(desk.works(&["--json", "hand-off", "list"]).json()["items"][0]["state"], "withdrawn");

    // What makes no sense is refused: a store that is not there, both ways at once, fields that nobody may be asked for.
    for wrong in [
        &["--store", "BP"][..],
        &["--store", "BP", "--merchant", "Acme", "--name", "BP"],
        &["--merchant", "Acme", "--name", "BP", "--ask", "base_url"],
        &["--merchant", "Acme", "--name", "BP", "--set", "password=x"],
        &["--merchant", "Acme", "--name", "BP", "--days", "31"],
    ] {
        let ended = desk.type_in(&[&["hand-off", "create"], wrong].concat());
        assert_ne!(ended.code, 0, "{wrong:?}: {}", ended.all());
    }
}
