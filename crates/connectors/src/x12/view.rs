//! A file as people read it: segment by segment, with what each element and code means.

use connect::ConnectorError;
pub use connect::{ShownElement, ShownSegment};

use super::{
    codes::meaning,
    dictionary::{segment_kind, set_name},
    finding::{Broken, Finding},
    reader::{Interchange, read},
    segment::Segment,
};

/// A file segment by segment. The ends of groups and interchanges say nothing of their own and are left out, but for what is
/// wrong with them.
///
/// # Errors
/// When it cannot be told apart; a file that the hub sets aside for that reason cannot be shown either.
pub fn show(content: &[u8]) -> Result<Vec<ShownSegment>, Broken> {
    match read(content) {
        Err(_) if content.starts_with(b"ST") => Ok(alone(content)),
        read => Ok(read?.iter().flat_map(shown).collect()),
    }
}

/// The same, for whoever knows nothing of this format.
pub(super) fn document(content: &[u8]) -> Result<Vec<ShownSegment>, ConnectorError> {
    show(content).map_err(|broken| ConnectorError::unexpected(broken.to_string()))
}

/// One document without the interchange around it, as it is kept where the others of its file were used.
fn alone(content: &[u8]) -> Vec<ShownSegment> {
    let text = String::from_utf8_lossy(content);
    let between = text.chars().nth(2).unwrap_or('*');
    let segments = text.split('~').map(str::trim).filter(|segment| !segment.is_empty());
    let shown = segments.enumerate().map(|(place, segment)| {
        let (id, elements) = segment.split_once(between).unwrap_or((segment, ""));
        let segment = Segment::new(id, elements.split(between));
        one(&Segment { at: place + 1, ..segment }, Vec::new())
    });
    shown.collect()
}

fn shown(interchange: &Interchange) -> Vec<ShownSegment> {
    let mut segments: Vec<&Segment> = vec![&interchange.head];
    segments.extend(&interchange.acknowledgements);
    for group in &interchange.groups {
        segments.push(&group.head);
        segments.extend(group.sets.iter().flat_map(|set| &set.segments));
    }
    let mut left: Vec<&Finding> = interchange.findings.iter().collect();
    let mut out: Vec<ShownSegment> = segments
        .into_iter()
        .map(|segment| {
            let (here, others): (Vec<&Finding>, Vec<&Finding>) =
                std::mem::take(&mut left).into_iter().partition(|finding| finding.at == segment.at);
            left = others;
            one(segment, here.into_iter().map(|finding| finding.words.clone()).collect())
        })
        .collect();
    for finding in left {
        let end = Segment::new("", []);
        out.push(ShownSegment { at: finding.at, ..one(&end, vec![finding.words.clone()]) });
    }
    out.sort_by_key(|segment| segment.at);
    out
}

fn one(segment: &Segment, findings: Vec<String>) -> ShownSegment {
    let kind = segment_kind(&segment.id);
    let elements = segment.elements.iter().enumerate().filter(|(_, value)| !value.is_empty()).map(|(place, value)| {
        let number = place + 1;
        let name = kind.and_then(|kind| kind.elements.iter().find(|element| element.number == number));
        ShownElement {
            number,
            name: name.map(|element| element.name),
            value: value.clone(),
            meaning: meaning(&segment.id, number, value),
        }
    });
    ShownSegment {
        at: segment.at,
        id: segment.id.clone(),
        name: match segment.id.as_str() {
            "ST" => set_name(segment.get(1)),
            _ => kind.map(|kind| kind.name),
        },
        elements: elements.collect(),
        findings,
    }
}

#[cfg(test)]
mod tests {
    use super::show;

    const ADVICE: &str = "ISA*00*          *00*          *ZZ*THREEPL        *ZZ*BPMERCHANT     *261123*0630*U*00401*000000001*0*T*>~\
        GS*SW*THREEPL*BPMERCHANT*20261123*0630*1*X*004010~ST*945*0001~W06*F*A*20261123*S1~ZZZ*odd~\
        W12*CP*5*2**EA**VN*SKU~SE*9*0001~GE*1*1~IEA*2*000000001~";

    #[test]
    fn a_document_that_was_held_alone_is_shown() {
        let shown = show(b"ST*945*0001~\nW06*F*A*20261123*S1~\n").unwrap();
        let ids: Vec<(usize, &str)> = shown.iter().map(|segment| (segment.at, segment.id.as_str())).collect();
        assert_eq!(ids, [(1, "ST"), (2, "W06")]);
        assert!(shown[0].name.is_some() && shown[1].elements[3].value == "S1", "{shown:?}");
    }

    #[test]
    fn segments_are_shown_with_their_meanings_and_faults() {
        let shown = show(ADVICE.as_bytes()).unwrap();
        let ids: Vec<&str> = shown.iter().map(|segment| segment.id.as_str()).collect();
        assert_eq!(ids, ["ISA", "GS", "ST", "W06", "ZZZ", "W12", "SE", ""]);
        assert_eq!(shown[2].name, Some("Warehouse shipping advice"));
        let status = &shown[5].elements[0];
        assert_eq!((status.name, status.meaning), (Some("Status"), Some("part shipped, the rest is cancelled")));
        assert_eq!(shown[5].elements.last().unwrap().number, 8);
        assert!(shown[4].name.is_none() && shown[4].findings[0].contains("no segment ZZZ"));
        assert!(shown[6].findings[0].contains("counts 9"));
        assert!(shown[7].findings[0].contains("counts 2 groups"));
        assert!(show(&ADVICE.as_bytes()[..150]).is_err());
    }
}
