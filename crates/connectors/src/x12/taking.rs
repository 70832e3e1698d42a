//! Taking a file of the warehouse apart: which of its documents are used, and which are held for a person.

use connect::{Inbound, RejectedInput, RequestState, ShipmentPage, StockFeed};

use super::{
    acknowledgement::{Acknowledgement, InterchangeAcknowledgement},
    finding::Broken,
    incoming::Said,
    profile::Profile,
    reader::{Interchange, Set, read},
    segment::Segment,
};
use crate::files::outbox::{Complete, sha256};

impl Profile {
    /// Takes a document of the shipments channel apart.
    pub(super) fn take(&self, file: &Complete, page: &mut ShipmentPage) {
        let interchanges = match self.interchanges(&file.content) {
            Ok(interchanges) => interchanges,
            Err(broken) => {
                page.rejected.push(set_aside(file.taken(), &broken));
                return;
            }
        };
        for interchange in &interchanges {
            for segment in &interchange.acknowledgements {
                let said = InterchangeAcknowledgement::read(segment);
                // A duplicate is known to have arrived before, and once.
                if !said.verdict.is_accepted() && !said.is_duplicate() {
                    let meaning = super::meaning("TA1", 5, &said.note).unwrap_or("a note of the partner's own");
                    let why = format!(
                        "the warehouse rejects interchange {}: note {} ({meaning}). Nothing of it was taken in; mend the settings, \
                         and agree with the warehouse before it is sent again",
                        said.control, said.note
                    );
                    page.rejected.push(part(file, interchange, segment.get(1), std::slice::from_ref(segment), why));
                }
            }
            for (_, set) in interchange.sets() {
                self.take_set(file, interchange, set, page);
            }
        }
        page.taken.push(file.taken());
    }

    fn take_set(&self, file: &Complete, interchange: &Interchange, set: &Set, page: &mut ShipmentPage) {
        let mut aside = |why: String| page.rejected.push(part(file, interchange, &set.control, &set.segments, why));
        match set.code.as_str() {
            "945" => match self.shipment(interchange, set) {
                Ok(Said::Shipment(shipment)) => page.shipments.push(shipment),
                Ok(Said::Cancelled(key)) => page.states.push((key, RequestState::Cancelled)),
                Ok(Said::Nothing) => {}
                Err(broken) => aside(broken.to_string()),
            },
            "997" => match Acknowledgement::read(set) {
                Ok(said) if said.verdict.is_accepted() && said.sets.iter().all(|set| set.verdict.is_accepted()) => {}
                Ok(said) => {
                    let mut errors: Vec<String> = said.errors.clone();
                    for set in said.sets.iter().filter(|set| !set.verdict.is_accepted()) {
                        errors.extend(set.errors.iter().map(|error| format!("{} {}: {error}", set.code, set.control)));
                    }
                    aside(format!(
                        "the warehouse rejects group {} {} and will not work on it: {}. The order file carries this number in its \
                         name; mend the order or the settings, and agree with the warehouse before it is sent again",
                        said.group,
                        said.control,
                        if errors.is_empty() { "it gives no reason".to_owned() } else { errors.join("; ") }
                    ));
                }
                Err(broken) => aside(broken.to_string()),
            },
            // Shown by the viewer; nothing is done with them.
            "943" | "944" | "856" | "990" => {}
            "846" | "947" => aside(
                "stock stands in one file with other documents: ask the warehouse for files of their own".to_owned(),
            ),
            other => aside(format!("documents of kind {other} are not taken here")),
        }
    }

    /// The interchanges of a file, each of them meant for us.
    fn interchanges(&self, content: &[u8]) -> Result<Vec<Interchange>, Broken> {
        let interchanges = read(content)?;
        for interchange in &interchanges {
            self.judge(interchange)?;
            if !interchange.findings.is_empty() {
                // Kinds and places only: the words hold what customers typed.
                let kinds: Vec<String> = interchange
                    .findings
                    .iter()
                    .map(|finding| format!("{:?} at {}", finding.kind, finding.at))
                    .collect();
                tracing::info!(
                    interchange.control = interchange.control(),
                    "passed over in a document of the warehouse: {}",
                    kinds.join(", ")
                );
            }
        }
        Ok(interchanges)
    }

    pub(super) fn stock_of(&self, file: &Complete) -> Result<Vec<StockFeed>, Broken> {
        let mut feeds = Vec::new();
        for interchange in &self.interchanges(&file.content)? {
            // A 947 only explains: the next report has its change in it, which would count twice.
            for (_, set) in interchange.sets().filter(|(_, set)| set.code == "846") {
                let hash = sha256(raw(interchange, &set.segments).as_bytes());
                let reference = format!("{} {}", file.name, set.control);
                feeds.push(self.feed(interchange, set, &reference, &hash)?);
            }
        }
        Ok(feeds)
    }
}

pub(super) fn set_aside(input: Inbound, broken: &Broken) -> RejectedInput {
    RejectedInput { reason: format!("{}: {broken}. Nothing of the file was used", input.name), input }
}

/// One document of a file that is held for a person, while the others of the file are used.
fn part(file: &Complete, interchange: &Interchange, control: &str, segments: &[Segment], why: String) -> RejectedInput {
    let content = raw(interchange, segments).into_bytes();
    let name = format!("{}#{}-{control}", file.name, interchange.control());
    let input = Inbound { name, content_hash: sha256(&content), content };
    RejectedInput { reason: format!("{}: {why}", input.name), input }
}

/// Segments as text, for people and to tell documents apart.
fn raw(interchange: &Interchange, segments: &[Segment]) -> String {
    let element = interchange.separators.element.to_string();
    let mut text = String::new();
    for segment in segments {
        let elements: Vec<&str> =
            std::iter::once(segment.id.as_str()).chain(segment.elements.iter().map(String::as_str)).collect();
        text.push_str(&elements.join(&element));
        text.push_str("~\n");
    }
    text
}
