//! What was agreed with a partner: the settings of a warehouse that speaks X12.

use std::time::Duration;

use connect::{Field, FieldKind, Settings, SettingsError};
use jiff::SignedDuration;

use super::{
    leniency::{self, Leniency},
    places::{self, Places, listed, qualifiers},
    reader::Party,
    segment::Separators,
    units::{self, Units},
    wording::{self, Wording},
    writer::{Envelope, Syntax},
};
use crate::files::place::{self, Place, field};

/// The form.
pub(super) static FIELDS: &[Field] = &[
    place::TRANSPORT,
    place::FOLDER,
    place::HOST,
    place::PORT,
    place::USER,
    place::PASSWORD,
    place::PRIVATE_KEY,
    place::HOST_KEY,
    place::ROOT,
    place::IN_FOLDER,
    place::OUT_FOLDER,
    needed("our_id", "Our id", "What the warehouse calls the merchant (ISA06), at most 15 characters."),
    field(
        "our_qualifier",
        "Kind of our id",
        FieldKind::Text,
        Some("ZZ"),
        "ISA05: ZZ mutually agreed, 01 DUNS, 08, 12, 14, 16.",
    ),
    needed("their_id", "Their id", "What the warehouse calls itself (ISA08), at most 15 characters."),
    field("their_qualifier", "Kind of their id", FieldKind::Text, Some("ZZ"), "ISA07, as above."),
    field("our_group_id", "Our id in groups", FieldKind::Text, None, "GS02; empty: our id."),
    field("their_group_id", "Their id in groups", FieldKind::Text, None, "GS03; empty: their id."),
    field(
        "mode",
        "Mode",
        FieldKind::Choice(&[("production", "Production"), ("test", "Test")]),
        Some("production"),
        "ISA15. In production what is marked as a test is set aside.",
    ),
    field(
        "version",
        "Version",
        FieldKind::Text,
        Some("004010"),
        "GS08 of what is sent: 004010 or 005010, with the partner's own letters behind it where it has some (004010UCS).",
    ),
    field(
        "versions_in",
        "Versions read",
        FieldKind::Text,
        Some("004010, 005010"),
        "How GS08 of what comes in may begin. Anything else is set aside.",
    ),
    field(
        "separators",
        "Separators",
        FieldKind::Text,
        Some("*>~"),
        "Three characters: between elements, between components, behind segments. What comes in brings its own.",
    ),
    field(
        "line_feeds",
        "One segment on each line",
        FieldKind::Switch,
        Some("true"),
        "A line feed behind each segment.",
    ),
    field(
        "upper_case",
        "Upper case only",
        FieldKind::Switch,
        Some("false"),
        "For partners that refuse small letters. Order keys and SKUs must then be in capitals: set the order key prefix.",
    ),
    field(
        "ascii_only",
        "Plain letters only",
        FieldKind::Switch,
        Some("true"),
        "Accents are taken off. Off: documents are UTF-8.",
    ),
    field(
        "send_997",
        "Acknowledge what comes in (997)",
        FieldKind::Choice(&[
            ("yes", "Each group that was read"),
            ("detail", "The same, naming what was passed over"),
            ("no", "Nothing"),
        ]),
        Some("yes"),
        "With detail, a document with faults that were passed over is accepted with errors (E); without, it is accepted (A).",
    ),
    field(
        "refused_997",
        "What could not be used",
        FieldKind::Choice(&[("reject", "Is rejected (R)"), ("silent", "Is not acknowledged")]),
        Some("reject"),
        "What the 997 says of documents that were set aside, and of kinds that are not taken.",
    ),
    field(
        "expect_997_minutes",
        "Minutes until their 997",
        FieldKind::Integer,
        Some("120"),
        "An order or cancel that was not acknowledged by then is shown as an exception. 0: the warehouse sends none.",
    ),
    field(
        "numbers_again_days",
        "Days until a number comes again",
        FieldKind::Integer,
        Some("180"),
        "An interchange whose control number was used with other content within these days is set aside, unless the numbers have begun again: it is lower than another one that came, and its date is newer.",
    ),
    field("ask_ta1", "Ask for a TA1", FieldKind::Switch, Some("false"), "ISA14. Most partners send none."),
    field(
        "first_control_number",
        "First control number",
        FieldKind::Integer,
        Some("1"),
        "Control numbers begin here, and go on here when it is higher than the last one: after a restored backup, say.",
    ),
    field("depositor_name", "Name of the merchant", FieldKind::Text, None, "N1*DE; empty: our id."),
    field("warehouse_name", "Name of the warehouse", FieldKind::Text, None, "N1*WH; empty: their id."),
    field(
        "warehouse_code",
        "Code of the warehouse",
        FieldKind::Text,
        None,
        "Id of N1*WH, where the partner wants one.",
    ),
    wording::DEPOSITOR_ID,
    wording::DEPOSITOR_QUALIFIER,
    wording::WAREHOUSE_QUALIFIER,
    wording::SHIP_TO_ID,
    wording::SHIP_TO_QUALIFIER,
    wording::ORDER_QUALIFIER,
    wording::GOODS_OUT_QUALIFIER,
    wording::SHIP_DATE_QUALIFIER,
    wording::DELIVERY_DATE_QUALIFIER,
    wording::INSTRUCTION_CODE,
    field(
        "sku_qualifier",
        "Kind of SKU",
        FieldKind::Text,
        Some("VN"),
        "Under which product ids carry our SKU, in both directions.",
    ),
    field(
        "sku_qualifiers_in",
        "Kinds of SKU read",
        FieldKind::Text,
        None,
        "Where the warehouse answers under another kind than it is asked: all that count, the first one first, with commas. Empty: \
         the kind of SKU.",
    ),
    field(
        "unit",
        "Unit",
        FieldKind::Text,
        Some("EA"),
        "Of quantities. What comes back in another one is set aside, unless that is among the units read.",
    ),
    units::UNITS_IN,
    field(
        "payment",
        "Who pays the carrier",
        FieldKind::Text,
        Some("PP"),
        "W6601: PP prepaid, CC collect, TP third party.",
    ),
    field("transport_method", "Transport method", FieldKind::Text, Some("U"), "W6602: U parcel, M road, A air."),
    field(
        "long_state",
        "A state or county of more than two letters",
        FieldKind::Choice(&[("street", "Goes behind the street"), ("leave_out", "Is left out")]),
        Some("street"),
        "N402 holds two letters only.",
    ),
    field(
        "cancel",
        "Cancel",
        FieldKind::Choice(&[
            ("F", "940 with status F"),
            ("D", "940 with status D"),
            ("none", "By telephone or e-mail"),
        ]),
        Some("F"),
        "How the warehouse takes a cancel. There is no answer to it: the next shipping advice tells.",
    ),
    field(
        "part_is_final",
        "A line that is short with status CP, DS, IC or CU is over",
        FieldKind::Switch,
        Some("true"),
        "An order is over when each of its lines has left or is over, in one advice or in several. Off, for warehouses where \
         another zone may still send what one has not: nothing more is expected only when all has left.",
    ),
    places::TRACKING_AT,
    places::TRACKING_QUALIFIERS,
    places::LOT_AT,
    places::SERIAL_QUALIFIERS,
    places::LINE_STATUSES,
    places::SHIP_DATE_AT,
    field(
        "available",
        "Figures available for sale",
        FieldKind::Text,
        Some("33"),
        "QTY01 of the 846, several with commas.",
    ),
    field("on_hand", "Figures on hand", FieldKind::Text, Some("17"), "QTY01 of the 846, several with commas."),
    field(
        "damaged",
        "Figures of damaged goods",
        FieldKind::Text,
        None,
        "QTY01 of the 846, several with commas: goods that the warehouse counts among those on hand, and that cannot be sold. They are \
         taken off the figures on hand of the same product and place. Empty: nothing is taken off.",
    ),
    field(
        "full_snapshot",
        "A SKU that is missing from a stock report has none",
        FieldKind::Switch,
        Some("false"),
        "Off: a missing SKU is unchanged. On: it is zero; then every 846 must be complete.",
    ),
    leniency::LENIENCY,
    place::AFTER_READING,
    place::TIME_ZONE,
];

