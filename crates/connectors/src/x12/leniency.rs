//! Faults that are not passed over for a partner: what it was agreed to hold, or to set aside (x12.md §9.2, §10).

use std::collections::BTreeMap;

use connect::{Field, FieldKind, Settings, SettingsError};

use super::{
    finding::{Broken, Finding, FindingKind},
    places::listed,
    reader::{Interchange, Set},
};
use crate::files::place::field;

pub(super) const LENIENCY: Field = field(
    "leniency",
    "Faults that are not passed over",
    FieldKind::Text,
    None,
    "What becomes of documents with a fault that is passed over otherwise: FAULT=hold (a person looks at the document, the rest of its \
     file is used), FAULT=quarantine (nothing of the file is used) or FAULT=accept (as without it), several with commas, e.g. \
     segment_count=hold. The faults stand in docs/x12.md.",
);

/// TA105 of a file of which nothing is used as it was agreed: its content.
pub(super) const BY_AGREEMENT: &str = "024";

/// What becomes of a document with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Accept,
    Hold,
    Quarantine,
}

/// What was agreed, by fault. Faults that are not named are passed over.
pub(super) struct Leniency(BTreeMap<FindingKind, Treatment>);

impl Leniency {
    pub(super) fn of(settings: &Settings, fields: &[Field]) -> Result<Self, SettingsError> {
        let text = settings.get(fields, LENIENCY.name).unwrap_or_default();
        agreed(&text).map(Self).map_err(|why| SettingsError::field(LENIENCY.name, why))
    }

    fn treats(&self, finding: &Finding) -> Treatment {
        self.0.get(&finding.kind).copied().unwrap_or(Treatment::Accept)
    }

    /// Why nothing of a file with these interchanges may be used.
    pub(super) fn of_file<'a>(&self, interchanges: impl Iterator<Item = &'a Interchange>) -> Option<Broken> {
        let mut findings = interchanges.flat_map(|one| &one.findings);
        findings.find(|finding| self.treats(finding) == Treatment::Quarantine).map(told)
    }

    /// The same of the stock in a file, which is used whole or not at all: what would be held is set aside.
    pub(super) fn of_stock<'a>(&self, interchanges: impl Iterator<Item = &'a Interchange>) -> Option<Broken> {
        let mut findings = interchanges.flat_map(Interchange::findings_of_stock);
        findings.find(|finding| self.treats(finding) != Treatment::Accept).map(told)
    }

    /// Why one document is held: for a fault of its own, or of the envelope around it.
    pub(super) fn of_set(&self, interchange: &Interchange, set: &Set) -> Option<Broken> {
        let around = |finding: &Finding| !interchange.sets().any(|(_, any)| any.holds(finding));
        let mut held = interchange.findings.iter().filter(|finding| self.treats(finding) == Treatment::Hold);
        held.find(|finding| set.holds(finding) || around(finding)).map(told)
    }
}

fn told(finding: &Finding) -> Broken {
    let why = format!(
        "{}: the settings say that a document with this fault is not used (leniency, {}). Ask the warehouse to mend and send it again, \
         or accept the fault",
        finding.words,
        name(finding.kind)
    );
    Broken::new(finding.at, BY_AGREEMENT, why)
}

/// What a fault is called in the setting.
fn name(kind: FindingKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn agreed(text: &str) -> Result<BTreeMap<FindingKind, Treatment>, String> {
    let mut agreed = BTreeMap::new();
    for entry in listed(text) {
        let (fault, treatment) = entry.split_once('=').ok_or_else(|| format!("{entry:?} is not FAULT=hold"))?;
        let (fault, treatment) = (fault.trim(), treatment.trim());
        let kind: FindingKind = serde_json::from_value(fault.into())
            .map_err(|_| format!("{fault:?} is no fault that is passed over: docs/x12.md lists them"))?;
        let treatment = match treatment {
            "accept" => Treatment::Accept,
            "hold" => Treatment::Hold,
            "quarantine" => Treatment::Quarantine,
            other => return Err(format!("{other:?} is none of accept, hold, quarantine")),
        };
        if agreed.insert(kind, treatment).is_some() {
            return Err(format!("{fault:?} stands there twice"));
        }
    }
    Ok(agreed)
}
