//! Payments of customers.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::{Account, Change, missing_order, next};
use super::call::{Answer, Call, Refusal, Reply, decimal, field, int, text, time};

#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) id: i64,
    pub(crate) order_id: i64,
    pub(crate) transaction_ref: String,
    pub(crate) transaction_code: String,
    pub(crate) method_code: String,
    pub(crate) kind: String,
    pub(crate) currency: String,
    pub(crate) amount: Decimal,
    pub(crate) payment_date: Timestamp,
    pub(crate) created_on: Timestamp,
}

pub(crate) fn post(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let order = field(body, "orderId").and_then(int).unwrap_or(0);
    if !account.orders.contains_key(&order) {
        return Err(missing_order(order));
    }
    let amount = field(body, "amountPaid").and_then(decimal);
    let amount = amount.ok_or_else(|| Refusal::invalid("You have not supplied an amount"))?;
    let take = |name: &str| field(body, name).and_then(text).unwrap_or_default().to_owned();
    let payment = Payment {
        id: 0,
        order_id: order,
        transaction_ref: take("transactionRef"),
        transaction_code: take("transactionCode"),
        method_code: take("paymentMethodCode"),
        kind: take("paymentType"),
        currency: take("currencyIsoCode"),
        amount,
        payment_date: time(&take("paymentDate")).unwrap_or(call.now),
        created_on: call.now,
    };
    let id = account.record_payment(payment, call)?;
    Ok(Reply::of(id))
}

/// The older message for the same.
pub(crate) fn post_receipt(account: &mut Account, call: &mut Call<'_>) -> Answer {
    let body = call.json()?;
    let order = field(body, "orderId").and_then(int).unwrap_or(0);
    if !account.orders.contains_key(&order) {
        return Err(missing_order(order));
    }
    let amount = body.pointer("/received/value").and_then(decimal);
    let amount = amount.ok_or_else(|| Refusal::invalid("You have not supplied an amount"))?;
    let payment = Payment {
        id: 0,
        order_id: order,
        transaction_ref: String::new(),
        transaction_code: String::new(),
        method_code: String::new(),
        kind: "RECEIPT".to_owned(),
        currency: body.pointer("/received/currency").and_then(text).unwrap_or_default().to_owned(),
        amount,
        payment_date: field(body, "taxDate").and_then(text).and_then(time).unwrap_or(call.now),
        created_on: call.now,
    };
    let id = account.record_payment(payment, call)?;
    Ok(Reply::of(id))
}

impl Account {
    fn record_payment(&mut self, payment: Payment, call: &mut Call<'_>) -> Result<i64, Refusal> {
        let id = next(&mut self.next.payment);
        let (order, amount) = (payment.order_id, payment.amount);
        self.payments.insert(id, Payment { id, ..payment });
        self.change_order(order, Change::Content, call, |order| order.paid += amount)?;
        Ok(id)
    }
}

pub(crate) fn delete(account: &mut Account, call: &mut Call<'_>, id: i64) -> Answer {
    let payment = account.payments.remove(&id);
    let payment = payment.ok_or_else(|| Refusal::not_found(format!("Cannot find customer payment: {id}")))?;
    account.change_order(payment.order_id, Change::Content, call, |order| order.paid -= payment.amount)?;
    Ok(Reply::empty())
}
