//! What people and other apps do to an account while a client works with it.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{Allocation, Command, ControlError, Item, NewLine, NewOrder, Outcome};
use crate::brightpearl::account::{Account, Change};
use crate::brightpearl::auth::Caller;
use crate::brightpearl::call::{Call, Refusal, Trace};
use crate::brightpearl::delivery::WebhookFaults;
use crate::brightpearl::ledger::LedgerEntry;
use crate::brightpearl::notes_out::create::{self, Wanted};
use crate::brightpearl::notes_out::events::Taken;
use crate::brightpearl::notes_out::transfer;
use crate::brightpearl::orders::OrderType;
use crate::brightpearl::server::{distinct, whole_seconds};
use crate::brightpearl::stock::correction;
use crate::brightpearl::{Brightpearl, World};
use crate::clock;

/// The member of staff who does what is done by hand, unless another is named.
const OFFICE: i64 = 5;

impl Brightpearl {
    /// Runs an edit as a member of staff and enters it in the ledger.
    fn by_hand<T>(
        &self,
        code: &str,
        edit: &str,
        staff: i64,
        work: impl FnOnce(&mut Account, &mut Call<'_>) -> Result<T, Refusal>,
    ) -> Result<T, ControlError> {
        let mut world = self.world();
        let World { accounts, ledger, .. } = &mut *world;
        let account = accounts.get_mut(code).ok_or_else(|| ControlError::NoAccount(code.to_owned()))?;
        let now = clock::now();
        let mut call = Call {
            now: whole_seconds(now),
            switches: &self.shared.switches,
            pace: self.shared.pace,
            caller: Caller { label: "by hand".to_owned(), contact_id: staff, instance: None },
            query: Vec::new(),
            body: None,
            if_match: None,
            trace: Trace::default(),
        };
        let done = work(account, &mut call);
        let trace = call.trace;
        ledger.enter(LedgerEntry {
            sequence: 0,
            at: now,
            account: code.to_owned(),
            ruid: String::new(),
            caller: "by hand".to_owned(),
            method: "HAND".to_owned(),
            path: edit.to_owned(),
            message_type: String::new(),
            orders: distinct(trace.orders),
            notes: distinct(trace.notes),
            body: None,
            status: 0,
            took_effect: trace.took_effect,
        });
        self.shared.announce(account);
        done.map_err(ControlError::from)
    }

    /// Makes an order and reserves stock for it as asked.
    pub fn create_order(&self, account: &str, order: NewOrder) -> Result<i64, ControlError> {
        self.by_hand(account, "create order", OFFICE, |account, call| account.make_order(&order, call))
    }

    /// Sets the status, under the rules of the system.
    pub fn set_status(&self, account: &str, order: i64, status: i64) -> Result<(), ControlError> {
        self.by_hand(account, "set status", OFFICE, |account, call| account.set_status_by_hand(order, status, call))
    }

    /// Cancels an order the way a person does: unshipped notes are deleted and payments taken back first.
    pub fn cancel_order(&self, account: &str, order: i64) -> Result<(), ControlError> {
        self.by_hand(account, "cancel order", OFFICE, |account, call| {
            for note in account.order(order)?.notes_out.clone() {
                account.delete_note(note, call)?;
            }
            if let Some(order) = account.orders.get_mut(&order) {
                order.paid = Decimal::ZERO;
            }
            let cancelled = account.roles.cancelled;
            account.set_status_by_hand(order, cancelled, call)
        })
    }

    /// Adds a row and returns its id.
    pub fn add_row(&self, account: &str, order: i64, line: NewLine) -> Result<i64, ControlError> {
        self.by_hand(account, "add row", OFFICE, |account, call| account.make_row(order, &line, call))
    }

    /// Takes a row off.
    pub fn remove_row(&self, account: &str, order: i64, row: i64) -> Result<(), ControlError> {
        self.by_hand(account, "remove row", OFFICE, |account, call| account.remove_row(order, row, call))
    }

    /// Changes the quantity of a row; a reservation of the row is given up.
    pub fn set_quantity(&self, account: &str, order: i64, row: i64, quantity: i64) -> Result<(), ControlError> {
        self.by_hand(account, "set quantity", OFFICE, |account, call| {
            let noted = account.noted_quantities(account.order(order)?).get(&row).copied().unwrap_or(0);
            if quantity < noted {
                return Err(Refusal::invalid(format!("{noted} of row {row} are on goods-out notes")));
            }
            account.unreserve_rows(order, &[row]);
            account.change_order(order, Change::Content, call, |order| {
                if let Some(row) = order.rows.get_mut(&row) {
                    row.quantity = Decimal::from(quantity);
                }
            })
        })
    }

    /// A person has a supplier send some of a row: a drop-ship note, which no list of goods-out notes shows.
    pub fn drop_ship(&self, account: &str, order: i64, row: i64, quantity: i64) -> Result<(), ControlError> {
        self.by_hand(account, "drop ship", OFFICE, |account, call| {
            let found = account.order(order)?;
            let ordered = found.rows.get(&row).map_or(0, crate::brightpearl::orders::Row::whole_quantity);
            let fulfilled = account.noted_quantities(found).get(&row).copied().unwrap_or(0);
            if fulfilled + quantity > ordered {
                return Err(Refusal::invalid(format!("Row {row} has less than {quantity} left to fulfil")));
            }
            account.unreserve_rows(order, &[row]);
            account.change_order(order, Change::Fulfilment, call, |order| {
                *order.drop_shipped.entry(row).or_insert(0) += quantity;
            })
        })
    }

    /// Changes the postal code of an order's delivery address.
    pub fn set_postcode(&self, account: &str, order: i64, postcode: &str) -> Result<(), ControlError> {
        self.by_hand(account, "set postcode", OFFICE, |account, call| {
            account.change_order(order, Change::Content, call, |order| {
                postcode.clone_into(&mut order.delivery.postal_code)
            })
        })
    }

    /// Moves rows, or parts of them, to a new back order and returns its id. What is moved is reserved for neither.
    pub fn split_order(&self, account: &str, order: i64, rows: &BTreeMap<i64, i64>) -> Result<i64, ControlError> {
        self.by_hand(account, "split order", OFFICE, |account, call| account.split(order, rows, call))
    }

    /// Reserves everything that is not on a note, in the order's warehouse.
    pub fn allocate(&self, account: &str, order: i64) -> Result<(), ControlError> {
        self.by_hand(account, "allocate", OFFICE, |account, call| account.reserve_part(order, 1, call))
    }

    /// Makes a goods-out note as another member of staff or app would; without `rows` over everything that is left.
    pub fn create_note(
        &self,
        account: &str,
        order: i64,
        warehouse: i64,
        staff: i64,
        rows: Option<BTreeMap<i64, i64>>,
    ) -> Result<i64, ControlError> {
        self.by_hand(account, "create note", staff, |account, call| {
            let found = account.order(order)?;
            let noted = account.noted_quantities(found);
            let left = || {
                let open = found.rows.iter().filter(|(_, row)| row.ships());
                open.map(|(id, row)| (*id, row.whole_quantity() - noted.get(id).copied().unwrap_or(0))).collect()
            };
            let rows: BTreeMap<i64, i64> = rows.unwrap_or_else(left);
            let rows = rows
                .into_iter()
                .filter(|(_, quantity)| *quantity > 0)
                .map(|(row, quantity)| (row, (found.rows.get(&row).map_or(0, |row| row.product_id), quantity)))
                .collect();
            let wanted = Wanted { warehouse, release: call.now, rows };
            let ids = account.make_notes(order, vec![wanted], call)?;
            ids.first().copied().ok_or_else(|| Refusal::invalid("Nothing is left to fulfil"))
        })
    }

    /// Ships a goods-out note.
    pub fn ship_note(&self, account: &str, note: i64, staff: i64) -> Result<(), ControlError> {
        self.by_hand(account, "ship note", staff, |account, call| {
            if account.note(note)?.shipped.is_some() {
                return Err(Refusal::invalid(format!("Goods out note {note} has been shipped")));
            }
            account.take_steps(note, &[Taken { code: "SHW", occured: call.now, owner: staff }], call)
        })
    }

    /// Writes the reference of an unshipped goods-out note, under the rules of the system.
    pub fn write_reference(&self, account: &str, note: i64, staff: i64, reference: &str) -> Result<(), ControlError> {
        self.by_hand(account, "write reference", staff, |account, call| {
            call.body = Some(json!({ "shipping": { "reference": reference } }));
            create::put(account, call, note).map(drop)
        })
    }

    /// Deletes an unshipped goods-out note.
    pub fn delete_note(&self, account: &str, note: i64) -> Result<(), ControlError> {
        self.by_hand(account, "delete note", OFFICE, |account, call| account.delete_note(note, call))
    }

    /// Makes a transfer note between warehouses and returns its id.
    pub fn create_transfer(
        &self,
        account: &str,
        from: i64,
        to: i64,
        product: i64,
        quantity: i64,
    ) -> Result<i64, ControlError> {
        self.by_hand(account, "create transfer", OFFICE, |account, call| {
            call.body = Some(json!({ "targetWarehouseId": to }));
            let head = first_id(&transfer::post_head(account, call, from)?.body);
            call.body = Some(json!({
                "targetWarehouseId": to, "stockTransferId": head,
                "transferredProducts": [{ "productId": product, "quantity": quantity }]
            }));
            Ok(first_id(&transfer::post_external(account, call, from)?.body))
        })
    }

    /// Moves what waits in quarantine into stock.
    pub fn release_quarantine(&self, account: &str, warehouse: i64) -> Result<(), ControlError> {
        self.by_hand(account, "release quarantine", OFFICE, |account, call| account.release_quarantine(warehouse, call))
    }

    /// Corrects stock by hand, by a signed difference.
    pub fn change_stock(
        &self,
        account: &str,
        product: i64,
        warehouse: i64,
        quantity: i64,
    ) -> Result<i64, ControlError> {
        self.by_hand(account, "change stock", OFFICE, |account, call| {
            let location = account.warehouses.get(&warehouse).map_or(0, |found| found.default_location);
            let mut line = json!({
                "quantity": quantity, "productId": product, "reason": "by hand", "locationId": location
            });
            if quantity > 0 {
                line["cost"] = json!({ "currency": account.currency, "value": "1.00" });
            }
            call.body = Some(json!({ "corrections": [line] }));
            Ok(first_id(&correction::post(account, call, warehouse)?.body))
        })
    }

    /// Renames a product; rows of existing orders keep the old SKU.
    pub fn change_sku(&self, account: &str, product: i64, sku: &str) -> Result<(), ControlError> {
        self.by_hand(account, "change SKU", OFFICE, |account, call| {
            let found = account.products.get_mut(&product);
            let found = found.ok_or_else(|| Refusal::not_found(format!("Product {product} does not exist")))?;
            sku.clone_into(&mut found.sku);
            found.updated_on = call.now;
            call.trace.took_effect = true;
            account.raise("product", "modified", None, product, call.now);
            Ok(())
        })
    }

    /// Lets every token of the account run out; a new log-in or refresh works.
    pub fn expire_tokens(&self, account: &str) -> Result<(), ControlError> {
        self.by_hand(account, "expire tokens", OFFICE, |account, _| {
            account.access.expire(clock::now());
            Ok(())
        })
    }

    /// Withdraws every token and app for good; only a new staff log-in works.
    pub fn revoke_tokens(&self, account: &str) -> Result<(), ControlError> {
        self.by_hand(account, "revoke tokens", OFFICE, |account, _| {
            account.access.revoke();
            Ok(())
        })
    }

    /// Changes a password; tokens of the user end.
    pub fn change_password(&self, account: &str, email: &str, password: &str) -> Result<(), ControlError> {
        self.by_hand(account, "change password", OFFICE, |account, _| {
            if account.access.change_password(email, password) {
                Ok(())
            } else {
                Err(Refusal::not_found(format!("User {email} does not exist")))
            }
        })
    }

    /// Faults of webhook delivery, from now on.
    pub fn set_webhook_faults(&self, faults: WebhookFaults) {
        self.delivery().faults = faults;
    }

    /// Does what a command says.
    pub fn perform(&self, account: &str, command: Command) -> Result<Outcome, ControlError> {
        let done = |()| Outcome::Done;
        match command {
            Command::CreateOrder { order } => self.create_order(account, *order).map(Outcome::Created),
            Command::SetStatus { order, status } => self.set_status(account, order, status).map(done),
            Command::CancelOrder { order } => self.cancel_order(account, order).map(done),
            Command::AddRow { order, line } => self.add_row(account, order, line).map(Outcome::Created),
            Command::RemoveRow { order, row } => self.remove_row(account, order, row).map(done),
            Command::SetQuantity { order, row, quantity } => self.set_quantity(account, order, row, quantity).map(done),
            Command::DropShip { order, row, quantity } => self.drop_ship(account, order, row, quantity).map(done),
            Command::SplitOrder { order, rows } => self.split_order(account, order, &rows).map(Outcome::Created),
            Command::Allocate { order } => self.allocate(account, order).map(done),
            Command::CreateNote { order, warehouse, staff, rows } => {
                self.create_note(account, order, warehouse, staff, rows).map(Outcome::Created)
            }
            Command::ShipNote { note, staff } => self.ship_note(account, note, staff).map(done),
            Command::WriteReference { note, staff, reference } => {
                self.write_reference(account, note, staff, &reference).map(done)
            }
            Command::DeleteNote { note } => self.delete_note(account, note).map(done),
            Command::CreateTransfer { from, to, product, quantity } => {
                self.create_transfer(account, from, to, product, quantity).map(Outcome::Created)
            }
            Command::ReleaseQuarantine { warehouse } => self.release_quarantine(account, warehouse).map(done),
            Command::ChangeStock { product, warehouse, quantity } => {
                self.change_stock(account, product, warehouse, quantity).map(Outcome::Created)
            }
            Command::ChangeSku { product, sku } => self.change_sku(account, product, &sku).map(done),
            Command::ExpireTokens => self.expire_tokens(account).map(done),
            Command::RevokeTokens => self.revoke_tokens(account).map(done),
            Command::ChangePassword { email, password } => self.change_password(account, &email, &password).map(done),
        }
    }
}

/// The id in an answer, alone or first of several.
fn first_id(body: &Value) -> i64 {
    let id = body.get("response");
    id.and_then(Value::as_i64).or_else(|| id?.get(0)?.as_i64()).unwrap_or(0)
}

impl Account {
    pub(crate) fn make_order(&mut self, new: &NewOrder, call: &mut Call<'_>) -> Result<i64, Refusal> {
        let kind = if new.purchase { OrderType::PurchaseOrder } else { OrderType::SalesOrder };
        let fitting =
            |id: &i64| self.contacts.get(id).is_some_and(|contact| !contact.staff && contact.supplier == new.purchase);
        let contact = new.contact_id.filter(fitting).or_else(|| self.contacts.keys().copied().find(fitting));
        let contact = contact.ok_or_else(|| Refusal::invalid("There is no contact for the order"))?;
        let mut order = self.blank_order(kind, contact, call);
        if let Some(status) = new.status_id {
            if !self.statuses.get(&status).is_some_and(|known| known.kind == kind) {
                return Err(Refusal::invalid(format!("Order status {status} does not exist for this order type")));
            }
            order.status_id = status;
        }
        if let Some(warehouse) = new.warehouse_id {
            order.warehouse_id = self.known_warehouse(warehouse)?;
        }
        if let Some(method) = new.shipping_method_id {
            order.shipping_method_id = self.known_method(method)?;
        }
        order.assignment.channel = new.channel_id.unwrap_or(0);
        if let Some(address) = &new.address {
            order.delivery.clone_from(address);
        }
        order.reference = new.reference.clone().unwrap_or_default();
        order.parent_id = new.parent_id.unwrap_or(0);
        order.placed_on = new.placed_on.map_or(order.placed_on, whole_seconds);
        order.delivery_date = new.delivery_date.map(whole_seconds).or(order.delivery_date);
        order.paid = new.paid.unwrap_or_default();
        let version = order.version;
        let id = self.insert_order(order, call);
        for line in &new.lines {
            self.make_row(id, line, call)?;
        }
        match new.allocation {
            _ if new.purchase => {}
            Allocation::Full => self.reserve_part(id, 1, call)?,
            Allocation::Part => self.reserve_part(id, 2, call)?,
            Allocation::None => {}
        }
        if let Some(order) = self.orders.get_mut(&id) {
            (order.version, order.updated_on) = (version, None);
            if new.invoiced {
                order.invoice = Some((format!("SI-{id}"), order.placed_on));
                order.closed_on = Some(order.placed_on);
            }
        }
        Ok(id)
    }

