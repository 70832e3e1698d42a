//! Units that a partner may answer in, and how many of ours each is (x12.md §8.4).

use std::collections::BTreeMap;

use connect::{Field, FieldKind, Settings, SettingsError};
use rust_decimal::Decimal;

use super::{advice::Advice, dictionary, finding::Broken, places::listed};
use crate::files::place::field;

pub(super) const UNITS_IN: Field = field(
    "units_in",
    "Units read",
    FieldKind::Text,
    None,
    "Other units that the warehouse may answer in, and how many of ours each is: UNIT=number, several with commas, e.g. PC=1, CA=12. \
     It holds for every product: leave a unit out that is packed differently. What comes in a unit that is not listed is set aside.",
);

/// The largest pack: with it, no quantity of a document grows beyond what can be counted.
const LARGEST_PACK: u32 = 1_000_000;

/// What is counted in, and what may be read.
pub(super) struct Units {
    /// What orders are written in, and what everything is turned into.
    pub(super) ours: String,
    /// How many of ours one of each other is.
    others: BTreeMap<String, Decimal>,
}

impl Units {
    pub(super) fn of(settings: &Settings, fields: &[Field], ours: String) -> Result<Self, SettingsError> {
        let text = settings.get(fields, UNITS_IN.name).unwrap_or_default();
        let others = packs(&text, &ours).map_err(|why| SettingsError::field(UNITS_IN.name, why))?;
        Ok(Self { ours, others })
    }

    /// How many of ours one of these is; `None` where that was not agreed. A quantity without a unit is in ours.
    fn pack(&self, unit: &str) -> Option<Decimal> {
        match unit.is_empty() || unit == self.ours {
            true => Some(Decimal::ONE),
            false => self.others.get(unit).copied(),
        }
    }

    /// Whether a quantity in this unit can be used.
    pub(super) fn reads(&self, unit: &str) -> bool {
        self.pack(unit).is_some()
    }

    /// A quantity in our unit: a decimal, also where it is no whole number of them.
    pub(super) fn count(&self, quantity: Decimal, unit: &str) -> Option<Decimal> {
        self.pack(unit)?.checked_mul(quantity).map(|count| count.normalize())
    }

    /// Every unit that is read, for people.
    pub(super) fn named(&self) -> String {
        let others = self.others.keys().map(String::as_str);
        std::iter::once(self.ours.as_str()).chain(others).collect::<Vec<_>>().join(" or ")
    }

    /// The same advice with its lines counted in our unit.
    pub(super) fn in_ours(&self, mut advice: Advice) -> Result<Advice, Broken> {
        for line in advice.boxes.iter_mut().flat_map(|one| &mut one.lines) {
            if line.unit.is_empty() || line.unit == self.ours {
                continue;
            }
            let wrong =
                || Broken::new(line.at, "024", format!("how many {} {} are is not known", self.ours, line.unit));
            let shipped = self.count(line.shipped, &line.unit).ok_or_else(wrong)?;
            let ordered = match line.ordered {
                Some(ordered) => Some(self.count(ordered, &line.unit).ok_or_else(wrong)?),
                None => None,
            };
            (line.shipped, line.ordered) = (shipped, ordered);
            line.unit.clone_from(&self.ours);
        }
        Ok(advice)
    }
}

fn packs(text: &str, ours: &str) -> Result<BTreeMap<String, Decimal>, String> {
    let mut packs = BTreeMap::new();
    for entry in listed(text) {
        let (unit, pack) = entry.split_once('=').ok_or_else(|| format!("{entry:?} is not UNIT=number"))?;
        let (unit, pack) = (unit.trim(), pack.trim());
        if unit.len() != 2 || !unit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("{unit:?} is no unit: it has two letters or digits"));
        }
        let number = dictionary::number(pack)
            .filter(|number| *number > Decimal::ZERO && *number <= LARGEST_PACK.into())
            .ok_or_else(|| format!("{pack:?} is no number above 0 and up to {LARGEST_PACK}"))?;
        if unit == ours && number != Decimal::ONE {
            return Err(format!("one {ours} is one {ours}: it is the unit that orders are written in"));
        }
        if packs.insert(unit.to_owned(), number).is_some() {
            return Err(format!("{unit:?} stands there twice"));
        }
    }
    // Ours needs no entry, and may have one.
    packs.remove(ours);
    Ok(packs)
}
