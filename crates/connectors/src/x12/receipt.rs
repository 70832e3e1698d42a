//! 943, goods on their way to the warehouse, and 944, what of them was received. Read and shown; nothing is done with them yet.

use jiff::civil;
use rust_decimal::Decimal;

use super::{
    advice::number,
    dictionary,
    finding::Broken,
    reader::Set,
    segment::{Segment, value_of},
};

/// Goods of one kind that are on their way, or were received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptLine {
    /// W0401 or W0701.
    pub quantity: Decimal,
    /// The unit it is counted in.
    pub unit: String,
    /// Pairs of qualifier and id.
    pub ids: Vec<(String, String)>,
    /// Lot, where one is named.
    pub lot: Option<String>,
    /// W13: what was wrong, with how much of it: (quantity, condition).
    pub exceptions: Vec<(Decimal, String)>,
}

/// A 943 or a 944.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// W0602 of the 943 = W1704 of the 944: the number of the transfer.
    pub key: String,
    /// When it was sent or received.
    pub date: Option<civil::Date>,
    /// W0604 of the 943, W1703 (the warehouse's number) of the 944.
    pub number: String,
    /// What.
    pub lines: Vec<ReceiptLine>,
    /// W0301 or W1401.
    pub total: Option<Decimal>,
}

impl Receipt {
    /// The transfer that a 943 or a 944 says.
    ///
    /// # Errors
    /// When it has no head, or a quantity cannot be read.
    pub fn read(set: &Set) -> Result<Self, Broken> {
        let mut receipt = Self::default();
        let mut headed = false;
        for segment in &set.segments {
            match segment.id.as_str() {
                "W06" | "W17" => {
                    headed = true;
                    let (key, date, number) = if segment.id == "W06" { (2, 3, 4) } else { (4, 2, 3) };
                    receipt.key = segment.get(key).to_owned();
                    receipt.date = dictionary::date(segment.get(date));
                    receipt.number = segment.get(number).to_owned();
                }
                "W04" => receipt.lines.push(ReceiptLine::read(segment, &[4, 6, 14], None)?),
                "W07" => receipt.lines.push(ReceiptLine::read(segment, &[4, 6, 10], Some(8))?),
                "W13" => {
                    let quantity = number(segment, 1, "the quantity of the exception")?;
                    if let Some(line) = receipt.lines.last_mut() {
                        line.exceptions.push((quantity, segment.get(3).to_owned()));
                    }
                }
                "W03" | "W14" => receipt.total = Some(number(segment, 1, "the total")?),
                _ => {}
            }
        }
        if headed {
            return Ok(receipt);
        }
        let at = set.segments.first().map_or(0, |segment| segment.at);
        Err(Broken::new(at, "024", format!("the {} has no head, so it names no transfer", set.code)))
    }
}

impl ReceiptLine {
    fn read(segment: &Segment, pairs: &[usize], lot: Option<usize>) -> Result<Self, Broken> {
        let ids = segment.pairs(pairs);
        let lot = lot.and_then(|element| segment.text(element)).or_else(|| value_of(&ids, "LT")).map(str::to_owned);
        Ok(Self {
            quantity: number(segment, 1, "the quantity")?,
            unit: segment.get(2).to_owned(),
            ids,
            lot,
            exceptions: Vec::new(),
        })
    }
}