    fn make_row(&mut self, order: i64, line: &NewLine, call: &mut Call<'_>) -> Result<i64, Refusal> {
        let product = match &line.item {
            Item::FreeText(_) => None,
            Item::Product(id) => Some(self.products.get(id)),
            Item::Sku(sku) => Some(self.products.values().find(|product| product.sku == *sku && !product.archived)),
        };
        let product = match product {
            None => None,
            Some(found) => Some(
                found.cloned().ok_or_else(|| Refusal::not_found(format!("Product {:?} does not exist", line.item)))?,
            ),
        };
        let quantity = Decimal::from(line.quantity);
        let list = self.sell_price_list();
        let price = product.as_ref().and_then(|product| product.price(list)).unwrap_or_default();
        let net = line.net.unwrap_or(price * quantity);
        let tax = product.as_ref().map_or(2, |product| product.tax_code);
        let tax = self.tax_codes.get(&tax).map(|tax| tax.code.clone()).unwrap_or_default();
        let mut row = self.new_row(product.as_ref(), quantity, &tax, net)?;
        if let Item::FreeText(text) = &line.item {
            row.name.clone_from(text);
        }
        self.add_row(order, row, call)
    }

    /// Reserves what is not on a note, or the given fraction of it; nothing to reserve is no error here.
    fn reserve_part(&mut self, order: i64, divisor: i64, call: &mut Call<'_>) -> Result<(), Refusal> {
        let found = self.order(order)?;
        let warehouse = found.warehouse_id;
        let noted = self.noted_quantities(found);
        let rows: BTreeMap<i64, (i64, i64)> = found
            .rows
            .iter()
            .filter(|(_, row)| row.ships())
            .map(|(id, row)| {
                let left = row.whole_quantity() - noted.get(id).copied().unwrap_or(0);
                (*id, (row.product_id, (left + divisor - 1) / divisor))
            })
            .filter(|(_, (_, quantity))| *quantity > 0)
            .take(if divisor > 1 { 1 } else { usize::MAX })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        match self.reserve(order, warehouse, &rows, call) {
            Err(refusal) if refusal.errors.iter().any(|(_, text)| text == "insufficient stock") => Ok(()),
            other => other,
        }
    }

