//! The content of shipment and stock files, and what can be wrong with it on purpose.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::ledger::{LedgerOrder, LedgerShipment, StockRow};

/// The two kinds of file the warehouse writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Feed {
    /// `shp_*.csv`: what left.
    Shipments,
    /// `inv_*.csv`: what lies on the shelves.
    Stock,
}

impl Feed {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Shipments => "shp",
            Self::Stock => "inv",
        }
    }
}

/// What goes wrong with one file. Where it changes the content, the change is on the first row after the header.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Fault {
    /// Written under its final name in two halves; the second comes with the first tick after `pause`.
    HalfWritten {
        /// Shortest time between the halves.
        pause: Duration,
    },
    /// The newline at the end is missing.
    NoFinalNewline,
    /// The file ends in the middle of its last row.
    CutRow,
    /// Written twice, under two names.
    DuplicateFile,
    /// Each row stands there twice.
    DuplicateRows,
    /// Held back until a later file of the same feed has been written.
    Reordered,
    /// A cell that a spreadsheet would run as a formula.
    FormulaCell,
    /// A cell of one mebibyte.
    HugeCell,
    /// A cell with a NUL byte.
    NulByte,
    /// A cell that is not UTF-8.
    InvalidUtf8,
    /// A row that lacks its last two cells.
    WrongColumnCount,
    /// A file name with spaces, quotes, a percent escape and letters outside ASCII.
    OddFileName,
    /// A SKU nobody has heard of.
    UnknownSku,
    /// Shipments only: an order number nobody has heard of.
    UnknownOrder,
    /// Shipments only: a hundred units more than were ordered.
    WrongQuantity,
    /// Stock only: every quantity is zero.
    ZeroFeed,
    /// Stock only: counted this long ago.
    StaleFeed {
        /// Age of the count when the file is written.
        age: Duration,
    },
}

impl Fault {
    /// Whether the fault has a meaning for this kind of file.
    #[must_use]
    pub fn fits(&self, feed: Feed) -> bool {
        match self {
            Self::UnknownOrder | Self::WrongQuantity => feed == Feed::Shipments,
            Self::ZeroFeed | Self::StaleFeed { .. } => feed == Feed::Stock,
            Self::HalfWritten { .. }
            | Self::NoFinalNewline
            | Self::CutRow
            | Self::DuplicateFile
            | Self::DuplicateRows
            | Self::Reordered
            | Self::FormulaCell
            | Self::HugeCell
            | Self::NulByte
            | Self::InvalidUtf8
            | Self::WrongColumnCount
            | Self::OddFileName
            | Self::UnknownSku => true,
        }
    }

    /// Whether a reader cannot get the whole truth out of the file, so that somebody has to send it again.
    #[must_use]
    pub fn damages(&self) -> bool {
        match self {
            Self::HalfWritten { .. } | Self::DuplicateFile | Self::Reordered | Self::OddFileName => false,
            Self::NoFinalNewline
            | Self::CutRow
            | Self::DuplicateRows
            | Self::FormulaCell
            | Self::HugeCell
            | Self::NulByte
            | Self::InvalidUtf8
            | Self::WrongColumnCount
            | Self::UnknownSku
            | Self::UnknownOrder
            | Self::WrongQuantity
            | Self::ZeroFeed
            | Self::StaleFeed { .. } => true,
        }
    }
}

pub(super) const SHIPMENT_COLUMNS: [&str; 12] = [
    "order_number",
    "shipment_id",
    "shipped_at",
    "carrier",
    "service",
    "package_number",
    "tracking_number",
    "line_number",
    "sku",
    "quantity",
    "lot",
    "serial",
];
pub(super) const STOCK_COLUMNS: [&str; 5] = ["sku", "available", "on_hand", "facility_id", "counted_at"];

/// Where a content fault strikes: columns by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    pub order: usize,
    pub sku: usize,
    pub quantities: &'static [usize],
    /// A free-text cell that is not part of any key.
    pub text: usize,
    /// When it left, or was counted.
    pub time: usize,
}