const fn needed(name: &'static str, title: &'static str, help: &'static str) -> Field {
    Field { name, title, help, kind: FieldKind::Text, required: true, default: None }
}

/// Which of the partner's groups are acknowledged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answering {
    /// Whether a 997 is sent at all.
    pub(super) groups: bool,
    /// Whether it names what was passed over.
    pub(super) detail: bool,
    /// Whether what could not be used is rejected; otherwise nothing is said of it.
    pub(super) refused: bool,
}

/// What the connector works with.
pub(super) struct Profile {
    pub(super) place: Place,
    pub(super) envelope: Envelope,
    pub(super) versions_in: Vec<String>,
    pub(super) first_control_number: u32,
    pub(super) answering: Answering,
    /// How long the partner may take to acknowledge an order; `None`: it never does.
    pub(super) expects_within: Option<Duration>,
    /// For how long a control number stands for the interchange that first carried it.
    pub(super) numbers_again: SignedDuration,
    pub(super) depositor_name: String,
    pub(super) warehouse_name: String,
    pub(super) warehouse_code: Option<String>,
    pub(super) sku_qualifier: String,
    /// Those that count in what comes in.
    pub(super) sku_qualifiers_in: Vec<String>,
    /// Where things sit in a shipping advice.
    pub(super) places: Places,
    pub(super) units: Units,
    /// Under which codes an order says what it says.
    pub(super) wording: Wording,
    pub(super) payment: String,
    pub(super) transport_method: String,
    pub(super) state_behind_street: bool,
    /// W0501 of a cancel, where the warehouse takes one.
    pub(super) cancel: Option<String>,
    pub(super) part_is_final: bool,
    pub(super) available: Vec<String>,
    pub(super) on_hand: Vec<String>,
    /// What is taken off the figures on hand.
    pub(super) damaged: Vec<String>,
    pub(super) full_snapshot: bool,
    /// Faults that are not passed over.
    pub(super) leniency: Leniency,
}

