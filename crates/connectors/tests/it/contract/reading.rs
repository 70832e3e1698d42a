//! Reading what the warehouse says, as the channels do, and holding it against the simulator's ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use connect::{FeedCursor, RequestState, Shipment, ShipmentPage};
use rust_decimal::Decimal;
use simulators::audit::Units;

use super::{
    harness::Can,
    run::{Play, QUIET},
    scenarios::Final,
};
use crate::hub::at;

impl Play<'_> {
    /// Reads until nothing more is said to be there, as the channel does.
    pub(super) async fn read_all(&mut self) {
        for _ in 0..12 {
            let page =
                self.warehouse().shipments(&self.cursor).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            let more = page.more;
            self.take(page).await;
            if !more {
                return;
            }
            self.site.clock().pass(Duration::from_secs(60));
        }
        panic!("{}: the reading does not end", self.name);
    }

    pub(super) async fn take(&mut self, page: ShipmentPage) {
        for shipment in page.shipments {
            self.is_known(&shipment);
            self.read.insert(shipment.reference.clone(), shipment);
        }
        self.states.extend(page.states);
        let declared = self.declares(connect::EffectKind::Acknowledge);
        assert!(declared || page.letters.answers.is_empty(), "{}: it answers what it does not declare", self.name);
        self.answers.extend(page.letters.answers);
        self.held.extend(page.rejected.iter().map(|rejected| rejected.reason.clone()));
        self.cursor = page.next;
        self.warehouse()
            .acknowledge(&page.taken, &page.rejected)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// What was read before is the same, or more of it is known now; it never says something else.
    pub(super) fn is_known(&self, shipment: &Shipment) {
        if let Some(before) = self.read.get(&shipment.reference) {
            assert_eq!(before, shipment, "{}: the same shipment, told twice", self.name);
        }
    }

    pub(super) async fn shipments(&mut self, key: &str, count: usize, last: Final) {
        self.read_all().await;
        assert_eq!(self.held, Vec::<String>::new(), "{}", self.name);
        let order = self.under(key).remove(0);
        assert_eq!(order.shipments.len(), count, "{}: {order:?}", self.name);
        let read = self.of(key);
        let references: BTreeSet<&str> = read.iter().map(|shipment| shipment.reference.as_str()).collect();
        let left: BTreeSet<&str> = order.shipments.iter().map(|shipment| shipment.reference.as_str()).collect();
        assert_eq!(references, left, "{}", self.name);
        for true_one in &order.shipments {
            let shipment = read.iter().find(|shipment| shipment.reference == true_one.reference).unwrap();
            let mut units = Units::new();
            for line in shipment.lines() {
                *units.entry(line.sku.clone()).or_default() += line.quantity;
            }
            assert_eq!(units, true_one.units, "{}: what is told is not what left", self.name);
            let tracking: Vec<&str> = true_one.tracking.iter().map(String::as_str).collect();
            assert_eq!(shipment.tracking_numbers(), tracking, "{}", self.name);
            let apart = shipment.shipped_at.as_second() - true_one.shipped_at.as_second();
            assert!(
                apart.abs() <= 86_400,
                "{}: told for {}, left {}",
                self.name,
                shipment.shipped_at,
                true_one.shipped_at
            );
        }
        let ended = read.iter().any(|shipment| shipment.is_final || !shipment.ended.is_empty())
            || self.states.get(key) == Some(&RequestState::Finished);
        match last {
            Final::Either => {}
            Final::No => assert!(!ended, "{}: the rest follows, and it says otherwise", self.name),
            Final::Yes => assert_eq!(ended, self.can(Can::SayThatAnOrderIsShort), "{}", self.name),
        }
    }

    pub(super) async fn read_again(&mut self) {
        let mut again = Vec::new();
        let mut cursor = FeedCursor::default();
        for _ in 0..12 {
            let page =
                self.warehouse().shipments(&cursor).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            again.extend(page.shipments);
            cursor = page.next;
            if !page.more {
                break;
            }
            self.site.clock().pass(Duration::from_secs(60));
        }
        let since = at("2020-01-01T00:00:00Z");
        let page = self
            .warehouse()
            .shipments_again(since, &FeedCursor::default())
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        again.extend(page.shipments);
        assert!(!again.is_empty(), "{}: nothing can be read again", self.name);
        for shipment in &again {
            assert!(self.read.contains_key(&shipment.reference), "{}: {shipment:?} was never read", self.name);
            self.is_known(shipment);
        }
    }

    pub(super) async fn count(&mut self) {
        self.site.count();
        let mut page = connect::StockPage::default();
        for _ in 0..3 {
            page = self.warehouse().stock().await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            if !page.feeds.is_empty() {
                break;
            }
            self.site.clock().pass(Duration::from_secs(60));
        }
        assert!(page.rejected.is_empty(), "{}: {:?}", self.name, page.rejected);
        let feed = page.feeds.last().unwrap_or_else(|| panic!("{}: no figures came", self.name));
        assert_eq!(feed.absent_is_zero, self.site.reports_are_whole(), "{}: what is not named", self.name);
        let mut told: BTreeMap<String, (Decimal, Decimal)> = BTreeMap::new();
        for level in &feed.levels {
            let sum = told.entry(level.sku.clone()).or_default();
            sum.0 += level.available.unwrap_or_default();
            sum.1 += level.physical.unwrap_or_default();
        }
        for (sku, figures) in self.site.figures() {
            let told = told.get(&sku).copied();
            let gone = feed.absent_is_zero && figures == (Decimal::ZERO, Decimal::ZERO);
            assert!(
                told == Some(figures) || (told.is_none() && gone),
                "{}: {sku} is {told:?} of {figures:?}",
                self.name
            );
        }
        self.warehouse()
            .acknowledge(&page.taken, &page.rejected)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    pub(super) async fn nonsense(&mut self) {
        self.site.spoil();
        let mut shown = false;
        for _ in 0..3 {
            match self.warehouse().shipments(&self.cursor).await {
                Ok(page) => {
                    shown |= !page.rejected.is_empty();
                    assert!(
                        page.shipments.is_empty()
                            && page.states.iter().all(|(_, state)| *state != RequestState::Cancelled),
                        "{}: something was made of nonsense",
                        self.name
                    );
                    self.warehouse().acknowledge(&page.taken, &page.rejected).await.unwrap();
                }
                Err(error) => {
                    assert!(!error.message.trim().is_empty(), "{}: an error without words", self.name);
                    shown = true;
                }
            }
            self.site.clock().pass(QUIET + Duration::from_secs(60));
        }
        assert!(shown, "{}: nobody hears of it", self.name);
    }

    pub(super) async fn call(&self) {
        let call = self.site.calls().await.into_iter().next().expect("a call");
        let first =
            self.warehouse().parse_webhook(&call).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let again = self.warehouse().parse_webhook(&call).await.unwrap();
        assert!(!first.is_empty() && first == again, "{}: a call that comes twice is known by its id", self.name);
        if !self.can(Can::Call) {
            // The address proves it, so it may say no more than where to look.
            let nonsense = connect::WebhookCall { body: b"{}".to_vec(), ..call };
            assert!(self.warehouse().parse_webhook(&nonsense).await.is_err(), "{}: nonsense is believed", self.name);
            return;
        }
        let mut forged = call.clone();
        forged.body.push(b' ');
        assert!(self.warehouse().parse_webhook(&forged).await.is_err(), "{}: a forged call is believed", self.name);
        let unsigned = connect::WebhookCall { headers: Vec::new(), ..call };
        assert!(
            self.warehouse().parse_webhook(&unsigned).await.is_err(),
            "{}: an unsigned call is believed",
            self.name
        );
    }

    /// The last comes first, and each once more afterwards: the ids tell repeats from news, whenever they come.
    pub(super) async fn calls_in_disorder(&self) {
        let calls = self.site.calls().await;
        let mut hints: BTreeMap<String, (usize, connect::WebhookHint)> = BTreeMap::new();
        for (place, call) in calls.iter().enumerate().rev().chain(calls.iter().enumerate()) {
            let heard = self.warehouse().parse_webhook(call).await;
            let heard = heard.unwrap_or_else(|error| panic!("{}: {error}", self.name));
            assert!(!heard.is_empty(), "{}: a call that says nothing", self.name);
            for hint in heard {
                let (first, known) = hints.entry(hint.event_id.clone()).or_insert((place, hint.clone()));
                assert_eq!((*first, &*known), (place, &hint), "{}: two calls pass for one", self.name);
            }
        }
        assert!(calls.len() >= 3 && hints.len() >= calls.len(), "{}: {} calls, {hints:?}", self.name, calls.len());
    }
}