const SHIPMENT_PLACES: Places = Places { order: 0, sku: 8, quantities: &[9], text: 4, time: 2 };
const STOCK_PLACES: Places = Places { order: 0, sku: 0, quantities: &[1, 2], text: 3, time: 4 };

/// Rows of a file before they become bytes. Cells are bytes, because some faults are not text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    pub feed: Feed,
    header: Vec<&'static str>,
    rows: Vec<Vec<Vec<u8>>>,
    trailer: Option<Vec<Vec<u8>>>,
    places: Places,
    /// Between cells.
    delimiter: u8,
    /// The whole file, where it is no table, and the number of things in it.
    document: Option<(Vec<u8>, usize)>,
}

impl Table {
    /// One row per (package, line), in the order given.
    pub(super) fn shipments<'a>(shipped: impl Iterator<Item = (&'a LedgerOrder, &'a LedgerShipment)>) -> Self {
        let mut rows = Vec::new();
        for (order, shipment) in shipped {
            for package in &shipment.packages {
                for content in &package.contents {
                    rows.push(cells([
                        order.number.clone(),
                        shipment.shipment_id.clone(),
                        seconds(shipment.shipped_at),
                        shipment.carrier.clone(),
                        shipment.service.clone(),
                        package.number.to_string(),
                        package.tracking_number.clone(),
                        content.line_number.clone(),
                        content.sku.clone(),
                        content.quantity.normalize().to_string(),
                        content.lot.clone(),
                        content.serials.join(";"),
                    ]));
                }
            }
        }
        Self::of(Feed::Shipments, SHIPMENT_COLUMNS.to_vec(), rows, SHIPMENT_PLACES)
    }

    /// A table of any columns.
    pub(super) fn of(feed: Feed, header: Vec<&'static str>, rows: Vec<Vec<Vec<u8>>>, places: Places) -> Self {
        Self { feed, header, rows, trailer: None, places, delimiter: b',', document: None }
    }

    /// The same with another mark between cells.
    pub(super) fn parted_by(self, delimiter: u8) -> Self {
        Self { delimiter, ..self }
    }

    /// One row per SKU and facility. `sequence` adds the trailer `TRAILER,<row count>,<sequence>`.
    pub(super) fn stock(rows: &[StockRow], counted_at: Timestamp, sequence: Option<u64>) -> Self {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| {
                cells([
                    row.sku.clone(),
                    row.available.normalize().to_string(),
                    row.physical.normalize().to_string(),
                    row.facility.clone(),
                    seconds(counted_at),
                ])
            })
            .collect();
        let trailer =
            sequence.map(|sequence| cells(["TRAILER".to_owned(), rows.len().to_string(), sequence.to_string()]));
        Self { trailer, ..Self::of(Feed::Stock, STOCK_COLUMNS.to_vec(), rows, STOCK_PLACES) }
    }

    /// A file that is no table. Faults of delivery and those that cut it off strike it, others leave it as it is.
    pub(super) fn document(feed: Feed, bytes: Vec<u8>, things: usize) -> Self {
        Self { document: Some((bytes, things)), ..Self::of(feed, Vec::new(), Vec::new(), STOCK_PLACES) }
    }

    /// How names of such files end.
    pub(super) fn ending(&self) -> &'static str {
        if self.document.is_some() { ".edi" } else { ".csv" }
    }

    pub(super) fn len(&self) -> usize {
        self.document.as_ref().map_or(self.rows.len(), |(_, things)| *things)
    }

    /// The file's bytes with the fault in them. Faults of delivery (halves, order, names) change nothing here.
    pub(super) fn render(&self, fault: Option<&Fault>, now: Timestamp) -> Vec<u8> {
        if let Some((bytes, _)) = &self.document {
            let cut = matches!(fault, Some(Fault::CutRow | Fault::NoFinalNewline)).then(|| bytes.len() * 2 / 3);
            return bytes.get(..cut.unwrap_or(bytes.len())).unwrap_or_default().to_vec();
        }
        let mut table = self.clone();
        if let Some(fault) = fault {
            table.spoil(fault, now);
        }
        let mut bytes = table.bytes();
        match fault {
            Some(Fault::NoFinalNewline) => bytes.truncate(bytes.len().saturating_sub(1)),
            Some(Fault::CutRow) => bytes.truncate(bytes.len().saturating_sub(4)),
            _ => {}
        }
        bytes
    }

    fn spoil(&mut self, fault: &Fault, now: Timestamp) {
        let places = self.places;
        match fault {
            Fault::DuplicateRows => {
                self.rows = self.rows.iter().flat_map(|row| [row.clone(), row.clone()]).collect();
            }
            Fault::FormulaCell => self.strike(places.text, b"=HYPERLINK(\"http://127.0.0.1/\"&A1)"),
            Fault::HugeCell => self.strike(places.text, &vec![b'A'; 1024 * 1024]),
            Fault::NulByte => self.strike(places.text, b"before\0after"),
            Fault::InvalidUtf8 => self.strike(places.text, b"caf\xe9 \xff\xfe"),
            Fault::WrongColumnCount => {
                if let Some(row) = self.rows.first_mut() {
                    row.truncate(row.len().saturating_sub(2));
                }
            }
            Fault::UnknownSku => self.strike(places.sku, b"NO-SUCH-SKU"),
            Fault::UnknownOrder => self.strike(places.order, b"NO-SUCH-ORDER"),
            Fault::WrongQuantity => {
                let place = places.quantities.first().copied().unwrap_or_default();
                let quantity = self
                    .rows
                    .first()
                    .and_then(|row| row.get(place))
                    .map(|cell| String::from_utf8_lossy(cell).into_owned())
                    .and_then(|text| text.parse::<rust_decimal::Decimal>().ok())
                    .unwrap_or_default();
                let more = quantity + rust_decimal::Decimal::ONE_HUNDRED;
                self.strike(place, more.to_string().as_bytes());
            }
            Fault::ZeroFeed => {
                for row in &mut self.rows {
                    for at in places.quantities {
                        if let Some(cell) = row.get_mut(*at) {
                            *cell = b"0".to_vec();
                        }
                    }
                }
            }
            Fault::StaleFeed { age } => {
                let counted_at = now.checked_sub(*age).unwrap_or(Timestamp::UNIX_EPOCH);
                for row in &mut self.rows {
                    if let Some(cell) = row.get_mut(places.time) {
                        *cell = seconds(counted_at).into_bytes();
                    }
                }
            }
            Fault::HalfWritten { .. }
            | Fault::NoFinalNewline
            | Fault::CutRow
            | Fault::DuplicateFile
            | Fault::Reordered
            | Fault::OddFileName => {}
        }
    }

    fn strike(&mut self, column: usize, content: &[u8]) {
        if let Some(cell) = self.rows.first_mut().and_then(|row| row.get_mut(column)) {
            *cell = content.to_vec();
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let delimiter = char::from(self.delimiter);
        let mut out = self.header.join(&delimiter.to_string()).into_bytes();
        out.push(b'\n');
        for row in self.rows.iter().chain(&self.trailer) {
            for (at, cell) in row.iter().enumerate() {
                if at > 0 {
                    out.push(self.delimiter);
                }
                push_cell(&mut out, cell, self.delimiter);
            }
            out.push(b'\n');
        }
        out
    }
}

/// ISO 8601 in UTC, to the second: what warehouses write.
pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn cells<const N: usize>(texts: [String; N]) -> Vec<Vec<u8>> {
    texts.into_iter().map(String::into_bytes).collect()
}

/// RFC 4180: quoted where needed, quotes doubled.
fn push_cell(out: &mut Vec<u8>, cell: &[u8], delimiter: u8) {
    if !cell.iter().any(|byte| *byte == delimiter || b"\"\r\n".contains(byte)) {
        out.extend_from_slice(cell);
        return;
    }
    out.push(b'"');
    for byte in cell {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
