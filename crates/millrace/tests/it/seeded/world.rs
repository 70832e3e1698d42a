//! What happens around the hub in the time of trouble: sales, people, and the warehouse's own work.

use std::collections::BTreeMap;

use engine::settings::StartMode;
use jiff::SignedDuration;

use super::{
    brightpearl::account::{CANCELLED, NEW, PERSON, SET_ASIDE},
    run::{Run, warehouse_sku},
};

impl Run {
    /// One round of the world. Orders come in during the first rounds only.
    pub fn world(&mut self, round: u64) {
        if self.sets_clock && self.dice.chance(60) {
            // Somebody sets the machine's clock, or its time server does.
            self.clock.skew(self.dice.between(-300_000, 300_000));
            self.count("clocks set");
        } else if !self.sets_clock && self.dice.chance(100) {
            self.clock.skew(self.dice.between(-2_000, 2_000));
        }
        if round < 35 && self.dice.chance(300) {
            self.sale();
        }
        if self.dice.chance(400) {
            self.allocate();
        }
        if self.settings.start_mode == StartMode::GoodsOutNote && self.dice.chance(500) {
            self.person_makes_note();
        }
        self.people();
        self.warehouse_works();
    }

    fn sale(&mut self) {
        let now = self.clock.true_time();
        let mut products: Vec<i64> = (1001..=1006).collect();
        self.dice.shuffle(&mut products);
        products.truncate(usize::try_from(self.dice.between(1, 3)).unwrap());
        let mut lines: Vec<(Option<i64>, i64)> =
            products.into_iter().map(|product| (Some(product), self.dice.between(1, 4))).collect();
        if self.dice.chance(150) {
            lines.push((None, 1));
        }
        let method = *self.dice.pick(&[49, 49, 50, 0]);
        let allocated = self.dice.chance(850);
        let order = self.account.state().account.place(now, method, &lines, allocated);
        self.trace.note(&format!("{now} sale {order} {lines:?} allocated: {allocated}"));
        self.count("orders");
    }

    fn allocate(&mut self) {
        let mut state = self.account.state();
        let orders: Vec<i64> =
            state.account.orders.iter().filter(|(_, order)| order.status != CANCELLED).map(|(id, _)| *id).collect();
        for order in orders {
            state.account.allocate(order);
        }
    }

    /// Any order, newer ones more often.
    fn some_order(&self) -> Option<i64> {
        let state = self.account.state();
        let orders: Vec<i64> = state.account.orders.keys().rev().take(6).copied().collect();
        drop(state);
        (!orders.is_empty()).then(|| *self.dice.pick(&orders))
    }

    fn people(&mut self) {
        let now = self.clock.true_time();
        let Some(order) = self.some_order() else { return };
        let roll = self.dice.below(1000);
        let account = std::sync::Arc::clone(&self.account);
        let mut state = account.state();
        let stands_at = state.account.orders[&order].status;
        let what = match roll {
            0..40 if state.account.person_sets(now, order, CANCELLED) => "cancels",
            40..75 => {
                let rows: Vec<i64> = state.account.orders[&order]
                    .rows
                    .iter()
                    .filter(|(_, row)| row.product.is_some())
                    .map(|(id, _)| *id)
                    .collect();
                let row = *self.dice.pick(&rows);
                let quantity = self.dice.between(1, 5);
                state.account.person_orders(now, order, row, quantity);
                "changes a quantity of"
            }
            75..100 if stands_at != CANCELLED && state.account.person_sets(now, order, SET_ASIDE) => "sets aside",
            100..140 if stands_at == SET_ASIDE && state.account.person_sets(now, order, NEW) => "takes up again",
            140..160 if self.settings.start_mode == StartMode::Order => {
                drop(state);
                self.person_makes_note();
                return;
            }
            160..200 => {
                let open: Vec<i64> =
                    state.account.notes.iter().filter(|(_, note)| note.shipped.is_none()).map(|(id, _)| *id).collect();
                if open.is_empty() {
                    return;
                }
                let note = *self.dice.pick(&open);
                state.account.touch_note(note);
                "prints a note beside"
            }
            200..212 => {
                let of_order = |note: &super::brightpearl::account::Note| note.order == order && note.shipped.is_none();
                let open: Vec<i64> =
                    state.account.notes.iter().filter(|(_, note)| of_order(note)).map(|(id, _)| *id).collect();
                let Some(note) = open.first() else { return };
                state.account.delete_note(now, order, *note);
                state.account.orders.get_mut(&order).unwrap().person_edit = Some(now);
                "deletes a note of"
            }
            212..220 => {
                // Whoever changes the password of the API user forgets the hub for a while.
                state.locked_until = Some(now + SignedDuration::from_secs(self.dice.between(30, 400)));
                state.log_out();
                "changes the password beside"
            }
            220..232 => {
                let open = |note: &super::brightpearl::account::Note| note.order == order && note.shipped.is_none();
                let Some(note) = state.account.notes.iter().find(|(_, note)| open(note)).map(|(id, _)| *id) else {
                    return;
                };
                state.account.ship_note(now, note, PERSON, None);
                state.account.orders.get_mut(&order).unwrap().person_edit = Some(now);
                "ships a note of"
            }
            _ => return,
        };
        drop(state);
        self.trace.note(&format!("{now} a person {what} {order}"));
        self.count("what people did");
    }

    /// A person (or the account's automation) makes a goods-out note for what is set aside of an order.
    pub fn person_makes_note(&mut self) {
        let now = self.clock.true_time();
        let Some(order_id) = self.some_order() else { return };
        let part = self.dice.chance(300);
        let account = std::sync::Arc::clone(&self.account);
        let mut state = account.state();
        let order = state.account.orders[&order_id].clone();
        if order.status == CANCELLED {
            return;
        }
        let mut rows = BTreeMap::new();
        for (row_id, row) in &order.rows {
            let most = row.reserved;
            let units = if part { self.dice.between(0, most) } else { most };
            if let (Some(product), true) = (row.product, units > 0) {
                rows.insert(*row_id, (product, units));
            }
        }
        if rows.is_empty() {
            return;
        }
        let made = state.account.make_note(now, PERSON, order_id, &rows, order.method, &now.to_string());
        state.account.orders.get_mut(&order_id).unwrap().person_edit = Some(now);
        drop(state);
        self.trace.note(&format!("{now} a person makes a note of {order_id}: {rows:?} {}", made.1));
        self.count("notes that people made");
    }

    fn warehouse_works(&mut self) {
        let now = self.clock.true_time();
        if self.warehouse.is_rest() {
            self.rest.begins(now);
            if self.rest.staff_cancels(now).is_some() {
                self.count("orders that the warehouse's own staff cancelled");
            }
        }
        if self.dice.chance(600) {
            self.warehouse.finish_files(now);
        }
        if self.dice.chance(700) {
            self.warehouse.pull(now);
        }
        if self.dice.chance(500) {
            self.warehouse.work(now, false);
        }
        if self.dice.chance(500) {
            self.warehouse.report(now);
        }
        if self.dice.chance(80) {
            // Each product only ever gains, or only ever loses: then no correction may go the other way.
            let product = self.dice.between(1001, 1006);
            let units = self.dice.between(1, 5) * if product % 2 == 0 { 1 } else { -1 };
            self.warehouse.finds(now, &warehouse_sku(product), units);
            self.watch.finds(product, units);
        }
        if self.dice.chance(250) {
            self.warehouse.count(now);
        }
        if self.dice.chance(30) {
            self.warehouse.count_again(now);
        }
        if self.dice.chance(10) {
            self.warehouse.count_nothing(now);
        }
    }
}