    /// Splits the last row that can ship off to a back order, if there are several.
    pub(crate) fn split_last_row(&mut self, order: i64, call: &mut Call<'_>) -> Result<(), Refusal> {
        let found = self.order(order)?;
        let open: Vec<(i64, i64)> =
            found.rows.iter().filter(|(_, row)| row.ships()).map(|(id, row)| (*id, row.whole_quantity())).collect();
        match open.as_slice() {
            [_, .., last] => self.split(order, &BTreeMap::from([*last]), call).map(drop),
            _ => Ok(()),
        }
    }

    fn split(&mut self, order: i64, rows: &BTreeMap<i64, i64>, call: &mut Call<'_>) -> Result<i64, Refusal> {
        let found = self.order(order)?.clone();
        let noted = self.noted_quantities(&found);
        let mut moved = BTreeMap::new();
        for (id, quantity) in rows {
            let row = found.rows.get(id).ok_or_else(|| Refusal::not_found(format!("Row {id} does not exist")))?;
            let left = row.whole_quantity() - noted.get(id).copied().unwrap_or(0);
            if *quantity <= 0 || *quantity > left {
                return Err(Refusal::invalid(format!("Row {id} has {left} to split off")));
            }
            moved.insert(*id, (row.clone(), *quantity));
        }
        self.unreserve_rows(order, &rows.keys().copied().collect::<Vec<_>>());
        let mut child = found;
        child.parent_id = order;
        child.rows.clear();
        child.notes_out.clear();
        child.note_sequence = 0;
        child.paid = Decimal::ZERO;
        (child.version, child.updated_on, child.created_on) = (0, None, call.now);
        let child = self.insert_order(child, call);
        for (original, (row, quantity)) in moved {
            let share = Decimal::from(quantity) / row.quantity;
            let mut part = row.clone();
            part.quantity = Decimal::from(quantity);
            part.net = (row.net * share).round_dp(2);
            part.cloned_from = original;
            part.recalculate_tax();
            // The components of a bundle come with their own rows.
            part.bundle_parent = false;
            let rest = (row.net - part.net, row.quantity - part.quantity);
            self.add_row(child, part, call)?;
            self.change_order(order, Change::Content, call, |order| {
                if rest.1.is_zero() {
                    order.rows.remove(&original);
                } else if let Some(row) = order.rows.get_mut(&original) {
                    (row.net, row.quantity) = rest;
                    row.recalculate_tax();
                }
            })?;
        }
        Ok(child)
    }
}
