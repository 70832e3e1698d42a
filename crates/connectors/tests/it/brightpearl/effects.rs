//! Every kind of change: made once, found again after a lost answer, never doubled.

use std::{collections::BTreeMap, time::Duration};

use connect::{
    Armed, Effect, EffectDraft, EffectKind, Effects, ErrorKind, FoundAgain, HttpRequest, Money, NewNote, NoteRow,
    OrderSource, Prepared, Probe, Sent, ShippingDetails, StockCorrection, ulid,
};
use jiff::Timestamp;
use simulators::{
    brightpearl::{
        Config, Switches,
        switches::{
            BurstLimit, NoteUpdate, StaleVersion, ThrottleHeaders, ThrottleWindow, ThrottledRequest, UnclearedMovements,
        },
    },
    faults::{Fault, FaultRule},
};

use super::{ACCOUNT, Bench, FACTOR, LOCATION, WAREHOUSE, small, transport};
use crate::hub::settings;

impl Bench {
    fn now(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// The note for so many of each row.
    pub(super) fn note(&self, key: &str, order: i64, quantities: &[i64]) -> EffectDraft {
        let rows = self.rows(order).into_iter().zip(quantities).filter(|(_, quantity)| **quantity > 0);
        let note = NewNote {
            order_id: order,
            warehouse_id: WAREHOUSE,
            released_at: self.now(),
            ship_method_id: Some(49),
            rows: rows
                .map(|((row_id, product_id, _), quantity)| NoteRow { row_id, product_id, quantity: (*quantity).into() })
                .collect(),
        };
        self.connector.plan_note(key, &note).unwrap()
    }

    pub(super) fn shipping(&self, key: &str, order: i64, note: i64, tracking: &[&str]) -> Vec<EffectDraft> {
        let details = ShippingDetails {
            order_id: order,
            note_id: note,
            tracking: tracking.iter().map(|number| (*number).to_owned()).collect(),
            ship_method_id: Some(50),
            boxes: 2,
            weight: Some("3.4".parse().unwrap()),
        };
        self.connector.plan_shipping(key, &details).unwrap()
    }

    pub(super) fn correction(&self, batch: &str, product_id: i64, difference: i64) -> EffectDraft {
        let correction = StockCorrection {
            warehouse_id: WAREHOUSE,
            location_id: LOCATION,
            product_id,
            difference,
            marker: ulid(self.now(), &*self.context.random),
            reason: "Stock & count".to_owned(),
            cost: (difference > 0).then(|| Money { currency: "GBP".to_owned(), amount: "2.68".parse().unwrap() }),
        };
        self.connector.plan_correction(batch, &correction).unwrap()
    }

    /// Makes a first note and reads it back, so that it is known under which contact the hub's notes are kept.
    pub(super) async fn learn_author(&self) {
        let order = self.order(&[1]);
        self.make(&self.note("learn", order, &[1])).await;
        // A new note may not be shown at once.
        for _ in 0..50 {
            if !self.connector.notes(&[order]).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.connector.note_author(), Some(4));
    }

    fn in_stock(&self, product: i64) -> i64 {
        self.sim.stock(ACCOUNT, product, WAREHOUSE).unwrap().in_stock
    }
}

#[tokio::test]
async fn a_whole_shipment() {
    let bench = Bench::small().await;
    let order = bench.order(&[3, 1]);
    let stock_before = bench.in_stock(bench.rows(order).first().unwrap().1);
    let note = bench.make(&bench.note("note", order, &[2, 1])).await;

    let numbers = ["1Z999AA10123456784", "1Z999AA10123456785", "1Z999AA10123456786", "1Z999AA10123456787"];
    let drafts = bench.shipping("shipping", order, note, &numbers);
    assert_eq!(drafts.len(), 2);
    for draft in &drafts {
        bench.make(draft).await;
    }
    let shipped_at = bench.now().checked_sub(jiff::SignedDuration::from_mins(10)).unwrap();
    bench.make(&bench.connector.plan_shipped("shipped", order, note, &[], shipped_at).unwrap()).await;

    let found = bench.sim.notes(ACCOUNT, order).unwrap().remove(0);
    assert_eq!(found.reference, "1Z999AA10123456784, 1Z999AA10123456785, 1Z999AA10123456786 +1");
    assert_eq!((found.shipping_method_id, found.boxes, found.weight), (50, Some(2), Some("3.4".parse().unwrap())));
    assert_eq!((found.shipped, found.shipped_by), (true, Some(4)));
    assert_eq!(found.shipped_on.unwrap().as_millisecond(), shipped_at.as_millisecond());
    assert_eq!(bench.in_stock(bench.rows(order).first().unwrap().1), stock_before - 2);
    let texts = bench.sim.order(ACCOUNT, order).unwrap().texts;
    assert!(texts.iter().any(|text| !text.is_public && text.text.contains(numbers[3])));

    // The rest, as a second note.
    let rest = bench.make(&bench.note("rest", order, &[1])).await;
    bench.make(&bench.connector.plan_shipped("rest", order, rest, &[], bench.now()).unwrap()).await;
    assert_eq!(bench.sim.order(ACCOUNT, order).unwrap().shipping_status, "ASS");

    let (ready, shipped) = (bench.status("Ready to ship"), bench.status("Shipped"));
    let status = bench.connector.plan_status("status", order, &[ready].into(), shipped, None).unwrap();
    bench.make(&status).await;
    let order_now = bench.sim.order(ACCOUNT, order).unwrap();
    assert_eq!(order_now.status_id, shipped);
    assert_eq!(
        order_now.texts.iter().filter(|text| text.text.starts_with("[hub:") && text.text.contains("Millrace")).count(),
        1
    );
    // Each of them is there now.
    for draft in [&status, &drafts[0], &bench.connector.plan_shipped("again", order, note, &[], shipped_at).unwrap()] {
        let (_, prepared) = bench.prepare(draft).await;
        assert!(matches!(prepared, Prepared::Found(Probe::Equal(_))), "{}: {prepared:?}", draft.kind);
    }
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

#[tokio::test]
async fn never_more_than_ordered_and_notes_of_others_are_minded() {
    let bench = Bench::small().await;
    let order = bench.order(&[3, 1]);
    let row = bench.rows(order).first().unwrap().0;
    let (_, prepared) = bench.prepare(&bench.note("much", order, &[4])).await;
    assert!(matches!(prepared, Prepared::Impossible { .. }), "{prepared:?}");

    // Somebody's open note: used when it is the same, a person's matter when it is not.
    let other = bench.sim.create_note(ACCOUNT, order, WAREHOUSE, 203, Some(BTreeMap::from([(row, 2)]))).unwrap();
    let (_, prepared) = bench.prepare(&bench.note("same", order, &[2])).await;
    let Prepared::Found(Probe::Equal(found)) = prepared else { panic!("{prepared:?}") };
    assert_eq!((found.id, found.facts.get("adopted").map(String::as_str)), (other.to_string(), Some("true")));
    let (_, prepared) = bench.prepare(&bench.note("different", order, &[1])).await;
    assert!(matches!(prepared, Prepared::Found(Probe::Different { .. })), "{prepared:?}");

    // Once it is shipped, it counts.
    bench.sim.ship_note(ACCOUNT, other, 203).unwrap();
    let (_, prepared) = bench.prepare(&bench.note("over", order, &[2])).await;
    assert!(matches!(prepared, Prepared::Impossible { .. }), "{prepared:?}");
    bench.make(&bench.note("rest", order, &[1, 1])).await;

    let gone = NewNote {
        order_id: 99_999_999,
        warehouse_id: WAREHOUSE,
        released_at: bench.now(),
        ship_method_id: None,
        rows: vec![NoteRow { row_id: 1, product_id: 2, quantity: 1.into() }],
    };
    let (_, prepared) = bench.prepare(&bench.connector.plan_note("gone", &gone).unwrap()).await;
    assert!(matches!(prepared, Prepared::Impossible { .. }));
}

#[tokio::test]
async fn who_makes_the_hubs_notes_is_learned_from_one_that_is_found() {
    let bench = Bench::small().await;
    let order = bench.order(&[3, 1]);
    let (first, second) = (bench.note("first", order, &[2]), bench.note("second", order, &[1]));
    // Its answer is lost before any was confirmed: a candidate is there. Who does not know the API user's contact leaves it to a
    // person whose it is; who does knows it by the contact and the time that was written into it.
    let armed = bench.armed(&first).await;
    bench.sim.faults().add(FaultRule::new(Fault::ErrorAfterEffect { html: false }).method("POST").first(1));
    assert!(matches!(bench.send(&armed).await, Sent::Unknown { .. }));
    assert_eq!(bench.connector.note_author(), None);
    let base = bench.sim.base_url();
    let values = [
        ("datacenter_code", "use"),
        ("account_id", ACCOUNT),
        ("sign_in", "account_token"),
        ("app_ref", "exampleeu_hub"),
        ("base_url", base.as_str()),
    ];
    let app = settings(&values, &[("account_token", "EXAMPLE-ACCOUNT-TOKEN")]);
    let app = connectors::brightpearl::build_source(&app, &bench.context).unwrap();
    let probe = app.probe(std::slice::from_ref(&armed)).await.unwrap();
    assert!(matches!(probe[..], [Probe::Different { .. }]), "{probe:?}");
    assert_eq!(app.note_author(), None);
    let probe = bench.probe(&armed).await;
    assert!(matches!(probe, Probe::Equal(_)), "{probe:?}");
    assert_eq!(bench.connector.note_author(), Some(4));

    // A program that has lost its journal meets it as a stranger's, unless the API user's contact is known to it.
    let look = |draft: &EffectDraft| [bench.effect(draft)];
    let stranger = app.prepare(&look(&second)).await.unwrap();
    assert!(matches!(stranger[..], [Prepared::Found(Probe::Different { .. })]), "{stranger:?}");
    let settings = super::staff_log_in(&bench.sim.base_url(), &[]);
    let fresh = connectors::brightpearl::build_source(&settings, &bench.context).unwrap();
    let another = fresh.prepare(&look(&second)).await.unwrap();
    assert!(matches!(another[..], [Prepared::Ready { .. }]), "{another:?}");
    assert_eq!(fresh.note_author(), None, "nothing was found that says so");
    let lost = [Armed { baseline: serde_json::Value::Null, ..armed }];
    let since = bench.now().checked_sub(jiff::SignedDuration::from_mins(5)).unwrap();
    let found = fresh.find_again(&lost, since).await.unwrap();
    assert!(matches!(found[..], [FoundAgain::AnyOf(_)]), "{found:?}");
    assert_eq!(fresh.note_author(), Some(4));
    let own = fresh.prepare(&look(&second)).await.unwrap();
    assert!(matches!(own[..], [Prepared::Ready { .. }]), "{own:?}");
}

#[tokio::test]
async fn many_are_prepared_with_few_calls() {
    let bench = Bench::small().await;
    let orders: Vec<i64> = (0..30).map(|_| bench.order(&[1])).collect();
    let drafts = orders.iter().map(|order| bench.note(&format!("note-{order}"), *order, &[1]));
    let effects: Vec<_> = drafts.map(|draft| bench.effect(&draft)).collect();
    let prepared = bench.connector.prepare(&effects).await.unwrap();
    assert!(prepared.iter().all(|prepared| matches!(prepared, Prepared::Ready { .. })));
    assert_eq!((bench.calls("note_read"), bench.calls("order_read")), (1, 1));
}

#[tokio::test]
async fn a_status_that_a_person_moved_on_is_left_alone() {
    let bench = Bench::small().await;
    let order = bench.order(&[1]);
    let (ready, warehouse) = (bench.status("Ready to ship"), bench.status("At warehouse"));
    let draft = bench.connector.plan_status("status", order, &[ready].into(), warehouse, Some("At warehouse")).unwrap();
    assert_eq!(draft.title, format!("Set status of order {order} to At warehouse ({warehouse})"));
    let armed = bench.armed(&draft).await;
    bench.sim.set_status(ACCOUNT, order, bench.status("On hold")).unwrap();
    let hold = bench.status("On hold").to_string();
    assert_eq!(bench.probe(&armed).await, Probe::MovedOn { state: hold.clone() });
    assert_eq!(bench.prepare(&draft).await.1, Prepared::Found(Probe::MovedOn { state: hold }));
}

/// What cannot be taken back is looked at once more: the answer that made the note does not say what the note holds.
#[tokio::test]
async fn a_shipped_event_is_for_the_rows_that_left() {
    let bench = Bench::small().await;
    let order = bench.order(&[3, 1]);
    let note = bench.make(&bench.note("note", order, &[2, 1])).await;
    let holding = |quantities: [i64; 2]| {
        let rows = bench.rows(order).into_iter().zip(quantities);
        rows.map(|((row_id, product_id, _), quantity)| NoteRow { row_id, product_id, quantity: quantity.into() })
            .collect::<Vec<_>>()
    };
    let shipped =
        |key: &str, rows: &[NoteRow]| bench.connector.plan_shipped(key, order, note, rows, bench.now()).unwrap();
    let (_, prepared) = bench.prepare(&shipped("more", &holding([3, 1]))).await;
    let Prepared::Found(Probe::Different { difference, .. }) = prepared else { panic!("{prepared:?}") };
    assert!(difference.contains("it holds 2 of row") && difference.contains("and 3 of row"), "{difference}");
    bench.make(&shipped("right", &holding([2, 1]))).await;
    assert!(bench.sim.notes(ACCOUNT, order).unwrap()[0].shipped);
}

/// A label program wrote the number on the note, and the warehouse gives none.
#[tokio::test]
async fn a_number_that_stands_on_the_note_stays_where_none_is_given() {
    let bench = Bench::small().await;
    let order = bench.order(&[1]);
    let note = bench.make(&bench.note("note", order, &[1])).await;
    bench.make(&bench.shipping("label", order, note, &["1Z999EXAMPLE0001"])[0]).await;
    let none = ShippingDetails {
        order_id: order,
        note_id: note,
        tracking: Vec::new(),
        ship_method_id: Some(49),
        boxes: 1,
        weight: None,
    };
    let draft = bench.connector.plan_shipping("shipping", &none).unwrap().remove(0);
    bench.make(&draft).await;
    let found = bench.sim.notes(ACCOUNT, order).unwrap().remove(0);
    assert_eq!((found.reference.as_str(), found.shipping_method_id, found.boxes), ("1Z999EXAMPLE0001", 49, Some(1)));
    assert!(matches!(bench.prepare(&draft).await.1, Prepared::Found(Probe::Equal(_))), "it is as it should be");
}

/// The change of a note is absolute, and a packing station weighed it.
#[tokio::test]
async fn a_weight_that_stands_on_the_note_stays_where_the_warehouse_gives_none() {
    for note_update in [NoteUpdate::Keeps, NoteUpdate::Replaces] {
        let bench = Bench::with(Switches { note_update, ..Switches::default() }).await;
        let order = bench.order(&[1]);
        let note = bench.make(&bench.note("note", order, &[1])).await;
        bench.make(&bench.shipping("label", order, note, &["1Z999EXAMPLE0001"])[0]).await;
        let details = |weight: Option<&str>| ShippingDetails {
            order_id: order,
            note_id: note,
            tracking: Vec::new(),
            ship_method_id: None,
            boxes: 1,
            weight: weight.map(|weight| weight.parse().unwrap()),
        };
        for (given, stands) in [(None, "3.4"), (Some("2.5"), "2.5")] {
            let draft = bench.connector.plan_shipping("shipping", &details(given)).unwrap().remove(0);
            bench.make(&draft).await;
            let found = bench.sim.notes(ACCOUNT, order).unwrap().remove(0);
            assert_eq!(found.weight, Some(stands.parse().unwrap()), "{note_update:?}");
            assert_eq!(
                (found.reference.as_str(), found.shipping_method_id),
                ("1Z999EXAMPLE0001", 50),
                "{note_update:?}"
            );
            assert!(matches!(bench.prepare(&draft).await.1, Prepared::Found(Probe::Equal(_))), "it is as it should be");
        }
    }
}

/// *Too many requests* is taken to mean that nothing was done. Where it was done, what cannot be sent twice is found before it
/// goes again (brightpearl-api.md §23, row 19).
#[tokio::test]
async fn what_was_done_in_spite_of_its_answer_is_found_before_it_goes_again() {
    let bench = Bench::small().await;
    let order = bench.order(&[1]);
    let product = bench.rows(order)[0].1;
    let text = bench.connector.plan_order_note("text", order, "Left in two boxes").unwrap();
    for draft in [bench.correction("batch", product, -3), text] {
        let kind = draft.kind;
        let armed = bench.armed(&draft).await;
        let again = Effect { tried: Some(armed.baseline.clone()), ..armed.effect.clone() };
        let prepare = async || bench.connector.prepare(std::slice::from_ref(&again)).await.unwrap().remove(0);
        assert!(matches!(prepare().await, Prepared::Ready { .. }), "{kind}: nothing was done");
        assert!(matches!(bench.send(&armed).await, Sent::Accepted { .. }));
        assert!(matches!(prepare().await, Prepared::Found(Probe::Equal(_))), "{kind}");
    }
}

#[tokio::test]
async fn notes_are_deleted_until_they_are_shipped() {
    let bench = Bench::small().await;
    let order = bench.order(&[2]);
    let note = bench.make(&bench.note("note", order, &[1])).await;
    let draft = bench.connector.plan_note_deletion("delete", order, note).unwrap();
    bench.make(&draft).await;
    assert!(bench.sim.notes(ACCOUNT, order).unwrap().is_empty());

    let note = bench.make(&bench.note("note", order, &[2])).await;
    let draft = bench.connector.plan_note_deletion("delete2", order, note).unwrap();
    let armed = bench.armed(&draft).await;
    bench.sim.ship_note(ACCOUNT, note, 203).unwrap();
    assert!(matches!(bench.send(&armed).await, Sent::Unknown { .. } | Sent::Refused { .. }));
    assert!(matches!(bench.probe(&armed).await, Probe::Different { .. }));
    assert!(matches!(bench.prepare(&draft).await.1, Prepared::Found(Probe::Different { .. })));
}

#[tokio::test]
async fn a_shipped_event_with_an_old_version_has_no_effect() {
    for stale_event_version in [StaleVersion::PreconditionFailed, StaleVersion::Conflict, StaleVersion::BadRequest] {
        let bench = Bench::with(Switches { stale_event_version, ..Switches::default() }).await;
        let order = bench.order(&[1]);
        let note = bench.make(&bench.note("note", order, &[1])).await;
        let draft = bench.connector.plan_shipped("shipped", order, note, &[], bench.now()).unwrap();
        let armed = bench.armed(&draft).await;
        // Somebody prints the note meanwhile.
        let event = format!(r#"{{"events":[{{"eventCode":"PRI","occured":"{}","eventOwnerId":5}}]}}"#, bench.now());
        let path = format!("public-api/{ACCOUNT}/warehouse-service/goods-note/goods-out/{note}/event");
        let request = HttpRequest::new("POST", format!("{}/{path}", bench.sim.base_url()).parse().unwrap())
            .header("brightpearl-app-ref", "exampleeu_hub")
            .header("brightpearl-account-token", "EXAMPLE-ACCOUNT-TOKEN")
            .json(event);
        assert_eq!(transport(FACTOR).send(request).await.unwrap().status, 200);

        assert!(matches!(bench.send(&armed).await, Sent::Unknown { .. }), "{stale_event_version:?}");
        assert_eq!(bench.probe(&armed).await, Probe::Absent);
        bench.make(&draft).await;
        assert!(bench.sim.notes(ACCOUNT, order).unwrap().first().unwrap().shipped);
    }
}

/// Each kind with a fault after the effect and one before it.
#[tokio::test]
async fn what_a_lost_answer_left_behind_is_found() {
    let after = [
        Fault::TimeoutAfterEffect { hold: Duration::from_millis(50) },
        Fault::ErrorAfterEffect { html: false },
        Fault::ErrorAfterEffect { html: true },
        Fault::ResetMidBody,
        Fault::HtmlBody,
        Fault::TimeoutAfterEffect { hold: Duration::from_secs(10) },
    ];
    let before = [
        Fault::Refuse,
        Fault::TimeoutBeforeEffect { hold: Duration::from_millis(50) },
        Fault::ErrorBeforeEffect { html: false },
        Fault::ErrorBeforeEffect { html: true },
        Fault::Outage,
        Fault::Answer {
            status: 307,
            headers: BTreeMap::from([("location".to_owned(), "/elsewhere".to_owned())]),
            body: String::new(),
        },
    ];
    let bench = Bench::small().await;
    bench.learn_author().await;
    for (fault, took_effect) in
        after.into_iter().map(|fault| (fault, true)).chain(before.into_iter().map(|fault| (fault, false)))
    {
        for kind in EffectKind::ALL.into_iter().filter(|kind| kind.side() == connect::Side::Source) {
            let armed = one_of(&bench, kind).await;
            let method = match kind {
                EffectKind::DeleteNote => "DELETE",
                EffectKind::UpdateShipping | EffectKind::SetStatus => "PUT",
                _ => "POST",
            };
            let rule = bench.sim.faults().add(FaultRule::new(fault.clone()).method(method).first(1));
            let sent = bench.send(&armed).await;
            assert_eq!(bench.sim.faults().fired_count(rule), 1, "{kind} {fault:?}");
            bench.sim.faults().clear();
            assert!(matches!(sent, Sent::Unknown { .. }), "{kind} {fault:?}: {sent:?}");
            let probe = bench.probe(&armed).await;
            match took_effect {
                true => assert!(matches!(probe, Probe::Equal(_)), "{kind} {fault:?}: {probe:?}"),
                false => assert_eq!(probe, Probe::Absent, "{kind} {fault:?}"),
            }
        }
    }
    bench.sim.check_double_entry(ACCOUNT).unwrap();
}

/// An effect of a kind, ready to be sent.
async fn one_of(bench: &Bench, kind: EffectKind) -> Armed {
    let order = bench.order(&[2]);
    let draft = match kind {
        EffectKind::CreateNote => bench.note("note", order, &[1]),
        EffectKind::SetStatus => {
            let (ready, shipped) = (bench.status("Ready to ship"), bench.status("Shipped"));
            bench.connector.plan_status("status", order, &[ready].into(), shipped, None).unwrap()
        }
        EffectKind::AddOrderNote => bench.connector.plan_order_note("text", order, "Sent to the warehouse").unwrap(),
        EffectKind::CorrectStock => bench.correction("batch", bench.rows(order).first().unwrap().1, -1),
        _ => {
            let note = bench.make(&bench.note("note", order, &[1])).await;
            match kind {
                EffectKind::DeleteNote => bench.connector.plan_note_deletion("delete", order, note).unwrap(),
                EffectKind::UpdateShipping => bench.shipping("shipping", order, note, &["1Z999"]).remove(0),
                _ => bench.connector.plan_shipped("shipped", order, note, &[], bench.now()).unwrap(),
            }
        }
    };
    bench.armed(&draft).await
}

#[tokio::test]
async fn what_certainly_did_not_leave_is_told_apart() {
    let bench = Bench::small().await;
    let armed = one_of(&bench, EffectKind::CreateNote).await;
    bench.sim.faults().add(FaultRule::new(Fault::Throttled).method("POST").first(1));
    assert!(matches!(bench.send(&armed).await, Sent::Throttled { .. }));
    bench.sim.faults().clear();

    // The same answer, not trusted to have had no effect.
    let careful = Bench::new(small(), &[("throttle_text_is_not_sent", "false")]).await;
    let armed = one_of(&careful, EffectKind::CreateNote).await;
    careful.sim.faults().add(FaultRule::new(Fault::Throttled).method("POST").first(1));
    assert!(matches!(careful.send(&armed).await, Sent::Unknown { .. }));

    // Nobody listens.
    let armed = one_of(&bench, EffectKind::SetStatus).await;
    let Bench { sim, connector, .. } = bench;
    sim.shutdown().await;
    let outcome = connector.send(std::slice::from_ref(&armed), Duration::from_secs(1_000_000)).await.outcomes.remove(0);
    assert!(matches!(outcome, Sent::NotSent { cause } if cause.kind == ErrorKind::Transient));
}

/// Another app of the account uses up the calls that all of them share, so that a change meets the throttle answer.
#[tokio::test]
async fn a_pool_that_others_have_emptied() {
    let base = Switches::default;
    let no_headers = Switches { throttle_headers: ThrottleHeaders::None, ..base() };
    let rolling = Switches { throttle_window: ThrottleWindow::Rolling, ..base() };
    let burst = Switches { burst_limit: BurstLimit::TwentyASecond, ..base() };
    let takes_effect = Switches { throttled_request: ThrottledRequest::TakesEffect, ..base() };
    for (switches, trusted) in
        [(base(), true), (no_headers, true), (rolling, true), (burst, true), (takes_effect, false)]
    {
        let took_effect = switches.throttled_request == ThrottledRequest::TakesEffect;
        let setting = if trusted { "true" } else { "false" };
        let config = Config { switches: switches.clone(), requests_per_window: Some(60), ..small() };
        let bench = Bench::new(config, &[("throttle_text_is_not_sent", setting)]).await;
        let mut met = None;
        // The pool may fill up again between the other's last call and ours.
        for _ in 0..20 {
            let armed = one_of(&bench, EffectKind::SetStatus).await;
            empty_the_pool(&bench).await;
            match bench.send(&armed).await {
                Sent::Accepted { .. } => {}
                other => {
                    met = Some((armed, other));
                    break;
                }
            }
        }
        let (armed, sent) = met.unwrap_or_else(|| panic!("no throttle answer under {switches:?}"));
        match trusted {
            true => assert!(matches!(sent, Sent::Throttled { .. }), "{switches:?}: {sent:?}"),
            false => assert!(matches!(sent, Sent::Unknown { .. }), "{switches:?}: {sent:?}"),
        }
        match took_effect {
            true => assert!(matches!(bench.probe(&armed).await, Probe::Equal(_))),
            false => assert_eq!(bench.probe(&armed).await, Probe::Absent),
        }
    }
}

async fn empty_the_pool(bench: &Bench) {
    let transport = transport(FACTOR);
    let url = format!("{}/public-api/{ACCOUNT}/warehouse-service/warehouse", bench.sim.base_url());
    for _ in 0..200 {
        let request = HttpRequest::new("GET", url.parse().unwrap())
            .header("brightpearl-app-ref", "exampleeu_hub")
            .header("brightpearl-account-token", "EXAMPLE-ACCOUNT-TOKEN");
        if transport.send(request).await.unwrap().status != 200 {
            return;
        }
    }
    panic!("the pool does not run dry");
}

#[tokio::test]
async fn a_change_that_finds_no_place_in_the_budget_is_not_sent() {
    let bench = Bench::new(Config { time_factor: 300, ..small() }, &[("calls_per_minute", "10")]).await;
    let order = bench.order(&[1]);
    let draft = bench.connector.plan_order_note("text", order, "x").unwrap();
    let armed = bench.armed(&draft).await;
    let mut not_sent = 0;
    for _ in 0..6 {
        match bench.send(&armed).await {
            Sent::NotSent { cause } => {
                assert!(cause.is_passing() && cause.message.contains("budget"), "{cause}");
                not_sent += 1;
            }
            Sent::Accepted { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let texts = bench.sim.order(ACCOUNT, order).unwrap().texts.len();
    assert_eq!(texts + not_sent, 6);
}

#[tokio::test]
async fn corrections_travel_together_and_are_found_one_by_one() {
    let bench = Bench::small().await;
    let products: Vec<i64> = bench.products().into_iter().take(3).collect();
    for product in &products {
        bench.sim.change_stock(ACCOUNT, *product, WAREHOUSE, 10).unwrap();
    }
    let before: Vec<i64> = products.iter().map(|product| bench.in_stock(*product)).collect();
    let mut batch = Vec::new();
    for (product, difference) in products.iter().zip([5, -3, 2]) {
        batch.push(bench.armed(&bench.correction("b1", *product, difference)).await);
    }
    let delivery = bench.deliver(&batch).await;
    assert!(delivery.outcomes.iter().all(|outcome| matches!(outcome, Sent::Accepted { .. })), "{delivery:?}");
    assert_eq!(bench.calls("stock_correction"), 1);
    let now: Vec<i64> = products.iter().map(|product| bench.in_stock(*product)).collect();
    assert_eq!(now, [before[0] + 5, before[1] - 3, before[2] + 2]);
    let probes = bench.connector.probe(&batch).await.unwrap();
    assert!(probes.iter().all(|probe| matches!(probe, Probe::Equal(_))), "{probes:?}");
    let since: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    let markers = bench.connector.correction_markers(WAREHOUSE, since).await.unwrap();
    assert_eq!(markers.len(), 3, "what was changed by hand carries none: {markers:?}");
    assert!(markers.values().all(|times| *times == 1), "each was made once (K3)");

    // One bad line: nobody knows which were made, so each is looked for.
    let good = bench.armed(&bench.correction("b2", products[0], 1)).await;
    let bad = bench.armed(&bench.correction("b2", products[1], -1_000)).await;
    let delivery = bench.deliver(&[good.clone(), bad.clone()]).await;
    assert!(delivery.outcomes.iter().all(|outcome| matches!(outcome, Sent::Unknown { .. })), "{delivery:?}");
    assert_eq!(bench.connector.probe(&[good, bad.clone()]).await.unwrap(), [Probe::Absent, Probe::Absent]);
    // Alone, the refusal is certain and says why.
    assert!(matches!(bench.send(&bad).await, Sent::Refused { message, .. } if message.contains("insufficient")));
    bench.sim.check_double_entry(ACCOUNT).unwrap();
    assert!(bench.sim.correction_markers(ACCOUNT).unwrap().values().all(|count| *count == 1));
}

/// While the search lags behind, a correction that was made is not taken for one that was not: the figures speak for it.
#[tokio::test]
async fn a_correction_that_does_not_show_yet_is_not_taken_for_absent() {
    use simulators::brightpearl::switches::SearchLag;
    let bench = Bench::with(Switches { search_lag: SearchLag::SixtySeconds, ..Switches::default() }).await;
    let products: Vec<i64> = bench.products().into_iter().take(2).collect();
    for product in &products {
        bench.sim.change_stock(ACCOUNT, *product, WAREHOUSE, 10).unwrap();
    }
    let made = bench.armed(&bench.correction("b1", products[0], -3)).await;
    let never = bench.armed(&bench.correction("b2", products[1], -3)).await;
    bench.deliver(std::slice::from_ref(&made)).await;
    let probes = bench.connector.probe(&[made.clone(), never.clone()]).await.unwrap();
    assert!(matches!(&probes[0], Probe::Unaccounted { why } if why.contains("while movements of +0")), "{probes:?}");
    assert_eq!(probes[1], Probe::Absent);
    // Somebody else's change that does not show yet speaks for ours as well; both are settled once everything shows.
    bench.sim.change_stock(ACCOUNT, products[1], WAREHOUSE, 1).unwrap();
    assert!(matches!(bench.connector.probe(std::slice::from_ref(&never)).await.unwrap()[0], Probe::Unaccounted { .. }));
    let lag = Duration::from_secs(60) / FACTOR;
    let mut probes = Vec::new();
    for _ in 0..10 {
        tokio::time::sleep(lag).await;
        probes = bench.connector.probe(&[made.clone(), never.clone()]).await.unwrap();
        if !probes.iter().any(|probe| matches!(probe, Probe::Unaccounted { .. })) {
            break;
        }
    }
    assert!(matches!(&probes[0], Probe::Equal(found) if found.facts.contains_key("made_at")), "{probes:?}");
    assert_eq!(probes[1], Probe::Absent);
}

/// Goods on an unshipped note have not left, and what waits in quarantine has not come: neither is in the figures, so a correction
/// that was not made must not look like one that was.
#[tokio::test]
async fn figures_add_up_beside_open_notes_and_quarantine() {
    for uncleared_movements in [UnclearedMovements::Hidden, UnclearedMovements::Listed] {
        let bench = Bench::with(Switches { uncleared_movements, ..Switches::default() }).await;
        let order = bench.order(&[2]);
        let product = bench.rows(order)[0].1;
        bench.sim.change_stock(ACCOUNT, product, 2, 10).unwrap();
        let never = bench.armed(&bench.correction("never", product, -3)).await;
        let looks_absent = async |after: &str| {
            // What happened in the moment in which the figure was read may be in it or not, so each of these stands alone.
            let probe = bench.probe(&never).await;
            assert_eq!(probe, Probe::Absent, "{uncleared_movements:?}, after {after}");
        };
        // Past the doubt about whose clock is right.
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        let note = bench.sim.create_note(ACCOUNT, order, WAREHOUSE, 203, None).unwrap();
        looks_absent("a note was made").await;
        let transfer = bench.sim.create_transfer(ACCOUNT, 2, WAREHOUSE, product, 4).unwrap();
        bench.sim.ship_note(ACCOUNT, transfer, 203).unwrap();
        looks_absent("goods came into quarantine").await;
        bench.sim.release_quarantine(ACCOUNT, WAREHOUSE).unwrap();
        looks_absent("they were released").await;
        bench.sim.ship_note(ACCOUNT, note, 203).unwrap();
        looks_absent("the note was shipped").await;
        bench.sim.check_double_entry(ACCOUNT).unwrap();
        // And one that was made is found, although its answer was lost.
        let made = bench.armed(&bench.correction("made", product, -1)).await;
        let lost = Fault::ErrorAfterEffect { html: true };
        bench.sim.faults().add(FaultRule::new(lost).method("POST").path_contains("/stock-correction").first(1));
        assert!(matches!(bench.send(&made).await, Sent::Unknown { .. }));
        assert!(matches!(bench.probe(&made).await, Probe::Equal(_)));
    }
}

/// What a report reads: stock, movements with what they belong to, and open notes; behind everything else.
#[tokio::test]
async fn a_survey_reads_stock_movements_and_open_notes() {
    use connect::MovementKind;
    let bench = Bench::small().await;
    let order = bench.order(&[2, 1]);
    let rows = bench.rows(order);
    // The account writes times to the second: what made the stock for the order lies before that.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let since = bench.now() - jiff::SignedDuration::from_secs(1);
    let note = bench.sim.create_note(ACCOUNT, order, WAREHOUSE, 203, None).unwrap();
    let products: Vec<i64> = rows.iter().map(|(_, product, _)| *product).collect();
    let open = bench.connector.open_notes(WAREHOUSE).await.unwrap();
    let of_order: Vec<i64> = open.iter().filter(|note| note.order_id == order).map(|note| note.note_id).collect();
    assert_eq!(of_order.len(), 1, "{note:?} {open:?}");
    bench.sim.change_stock(ACCOUNT, products[0], WAREHOUSE, 4).unwrap();
    bench.sim.ship_note(ACCOUNT, of_order[0], 203).unwrap();
    assert!(bench.connector.open_notes(WAREHOUSE).await.unwrap().iter().all(|note| note.order_id != order));
    let moved = bench.connector.movements(WAREHOUSE, &products, since).await.unwrap();
    let sum = |kind: MovementKind, product: i64| -> i64 {
        let of = moved.iter().filter(|moved| moved.kind == kind && moved.product_id == product);
        of.map(|moved| i64::try_from(moved.quantity.trunc().mantissa()).unwrap()).sum()
    };
    assert_eq!((sum(MovementKind::Correction, products[0]), sum(MovementKind::GoodsOut, products[0])), (4, -2));
    assert_eq!(sum(MovementKind::GoodsOut, products[1]), -1);
    assert!(
        moved.iter().filter(|moved| moved.kind == MovementKind::GoodsOut).all(|moved| moved.order_id == Some(order))
    );
    let stock = bench.connector.survey_stock(WAREHOUSE, &products).await.unwrap();
    assert_eq!(stock.of(products[0]).in_stock, bench.in_stock(products[0]).into());
    let corrected = moved.iter().find(|moved| moved.kind == MovementKind::Correction).unwrap();
    assert_eq!(corrected.reason, "by hand");
    assert!(bench.calls("survey") >= 4 && bench.calls("stock_read") == 0);
}