impl Profile {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        settings.validate(FIELDS)?;
        let text = |name: &str| settings.get(FIELDS, name);
        let given = |name: &str| settings.require(FIELDS, name);
        let is = |name: &str| text(name).as_deref() == Some("true");
        let list = |name: &str| -> Result<Vec<String>, SettingsError> { Ok(listed(&given(name)?)) };
        let code = |name: &str, least: usize, most: usize| code(settings, FIELDS, name, least, most);
        let (our_id, their_id) = (code("our_id", 2, 15)?, code("their_id", 2, 15)?);
        if our_id == their_id {
            return Err(SettingsError::field("their_id", "must differ from our id"));
        }
        let or = |name: &str, other: &str| match text(name) {
            Some(_) => code(name, 2, 15),
            None => Ok(other.to_owned()),
        };
        let version = code("version", 6, 12)?;
        if !["004010", "005010"].iter().any(|known| version.starts_with(known)) {
            return Err(SettingsError::field("version", "must begin with 004010 or 005010"));
        }
        let separators = separators(&given("separators")?, version.starts_with("005")).ok_or_else(|| {
            SettingsError::field("separators", "must be three different marks, no letters, digits or spaces")
        })?;
        let first = given("first_control_number")?;
        let first_control_number = first
            .parse::<u32>()
            .ok()
            .filter(|number| (1..=LAST_CONTROL_NUMBER).contains(number))
            .ok_or_else(|| SettingsError::field("first_control_number", "must be a number from 1 to 999999999"))?;
        let number = |name: &str, most: u32| {
            let given = given(name)?.parse::<u32>().ok().filter(|number| *number <= most);
            given.ok_or_else(|| SettingsError::field(name, format!("must be a whole number from 0 to {most}")))
        };
        let (on_hand, damaged) = (list("on_hand")?, listed(&text("damaged").unwrap_or_default()));
        if let Some(both) = damaged.iter().find(|code| on_hand.contains(code)) {
            return Err(SettingsError::field(
                "damaged",
                format!("{both} counts as on hand already (on_hand): what is damaged would be all there is"),
            ));
        }
        let minutes = number("expect_997_minutes", 100_000)?;
        Ok(Self {
            answering: Answering {
                groups: given("send_997")? != "no",
                detail: given("send_997")? == "detail",
                refused: given("refused_997")? == "reject",
            },
            expects_within: (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60)),
            numbers_again: SignedDuration::from_hours(i64::from(number("numbers_again_days", 36_500)?) * 24),
            place: Place::of(settings, FIELDS)?,
            versions_in: list("versions_in")?,
            first_control_number,
            depositor_name: text("depositor_name").unwrap_or_else(|| our_id.clone()),
            warehouse_name: text("warehouse_name").unwrap_or_else(|| their_id.clone()),
            warehouse_code: text("warehouse_code").map(|_| code("warehouse_code", 2, 80)).transpose()?,
            sku_qualifiers_in: match text("sku_qualifiers_in") {
                Some(kinds) => qualifiers("sku_qualifiers_in", &kinds, 2)?,
                None => vec![code("sku_qualifier", 2, 2)?],
            },
            sku_qualifier: code("sku_qualifier", 2, 2)?,
            places: Places::of(settings, FIELDS)?,
            units: Units::of(settings, FIELDS, code("unit", 2, 2)?)?,
            wording: Wording::of(settings, FIELDS, &our_id)?,
            payment: code("payment", 2, 2)?,
            transport_method: code("transport_method", 1, 2)?,
            state_behind_street: given("long_state")? == "street",
            cancel: Some(given("cancel")?).filter(|cancel| cancel != "none"),
            part_is_final: is("part_is_final"),
            available: list("available")?,
            on_hand,
            damaged,
            full_snapshot: is("full_snapshot"),
            leniency: Leniency::of(settings, FIELDS)?,
            envelope: Envelope {
                group_sender: or("our_group_id", &our_id)?,
                group_receiver: or("their_group_id", &their_id)?,
                sender: Party { qualifier: code("our_qualifier", 2, 2)?, id: our_id },
                receiver: Party { qualifier: code("their_qualifier", 2, 2)?, id: their_id },
                version,
                test: given("mode")? == "test",
                acknowledge: is("ask_ta1"),
                syntax: Syntax {
                    separators,
                    line_feeds: is("line_feeds"),
                    upper_case: is("upper_case"),
                    ascii_only: is("ascii_only"),
                },
            },
        })
    }

    /// Names the series of control numbers: the standard counts them for sender, receiver, and test or production.
    pub(super) fn series(&self) -> String {
        let Envelope { sender, receiver, test, .. } = &self.envelope;
        let mode = if *test { "T" } else { "P" };
        format!("x12 {}:{} {}:{} {mode}", sender.qualifier, sender.id, receiver.qualifier, receiver.id)
    }
}

