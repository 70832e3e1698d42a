//! `bench api`, small: a database is filled, the real server is loaded, every list answers and every stream hears.

use serde_json::Value;

use super::Desk;

#[test]
fn the_api_is_measured_under_load() {
    let desk = Desk::new();
    let load = ["--orders", "400", "--clients", "3", "--streams", "2", "--seconds", "8", "--rest-ms", "5"];
    let figures = desk.works(&[&["--json", "bench", "api"], &load[..]].concat()).json();
    let figures = figures.as_array().unwrap();
    let named = |begins: &str| -> &Value {
        let found = figures.iter().find(|figure| figure["what"].as_str().unwrap().starts_with(begins));
        found.unwrap_or_else(|| panic!("no {begins}: {figures:#?}"))
    };
    for list in [
        "orders:",
        "orders of a merchant by state:",
        "orders by text, one found:",
        "orders by date",
        "shipments:",
        "shipments by text, one found:",
        "shipments that need a person:",
        "effects:",
        "effects by kind, many found:",
        "exceptions:",
        "findings, gone ones as well:",
        "stock levels by text, one found:",
        "audit by who:",
        "alerts:",
        "one order:",
    ] {
        assert!(named(list)["value"].as_str().unwrap().contains("ms"), "{list}");
    }
    assert!(named("events heard by 2 streams")["value"].as_str().unwrap().parse::<u64>().unwrap() >= 2);
    let memory = named("resident memory")["value"].as_str().unwrap();
    assert_eq!(memory.matches("MB").count(), 2, "at the start and at the end: {memory}");
}
