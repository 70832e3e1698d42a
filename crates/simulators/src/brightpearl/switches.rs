//! Questions about Brightpearl that no public source answers, and what the simulator answers to each.
//!
//! Every field of [`Switches`] is an **assumption**. A program that talks to Brightpearl should come through under every
//! alternative, so [`Switches::alternatives`] lists them one by one.

mod access;
mod record;
mod stock;

use serde::{Deserialize, Serialize};

pub use access::{
    AbandonedRequest, BurstLimit, DescendingList, EarlierTokens, ForbiddenBody, IdCapAnswer, LargestBody,
    LegacyTokenLife, LogInCost, MultiMessageCost, MultiMessageRefusal, OldRefreshToken, RefreshTokenLife,
    ThrottleHeaders, ThrottleWindow, ThrottledRequest, WrongPassword,
};
pub use record::{
    DirectReadLag, DuplicateSalesOrder, FirstVersion, NoteTouchesOrder, OrderModified, OrderSearchLag,
    PaymentStatusIds, SameStatus, SearchLag, SellListCode, WebhookCertificates, WebhookRedirects, WebhookRetries,
};
pub use stock::{
    AllocationBasis, AvailabilityCap, BadCorrectionLine, ChangeOfShipped, CorrectionIds, CorrectionLines,
    DeleteOfProgressed, EventOwner, EventTime, MissingNote, MovementCodes, NonStockAvailability, NoteDeleteAnswer,
    NotePostAnswer, NoteUpdate, NothingToReserve, OverFulfilment, ReasonText, ReservationRemoval, ReservationUse,
    SecondReservation, SecondShip, ShortCorrection, ShortStock, StaleVersion, UnclearedMovements, UnknownAvailability,
};