/// A setting that is written as it is, into the envelope or as a code: it must not part anything.
pub(super) fn code(
    settings: &Settings,
    fields: &[Field],
    name: &str,
    least: usize,
    most: usize,
) -> Result<String, SettingsError> {
    let value = settings.require(fields, name)?;
    let plain = value.chars().all(|character| character.is_ascii_alphanumeric() || " -_.".contains(character));
    if plain && (least..=most).contains(&value.len()) {
        return Ok(value);
    }
    Err(SettingsError::field(
        name,
        format!("must be {least} to {most} of the letters A to Z, digits, spaces, - _ and ."),
    ))
}

/// The highest control number: it has nine digits.
pub(super) const LAST_CONTROL_NUMBER: u32 = 999_999_999;

fn separators(text: &str, repeats: bool) -> Option<Separators> {
    let marks: Vec<char> = text.chars().collect();
    let [element, component, terminator] = *marks.as_slice() else { return None };
    let different = element != component && component != terminator && element != terminator;
    let fit = |mark: &char| mark.is_ascii_punctuation() && !matches!(mark, '.' | '-');
    let repetition = repeats.then_some('^').filter(|mark| !marks.contains(mark));
    (different && marks.iter().all(fit)).then_some(Separators {
        element,
        component: Some(component),
        repetition,
        terminator,
    })
}
