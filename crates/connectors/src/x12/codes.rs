//! What codes mean, for people. Every list may be longer at a partner: a code that is not here is shown as it is.

/// The meaning of a code in an element of a segment.
pub fn meaning(segment: &str, element: usize, code: &str) -> Option<&'static str> {
    let list: Codes = match (segment, element) {
        ("ISA", 5 | 7) => PARTIES,
        ("ISA", 14) => &[("0", "no"), ("1", "yes")],
        ("ISA", 15) => &[("P", "production"), ("T", "test")],
        ("GS" | "AK1", 1) => GROUPS,
        ("ST" | "AK2", 1) => return super::dictionary::set_name(code),
        ("TA1", 4) => RESULTS,
        ("TA1", 5) => NOTES,
        ("W05", 1) => ORDER_STATUSES,
        ("N1", 1) => ROLES,
        ("N1", 3) => ID_KINDS,
        ("PER", 1) => &[("DC", "delivery"), ("CN", "general")],
        ("PER", 3 | 5 | 7) | ("G61", 3) => &[("TE", "telephone"), ("EM", "e-mail"), ("FX", "fax")],
        ("N9" | "REF", 1) => REFERENCES,
        ("G62", 1) => DATES,
        ("NTE", 1) => NOTE_KINDS,
        ("W66", 1) | ("W27", 4) => PAYMENTS,
        ("W66", 2) | ("W27", 1) => METHODS,
        ("MAN", 1 | 4) => &[("CP", "carrier's package number (tracking)"), ("GM", "SSCC-18"), ("SM", "shipper's mark")],
        ("W12", 1) => LINE_STATUSES,
        ("W19", 1) => REASONS,
        ("W13", 3) => &[("01", "damaged"), ("02", "short"), ("03", "over")],
        ("QTY", 1) => &[("33", "available for sale"), ("17", "on hand")],
        ("BIA", 1) => &[("00", "original")],
        ("BIA", 2) => &[("DD", "distributor"), ("SI", "seller")],
        ("AK3", 4) => SEGMENT_ERRORS,
        ("AK4", 3) => ELEMENT_ERRORS,
        ("AK5" | "AK9", 1) => RESULTS,
        ("AK5", 2..=6) => SET_ERRORS,
        ("AK9", 5..=9) => GROUP_ERRORS,
        ("W01" | "W04" | "W07" | "W13", 2) | ("W12", 5) | ("W19" | "W76" | "W03" | "QTY", 3) => UNITS,
        ("W01", 4 | 6 | 15)
        | ("W12", 7 | 17 | 21)
        | ("W19", 5 | 7 | 17)
        | ("W04", 4 | 6 | 14)
        | ("W07", 4 | 6 | 10) => PRODUCTS,
        ("LIN", number) if number % 2 == 0 => PRODUCTS,
        _ => return None,
    };
    list.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

type Codes = &'static [(&'static str, &'static str)];

const PARTIES: Codes = &[
    ("ZZ", "mutually agreed"),
    ("01", "DUNS"),
    ("08", "UCC communications id"),
    ("12", "telephone"),
    ("14", "DUNS with suffix"),
    ("16", "DUNS with four digits"),
];
const GROUPS: Codes = &[
    ("OW", "warehouse shipping orders"),
    ("SW", "warehouse shipping advices"),
    ("AR", "stock transfer shipment advices"),
    ("RE", "stock transfer receipt advices"),
    ("IB", "inventory advices"),
    ("AW", "inventory adjustment advices"),
    ("FA", "functional acknowledgements"),
    ("SH", "ship notices"),
    ("GF", "responses to load tenders"),
];
const ORDER_STATUSES: Codes = &[
    ("N", "new order"),
    ("R", "change: replaces the order"),
    ("F", "cancel"),
    ("D", "delete"),
    ("A", "information"),
    ("B", "back-order"),
    ("C", "confirm"),
    ("G", "change of the head"),
    ("L", "change of lines"),
    ("T", "sent again"),
];
const ROLES: Codes = &[
    ("ST", "ship to"),
    ("DE", "depositor: owner of the goods"),
    ("WH", "warehouse"),
    ("SF", "ship from"),
    ("BT", "bill to"),
    ("BY", "buyer"),
    ("SU", "supplier"),
];
const ID_KINDS: Codes = &[
    ("92", "assigned by us"),
    ("91", "assigned by them"),
    ("9", "DUNS with four digits"),
    ("ZZ", "mutually agreed"),
    ("UL", "GLN"),
];
const REFERENCES: Codes = &[
    ("OQ", "order number"),
    ("CO", "customer's order number"),
    ("ZZ", "mutually agreed"),
    ("LI", "line number"),
    ("SE", "serial number"),
    ("LT", "lot"),
    ("LV", "licence plate"),
    ("CN", "carrier's number"),
    ("2I", "tracking number"),
    ("BM", "bill of lading"),
    ("PO", "purchase order"),
];
const DATES: Codes = &[
    ("10", "requested to ship"),
    ("02", "requested delivery"),
    ("37", "not before"),
    ("38", "not after"),
    ("11", "shipped"),
    ("07", "effective"),
    ("36", "expires"),
];
const NOTE_KINDS: Codes = &[
    ("WHI", "warehouse instruction"),
    ("DEL", "delivery"),
    ("GEN", "general"),
    ("SPH", "special handling"),
    ("BOL", "bill of lading"),
];
const PAYMENTS: Codes =
    &[("PP", "prepaid"), ("CC", "collect"), ("TP", "third party"), ("PB", "prepaid, billed"), ("PU", "picked up")];
