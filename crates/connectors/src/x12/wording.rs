//! The codes under which an order (940) says what it says, where partners differ (x12.md §4, §10).

use connect::{Field, FieldKind, Settings, SettingsError};

use super::profile::code;
use crate::files::place::field;

/// For settings whose default is something: that it is not written at all.
const LEFT_OUT: &str = "none";

pub(super) const ORDER_QUALIFIER: Field = field(
    "order_qualifier",
    "Kind of reference: order",
    FieldKind::Text,
    Some("OQ"),
    "N901 under which the order's own number goes, e.g. OQ or ZZ. none: it is not written.",
);
pub(super) const GOODS_OUT_QUALIFIER: Field = field(
    "goods_out_qualifier",
    "Kind of reference: goods-out note",
    FieldKind::Text,
    None,
    "N901 under which the number of the goods-out note goes, where requests are made of notes. Empty: it is not written.",
);
pub(super) const SHIP_DATE_QUALIFIER: Field = field(
    "ship_date_qualifier",
    "Kind of date: requested ship",
    FieldKind::Text,
    Some("10"),
    "G6201 of the day on which the order is sent, which is when it should leave: 10, or 37 where it must not leave before. none: it is \
     not written.",
);
pub(super) const DELIVERY_DATE_QUALIFIER: Field = field(
    "delivery_date_qualifier",
    "Kind of date: requested delivery",
    FieldKind::Text,
    Some("02"),
    "G6201 of the day by which it is wanted, where the order names one. none: it is not written.",
);
pub(super) const INSTRUCTION_CODE: Field = field(
    "instruction_code",
    "Kind of note",
    FieldKind::Text,
    Some("WHI"),
    "NTE01 of words for the packer, and of a cancel: WHI warehouse instruction, DEL delivery, GEN, SPH special handling.",
);
pub(super) const DEPOSITOR_ID: Field = field(
    "depositor_id",
    "Id of the merchant",
    FieldKind::Text,
    None,
    "N104 of N1*DE; empty: our id. none: it has a name alone.",
);
pub(super) const DEPOSITOR_QUALIFIER: Field = field(
    "depositor_qualifier",
    "Kind of the merchant's id",
    FieldKind::Text,
    Some("ZZ"),
    "N103 of N1*DE: ZZ mutually agreed, 91 given by them, 92 given by us, 9 DUNS, UL GLN.",
);
pub(super) const WAREHOUSE_QUALIFIER: Field = field(
    "warehouse_qualifier",
    "Kind of the warehouse's code",
    FieldKind::Text,
    Some("92"),
    "N103 of N1*WH, where it has a code.",
);
pub(super) const SHIP_TO_ID: Field = field(
    "ship_to_id",
    "Id of the customer",
    FieldKind::Text,
    None,
    "N104 of N1*ST, the same in every order, for partners that refuse one without. Empty: a name alone.",
);
pub(super) const SHIP_TO_QUALIFIER: Field = field(
    "ship_to_qualifier",
    "Kind of the customer's id",
    FieldKind::Text,
    Some("92"),
    "N103 of N1*ST, where it has an id.",
);

/// What was agreed about it. `None`: it is not written.
pub(super) struct Wording {
    /// N901 of the order's number.
    pub(super) order: Option<String>,
    /// N901 of the number of the goods-out note.
    pub(super) goods_out: Option<String>,
    /// G6201 of the day it is sent.
    pub(super) ship_date: Option<String>,
    /// G6201 of the day it is wanted.
    pub(super) delivery_date: Option<String>,
    /// NTE01.
    pub(super) instruction: String,
    /// N103 and N104 of the merchant.
    pub(super) depositor: Option<(String, String)>,
    /// N103 of the warehouse.
    pub(super) warehouse_qualifier: String,
    /// N103 and N104 of the customer.
    pub(super) ship_to: Option<(String, String)>,
}

impl Wording {
    pub(super) fn of(settings: &Settings, fields: &[Field], our_id: &str) -> Result<Self, SettingsError> {
        let given = |field: &Field| settings.get(fields, field.name).filter(|text| text != LEFT_OUT);
        let or_not = |field: &Field, least, most| {
            given(field).map(|_| code(settings, fields, field.name, least, most)).transpose()
        };
        let kind_of_id = |field: &Field| code(settings, fields, field.name, 1, 2);
        let depositor = match settings.get(fields, DEPOSITOR_ID.name) {
            None => Some(our_id.to_owned()),
            Some(_) => or_not(&DEPOSITOR_ID, 2, 80)?,
        };
        let depositor_kind = kind_of_id(&DEPOSITOR_QUALIFIER)?;
        let ship_to_kind = kind_of_id(&SHIP_TO_QUALIFIER)?;
        Ok(Self {
            order: or_not(&ORDER_QUALIFIER, 2, 3)?,
            goods_out: or_not(&GOODS_OUT_QUALIFIER, 2, 3)?,
            ship_date: or_not(&SHIP_DATE_QUALIFIER, 2, 2)?,
            delivery_date: or_not(&DELIVERY_DATE_QUALIFIER, 2, 2)?,
            instruction: code(settings, fields, INSTRUCTION_CODE.name, 3, 3)?,
            depositor: depositor.map(|id| (depositor_kind, id)),
            warehouse_qualifier: kind_of_id(&WAREHOUSE_QUALIFIER)?,
            ship_to: or_not(&SHIP_TO_ID, 2, 80)?.map(|id| (ship_to_kind, id)),
        })
    }
}

/// The number of the goods-out note in the key of a request, where it was made of one: `…-G{note}`, and `-R{repeat}` behind it
/// where it went again.
pub(super) fn goods_out_note(key: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let first = match key.rsplit_once("-R") {
        Some((before, repeat)) if is_number(repeat) => before,
        _ => key,
    };
    first.rsplit_once("-G").map(|(_, note)| note).filter(|note| is_number(note))
}

#[cfg(test)]
mod tests {
    use super::goods_out_note;

    #[test]
    fn the_note_stands_in_the_key() {
        for (key, note) in [
            ("BPacme-O1-G55", Some("55")),
            ("BPacme-O1-G55-R2", Some("55")),
            ("BPacme-O1", None),
            ("BPacme-O1-R2", None),
            ("MY-G7-O1", None),
            ("BPacme-O1-G", None),
        ] {
            assert_eq!(goods_out_note(key), note, "{key}");
        }
    }
}
