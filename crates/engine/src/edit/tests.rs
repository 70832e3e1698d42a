use connect::{Allocation, Progress};

use super::*;

fn order() -> Order {
    Order {
        order_id: 5,
        parent_id: None,
        version: 1,
        reference: String::new(),
        status_id: 10,
        warehouse_id: None,
        channel_id: None,
        ship_method_id: Some(7),
        placed_at: Timestamp::UNIX_EPOCH,
        updated_at: None,
        deliver_on: None,
        notes: String::new(),
        is_sale: true,
        allocation: Allocation::All,
        fulfilment: Progress::None,
        shipping: Progress::None,
        deliver_to: city("Leeds"),
        bill_to: city("Leeds"),
        lines: Vec::new(),
    }
}

fn city(name: &str) -> Address {
    Address { city: name.to_owned(), ..Address::default() }
}

fn to(name: &str) -> Content {
    Content::ShipTo(Box::new(city(name)))
}

fn edits() -> Vec<Edit> {
    vec![
        Edit { value: to("York"), base: to("Leeds") },
        Edit { value: Content::ShipMethod(Some(8)), base: Content::ShipMethod(Some(7)) },
        Edit { value: Content::DeliverOn(Some(Timestamp::UNIX_EPOCH)), base: Content::DeliverOn(None) },
        Edit { value: Content::Notes("Ring twice".to_owned()), base: Content::Notes(String::new()) },
    ]
}

#[test]
fn an_edit_holds_while_the_source_says_the_same() {
    let mut read = order();
    assert!(lay_over(&mut read, &edits()).is_empty());
    assert_eq!(read.deliver_to, city("York"));
    assert_eq!(read.bill_to, city("Leeds"), "only what was edited");
    assert_eq!((read.ship_method_id, read.deliver_on), (Some(8), Some(Timestamp::UNIX_EPOCH)));
    assert_eq!(read.notes, "Ring twice");
    // Laid over what holds them already, nothing changes.
    let again = read.clone();
    assert!(lay_over(&mut read, &edits()).is_empty());
    assert_eq!(read, again);
    assert!(edits().iter().all(|edit| edit.standing(&read) == Standing::Holds));
    assert!(edits().iter().all(|edit| edit.standing(&order()) == Standing::Next));
}

#[test]
fn what_the_source_has_changed_since_is_left_and_told() {
    let mut read = Order { deliver_to: city("Hull"), ..order() };
    assert_eq!(lay_over(&mut read, &edits()), [Field::ShipTo]);
    assert_eq!(read.deliver_to, city("Hull"), "the source's, until a person decides");
    assert_eq!(read.notes, "Ring twice", "the others hold");
    assert_eq!(edits()[0].standing(&read), Standing::Overtaken);
    assert_eq!(*edits()[0].source(&read), to("Hull"));
    assert_eq!(*edits()[3].source(&read), Content::Notes(String::new()));
    assert!(overtaken_words(&[Field::ShipTo]).starts_with("delivery address"));
}

#[test]
fn a_source_that_comes_to_the_same_is_no_conflict() {
    let mut read = Order { deliver_to: city("York"), ..order() };
    assert!(lay_over(&mut read, &edits()).is_empty());
    assert_eq!(read.deliver_to, city("York"));
}

#[test]
fn every_content_knows_its_field() {
    for field in Field::ALL {
        assert_eq!(Content::of(&order(), field).field(), field);
    }
}