/// One answer per open question. The defaults are what seems most likely.
///
/// The numbers count the questions; several fields can belong to one question. Those from 50 on came up after the list was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// 1, *assumption*. What `/authorise` answers to a wrong password.
    pub wrong_password: WrongPassword,
    /// 2, *assumption*. How long the token of a staff log-in lives.
    pub legacy_token_life: LegacyTokenLife,
    /// 2, *assumption*. What a new log-in does to the earlier tokens of the same user.
    pub earlier_legacy_tokens: EarlierTokens,
    /// 2, *assumption*. Whether a log-in uses quota.
    pub log_in_cost: LogInCost,
    /// 3, *assumption*. What a goods-out note POST answers when stock is short.
    pub short_stock_on_note: ShortStock,
    /// 4, *assumption*. What a stock correction answers when it would remove more than there is.
    pub short_stock_on_correction: ShortCorrection,
    /// 5, *assumption*. The form of the id a goods-out note POST answers.
    pub note_post_answer: NotePostAnswer,
    /// 6, *assumption*. What happens to a note over more than is left to fulfil.
    pub over_fulfilment: OverFulfilment,
    /// 7, *assumption*. What an event with an outdated `If-Match` gets.
    pub stale_event_version: StaleVersion,
    /// 8, *assumption*. What a second SHW on a shipped note gets.
    pub second_ship: SecondShip,
    /// 9, *assumption*. What a PUT on a shipped note gets.
    pub change_of_shipped_note: ChangeOfShipped,
    /// 10, *assumption*. Whether a printed, picked or packed note can be deleted.
    pub delete_of_progressed_note: DeleteOfProgressed,
    /// 11, *assumption*. What deleting a goods-out note answers.
    pub note_delete_answer: NoteDeleteAnswer,
    /// 12, *assumption*. What reading goods-out notes answers when there are none.
    pub missing_note: MissingNote,
    /// 13, *assumption*. How many lines a stock correction may have.
    pub correction_lines: CorrectionLines,
    /// 14, *assumption*. What one bad line does to a stock correction.
    pub bad_correction_line: BadCorrectionLine,
    /// 15, *assumption*. The note ids a stock correction answers.
    pub correction_ids: CorrectionIds,
    /// 16, *assumption*. How the `reason` of a correction is kept.
    pub reason_text: ReasonText,
    /// 17, *assumption*. When a new correction or note appears in a direct GET.
    pub direct_read_lag: DirectReadLag,
    /// 17, *assumption*. When a new correction or note appears in a search.
    pub search_lag: SearchLag,
    /// 18, *assumption*. What happens to a request whose client has gone.
    pub abandoned_request: AbandonedRequest,
    /// 19, *assumption*. Whether a throttled request has an effect.
    pub throttled_request: ThrottledRequest,
    /// 20, *assumption*. The window the requests are counted in.
    pub throttle_window: ThrottleWindow,
    /// 21, *assumption*. Headers on a throttle 503.
    pub throttle_headers: ThrottleHeaders,
    /// 22, *assumption*. What a multi-message costs.
    pub multi_message_cost: MultiMessageCost,
    /// 23, *assumption*. What a multi-message gets that is PARALLEL with STOP, or too long.
    pub multi_message_refusal: MultiMessageRefusal,
    /// 24, *assumption*. What a status PUT to the present status does.
    pub same_status: SameStatus,
    /// 25, *assumption*. The body of the 200 to a repeated sales order.
    pub duplicate_sales_order: DuplicateSalesOrder,
    /// 26, *assumption*. What a product without stock tracking does to an availability request.
    pub non_stock_availability: NonStockAvailability,
    /// 27, *assumption*. What an unknown product does to an availability request.
    pub unknown_availability: UnknownAvailability,
    /// 28, *assumption*. How many products an availability request may name.
    pub availability_cap: AvailabilityCap,
    /// 29, *assumption*. What a comma list that does not ascend gets.
    pub descending_list: DescendingList,
    /// 30, *assumption*. The status above the largest id set.
    pub id_cap_answer: IdCapAnswer,
    /// 31, *assumption*. What a second reservation POST for an order does.
    pub second_reservation: SecondReservation,
    /// 32, *assumption*. How a reservation is removed.
    pub reservation_removal: ReservationRemoval,
    /// 33, *assumption*. The status when nothing at all can be reserved.
    pub nothing_to_reserve: NothingToReserve,
    /// 34, *assumption*. Who may own an event.
    pub event_owner: EventOwner,
    /// 34, *assumption*. When an event may have happened.
    pub event_time: EventTime,
    /// 35, *assumption*. The earlier refresh token after a refresh.
    pub old_refresh_token: OldRefreshToken,
    /// 36, *assumption*. How long a refresh token lives.
    pub refresh_token_life: RefreshTokenLife,
    /// 37, *assumption*. How a failed webhook call is repeated.
    pub webhook_retries: WebhookRetries,
    /// 38, *assumption*. Whether webhook calls follow redirects.
    pub webhook_redirects: WebhookRedirects,
    /// 38, *assumption*. Whether webhook calls check the certificate of the receiver.
    pub webhook_certificates: WebhookCertificates,
    /// 39, *assumption*. The body of 403 and 414 answers.
    pub forbidden_body: ForbiddenBody,
    /// 40, *assumption*. Goods-note types beyond SC, GO, GI and IT.
    pub movement_codes: MovementCodes,
    /// 41, *assumption*. What counts as allocated.
    pub allocation_basis: AllocationBasis,
    /// 42, *assumption*. What a note does to a reservation of the same rows.
    pub reservation_use: ReservationUse,
    /// 43, *assumption*. Which changes raise `order.modified`.
    pub order_modified: OrderModified,
    /// 44, *assumption*. The type code of a price list for selling.
    pub sell_list_code: SellListCode,
    /// 45, *assumption*. The largest request body.
    pub largest_body: LargestBody,
    /// 46, *assumption*. When a change of an order appears in order-search.
    pub order_search_lag: OrderSearchLag,
    /// 46, *assumption*. Whether a goods-out note and its shipping change `updatedOn` of the order.
    pub note_touches_order: NoteTouchesOrder,
    /// 47, *assumption*. The `version` of a new order.
    pub first_version: FirstVersion,
    /// 48, *assumption*. Whether short bursts are refused.
    pub burst_limit: BurstLimit,
    /// 49, *assumption*. The ids of UNPAID, PARTIALLY_PAID and PAID in searches.
    pub payment_status_ids: PaymentStatusIds,
    /// 50, *assumption*. Whether goods on an unshipped note show among the movements, not cleared.
    pub uncleared_movements: UnclearedMovements,
    /// 51, *assumption*. What a change of a goods-out note does to what it does not name.
    pub note_update: NoteUpdate,
}