const METHODS: Codes = &[("U", "parcel"), ("M", "road"), ("A", "air"), ("ZZ", "mutually agreed")];
const LINE_STATUSES: Codes = &[
    ("CC", "complete"),
    ("CL", "complete"),
    ("CP", "part shipped, the rest is cancelled"),
    ("BP", "part shipped, the rest is on back-order"),
    ("BO", "back-ordered, nothing shipped"),
    ("CM", "more than ordered"),
    ("CS", "substituted"),
    ("DS", "out of stock"),
    ("IC", "cancelled"),
    ("CU", "cancelled"),
];
const REASONS: Codes = &[
    ("AA", "physical count"),
    ("05", "put on hold"),
    ("55", "taken off hold"),
    ("07", "dumped"),
    ("04", "received less"),
    ("53", "shipped less"),
    ("56", "book increase"),
    ("AC", "condition changed"),
    ("AU", "damaged in the building"),
    ("AV", "damaged in transit"),
    ("AY", "receipt error"),
    ("AR", "shipment error"),
];
const RESULTS: Codes = &[
    ("A", "accepted"),
    ("E", "accepted with errors"),
    ("P", "partly accepted"),
    ("R", "rejected"),
    ("M", "rejected: authentication"),
    ("W", "rejected: assurance"),
    ("X", "rejected: content could not be decrypted"),
];
const SEGMENT_ERRORS: Codes = &[
    ("1", "unknown segment"),
    ("2", "unexpected segment"),
    ("3", "mandatory segment missing"),
    ("4", "loop too often"),
    ("5", "segment too often"),
    ("6", "segment not in this set"),
    ("7", "segment out of sequence"),
    ("8", "elements in error"),
];
const ELEMENT_ERRORS: Codes = &[
    ("1", "mandatory element missing"),
    ("2", "conditional element missing"),
    ("3", "too many elements"),
    ("4", "too short"),
    ("5", "too long"),
    ("6", "bad character"),
    ("7", "unknown code"),
    ("8", "bad date"),
    ("9", "bad time"),
    ("10", "exclusion violated"),
];
const SET_ERRORS: Codes = &[
    ("1", "set not supported"),
    ("2", "trailer missing"),
    ("3", "control numbers differ"),
    ("4", "segment count differs"),
    ("5", "segments in error"),
    ("6", "bad set"),
    ("7", "bad set control number"),
];
const GROUP_ERRORS: Codes = &[
    ("1", "group not supported"),
    ("2", "version not supported"),
    ("3", "trailer missing"),
    ("4", "control numbers differ"),
    ("5", "set count differs"),
    ("6", "bad control number"),
];
const NOTES: Codes = &[
    ("000", "no error"),
    ("001", "control numbers differ"),
    ("002", "standard not supported"),
    ("003", "version not supported"),
    ("004", "bad terminator"),
    ("005", "bad sender qualifier"),
    ("006", "bad sender"),
    ("007", "bad receiver qualifier"),
    ("008", "bad receiver"),
    ("009", "unknown receiver"),
    ("018", "bad control number"),
    ("020", "bad test indicator"),
    ("021", "group count differs"),
    ("022", "bad control structure"),
    ("023", "ends too early"),
    ("024", "bad content"),
    ("025", "duplicate control number"),
    ("026", "bad element separator"),
    ("027", "bad component separator"),
    ("028", "bad separators"),
];
const UNITS: Codes = &[
    ("EA", "each"),
    ("PC", "piece"),
    ("CA", "case"),
    ("CT", "carton"),
    ("LB", "pounds"),
    ("KG", "kilograms"),
    ("CF", "cubic feet"),
];
const PRODUCTS: Codes = &[
    ("VN", "vendor's item number (SKU)"),
    ("SK", "stock-keeping unit (SKU)"),
    ("UP", "UPC"),
    ("EN", "EAN-13"),
    ("UK", "GTIN-14"),
    ("LT", "lot"),
];