impl Switches {
    /// Every single-switch alternative to the defaults, each with the name `field=choice`.
    #[must_use]
    pub fn alternatives() -> Vec<(String, Self)> {
        let mut all = Vec::new();
        each(&mut all, "wrong_password", &WrongPassword::ALTERNATIVES, |switches, choice| {
            switches.wrong_password = choice
        });
        each(&mut all, "legacy_token_life", &LegacyTokenLife::ALTERNATIVES, |switches, choice| {
            switches.legacy_token_life = choice
        });
        each(&mut all, "earlier_legacy_tokens", &EarlierTokens::ALTERNATIVES, |switches, choice| {
            switches.earlier_legacy_tokens = choice
        });
        each(&mut all, "log_in_cost", &LogInCost::ALTERNATIVES, |switches, choice| switches.log_in_cost = choice);
        each(&mut all, "short_stock_on_note", &ShortStock::ALTERNATIVES, |switches, choice| {
            switches.short_stock_on_note = choice
        });
        each(&mut all, "short_stock_on_correction", &ShortCorrection::ALTERNATIVES, |switches, choice| {
            switches.short_stock_on_correction = choice
        });
        each(&mut all, "note_post_answer", &NotePostAnswer::ALTERNATIVES, |switches, choice| {
            switches.note_post_answer = choice
        });
        each(&mut all, "over_fulfilment", &OverFulfilment::ALTERNATIVES, |switches, choice| {
            switches.over_fulfilment = choice
        });
        each(&mut all, "stale_event_version", &StaleVersion::ALTERNATIVES, |switches, choice| {
            switches.stale_event_version = choice
        });
        each(&mut all, "second_ship", &SecondShip::ALTERNATIVES, |switches, choice| switches.second_ship = choice);
        each(&mut all, "change_of_shipped_note", &ChangeOfShipped::ALTERNATIVES, |switches, choice| {
            switches.change_of_shipped_note = choice
        });
        each(&mut all, "delete_of_progressed_note", &DeleteOfProgressed::ALTERNATIVES, |switches, choice| {
            switches.delete_of_progressed_note = choice
        });
        each(&mut all, "note_delete_answer", &NoteDeleteAnswer::ALTERNATIVES, |switches, choice| {
            switches.note_delete_answer = choice
        });
        each(&mut all, "missing_note", &MissingNote::ALTERNATIVES, |switches, choice| switches.missing_note = choice);
        each(&mut all, "correction_lines", &CorrectionLines::ALTERNATIVES, |switches, choice| {
            switches.correction_lines = choice
        });
        each(&mut all, "bad_correction_line", &BadCorrectionLine::ALTERNATIVES, |switches, choice| {
            switches.bad_correction_line = choice
        });
        each(&mut all, "correction_ids", &CorrectionIds::ALTERNATIVES, |switches, choice| {
            switches.correction_ids = choice
        });
        each(&mut all, "reason_text", &ReasonText::ALTERNATIVES, |switches, choice| switches.reason_text = choice);
        each(&mut all, "direct_read_lag", &DirectReadLag::ALTERNATIVES, |switches, choice| {
            switches.direct_read_lag = choice
        });
        each(&mut all, "search_lag", &SearchLag::ALTERNATIVES, |switches, choice| switches.search_lag = choice);
        each(&mut all, "abandoned_request", &AbandonedRequest::ALTERNATIVES, |switches, choice| {
            switches.abandoned_request = choice
        });
        each(&mut all, "throttled_request", &ThrottledRequest::ALTERNATIVES, |switches, choice| {
            switches.throttled_request = choice
        });
        each(&mut all, "throttle_window", &ThrottleWindow::ALTERNATIVES, |switches, choice| {
            switches.throttle_window = choice
        });
        each(&mut all, "throttle_headers", &ThrottleHeaders::ALTERNATIVES, |switches, choice| {
            switches.throttle_headers = choice
        });
        each(&mut all, "multi_message_cost", &MultiMessageCost::ALTERNATIVES, |switches, choice| {
            switches.multi_message_cost = choice
        });
        each(&mut all, "multi_message_refusal", &MultiMessageRefusal::ALTERNATIVES, |switches, choice| {
            switches.multi_message_refusal = choice
        });
        each(&mut all, "same_status", &SameStatus::ALTERNATIVES, |switches, choice| switches.same_status = choice);
        each(&mut all, "duplicate_sales_order", &DuplicateSalesOrder::ALTERNATIVES, |switches, choice| {
            switches.duplicate_sales_order = choice
        });
        each(&mut all, "non_stock_availability", &NonStockAvailability::ALTERNATIVES, |switches, choice| {
            switches.non_stock_availability = choice
        });
        each(&mut all, "unknown_availability", &UnknownAvailability::ALTERNATIVES, |switches, choice| {
            switches.unknown_availability = choice
        });
        each(&mut all, "availability_cap", &AvailabilityCap::ALTERNATIVES, |switches, choice| {
            switches.availability_cap = choice
        });
        each(&mut all, "descending_list", &DescendingList::ALTERNATIVES, |switches, choice| {
            switches.descending_list = choice
        });
        each(&mut all, "id_cap_answer", &IdCapAnswer::ALTERNATIVES, |switches, choice| switches.id_cap_answer = choice);
        each(&mut all, "second_reservation", &SecondReservation::ALTERNATIVES, |switches, choice| {
            switches.second_reservation = choice
        });
        each(&mut all, "reservation_removal", &ReservationRemoval::ALTERNATIVES, |switches, choice| {
            switches.reservation_removal = choice
        });
        each(&mut all, "nothing_to_reserve", &NothingToReserve::ALTERNATIVES, |switches, choice| {
            switches.nothing_to_reserve = choice
        });
        each(&mut all, "event_owner", &EventOwner::ALTERNATIVES, |switches, choice| switches.event_owner = choice);
        each(&mut all, "event_time", &EventTime::ALTERNATIVES, |switches, choice| switches.event_time = choice);
        each(&mut all, "old_refresh_token", &OldRefreshToken::ALTERNATIVES, |switches, choice| {
            switches.old_refresh_token = choice
        });
        each(&mut all, "refresh_token_life", &RefreshTokenLife::ALTERNATIVES, |switches, choice| {
            switches.refresh_token_life = choice
        });
        each(&mut all, "webhook_retries", &WebhookRetries::ALTERNATIVES, |switches, choice| {
            switches.webhook_retries = choice
        });
        each(&mut all, "webhook_redirects", &WebhookRedirects::ALTERNATIVES, |switches, choice| {
            switches.webhook_redirects = choice
        });
        each(&mut all, "webhook_certificates", &WebhookCertificates::ALTERNATIVES, |switches, choice| {
            switches.webhook_certificates = choice
        });
        each(&mut all, "forbidden_body", &ForbiddenBody::ALTERNATIVES, |switches, choice| {
            switches.forbidden_body = choice
        });
        each(&mut all, "movement_codes", &MovementCodes::ALTERNATIVES, |switches, choice| {
            switches.movement_codes = choice
        });
        each(&mut all, "allocation_basis", &AllocationBasis::ALTERNATIVES, |switches, choice| {
            switches.allocation_basis = choice
        });
        each(&mut all, "reservation_use", &ReservationUse::ALTERNATIVES, |switches, choice| {
            switches.reservation_use = choice
        });
        each(&mut all, "order_modified", &OrderModified::ALTERNATIVES, |switches, choice| {
            switches.order_modified = choice
        });
        each(&mut all, "sell_list_code", &SellListCode::ALTERNATIVES, |switches, choice| {
            switches.sell_list_code = choice
        });
        each(&mut all, "largest_body", &LargestBody::ALTERNATIVES, |switches, choice| switches.largest_body = choice);
        each(&mut all, "order_search_lag", &OrderSearchLag::ALTERNATIVES, |switches, choice| {
            switches.order_search_lag = choice
        });
        each(&mut all, "note_touches_order", &NoteTouchesOrder::ALTERNATIVES, |switches, choice| {
            switches.note_touches_order = choice
        });
        each(&mut all, "first_version", &FirstVersion::ALTERNATIVES, |switches, choice| {
            switches.first_version = choice
        });
        each(&mut all, "burst_limit", &BurstLimit::ALTERNATIVES, |switches, choice| switches.burst_limit = choice);
        each(&mut all, "payment_status_ids", &PaymentStatusIds::ALTERNATIVES, |switches, choice| {
            switches.payment_status_ids = choice
        });
        each(&mut all, "uncleared_movements", &UnclearedMovements::ALTERNATIVES, |switches, choice| {
            switches.uncleared_movements = choice
        });
        each(&mut all, "note_update", &NoteUpdate::ALTERNATIVES, |switches, choice| switches.note_update = choice);
        all
    }
}

fn each<T: Copy + std::fmt::Debug>(
    all: &mut Vec<(String, Switches)>,
    field: &str,
    choices: &[T],
    set: impl Fn(&mut Switches, T),
) {
    for &choice in choices {
        let mut switches = Switches::default();
        set(&mut switches, choice);
        all.push((format!("{field}={choice:?}"), switches));
    }
}
