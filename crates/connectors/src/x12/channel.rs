//! Which channel takes a file, or what of it: stock has a channel of its own.

use super::{
    finding::Finding,
    reader::{Group, Interchange, Set, decode, separators},
};

/// Which channels take something out of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    Shipments,
    Stock,
    /// There is something for each in it.
    Both,
}

/// Whose a file is, by the sets that were read in it. One that cannot be read is told by what its segments begin with, since it
/// is for one channel to set aside.
pub(super) fn concern(content: &[u8], interchanges: &[Interchange]) -> Concern {
    if interchanges.is_empty() {
        let begun = begun(&decode(content));
        let stock = !begun.is_empty() && begun.iter().all(|code| is_stock(code));
        return if stock { Concern::Stock } else { Concern::Shipments };
    }
    match (interchanges.iter().any(Interchange::holds_stock), interchanges.iter().any(Interchange::holds_others)) {
        (true, true) => Concern::Both,
        (true, false) => Concern::Stock,
        (false, _) => Concern::Shipments,
    }
}

fn is_stock(code: &str) -> bool {
    matches!(code, "846" | "947")
}

impl Set {
    /// Whether it is for the stock channel.
    pub(super) fn is_stock(&self) -> bool {
        is_stock(&self.code)
    }
}

impl Group {
    /// Whether it holds anything for the stock channel, which then acknowledges it.
    pub(super) fn holds_stock(&self) -> bool {
        self.sets.iter().any(Set::is_stock)
    }
}

impl Interchange {
    /// Whether it holds anything for the stock channel.
    pub(super) fn holds_stock(&self) -> bool {
        self.groups.iter().any(Group::holds_stock)
    }

    /// Whether it holds anything for the shipments channel: all that is not for the other one, an empty interchange included.
    pub(super) fn holds_others(&self) -> bool {
        !self.acknowledgements.is_empty() || !self.holds_stock() || self.sets().any(|(_, set)| !set.is_stock())
    }

    /// What was passed over, but for what was inside of documents of the other channel: a fault there says nothing of a count.
    pub(super) fn findings_of_stock(&self) -> impl Iterator<Item = &Finding> {
        let elsewhere = |finding: &Finding| self.sets().any(|(_, set)| !set.is_stock() && set.holds(finding));
        self.findings.iter().filter(move |finding| !elsewhere(finding))
    }
}

/// The codes of the sets that begin in a text that cannot be read: `ST`, a separator and three digits, where a segment can begin.
fn begun(text: &str) -> Vec<String> {
    let known = separators(text);
    let mut codes = Vec::new();
    for (place, _) in text.char_indices() {
        let (before, here) = text.split_at(place);
        if !here.get(..2).is_some_and(|id| id.eq_ignore_ascii_case("ST")) {
            continue;
        }
        let mut behind = here.chars().skip(2);
        let Some(mark) = behind.next().filter(|mark| match known {
            Some(separators) => *mark == separators.element,
            None => is_mark(*mark),
        }) else {
            continue;
        };
        let code: String = behind.by_ref().take(3).collect();
        let whole = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
        let ended = behind.next().is_none_or(|next| !next.is_alphanumeric());
        let line = before.trim_end_matches([' ', '\t']);
        let begins = match line.chars().next_back() {
            None | Some('\r' | '\n') => true,
            Some(last) => match known {
                Some(separators) => last == separators.terminator,
                // Where the head is gone, whatever parts elements cannot end segments as well.
                None => is_mark(last) && last != mark && line.len() == before.len(),
            },
        };
        if whole && ended && begins {
            codes.push(code);
        }
    }
    codes
}

/// Whether a character may part something where it is not known which one does.
fn is_mark(character: char) -> bool {
    !character.is_alphanumeric() && !matches!(character, ' ' | '.' | '-' | '/' | '(' | ')' | ',' | '#')
}

#[cfg(test)]
mod tests {
    use super::{Concern, concern};
    use crate::x12::read;

    const HEAD: &str =
        "ISA*00*          *00*          *ZZ*THREEPL        *ZZ*BPMERCHANT     *261123*0630*U*00401*000000001*0*P*>~";

    /// As the connector asks it: by what was read, if anything was.
    fn whose(text: &str) -> Concern {
        concern(text.as_bytes(), &read(text.as_bytes()).unwrap_or_default())
    }

    fn stock(text: &str) -> bool {
        whose(text) == Concern::Stock
    }

    fn count(line: &str) -> String {
        format!(
            "{HEAD}GS*IB*THREEPL*BPMERCHANT*20261123*0630*1*X*004010~ST*846*0001~BIA*00*DD*INV1*20261123~{line}~SE*4*0001~\
             GE*1*1~IEA*1*000000001~"
        )
    }

    #[test]
    fn what_products_and_streets_are_called_is_no_document() {
        for line in [
            "LIN*1*VN*POST-100",
            "LIN*1*VN*ST-450",
            "PID*F****STAND ST-450",
            "N3*12 HIGH ST*100 DOCK ROAD",
            "N3*ST*100 DOCK ROAD",
            "LIN*1*VN*SKU-A",
        ] {
            let whole = count(line);
            assert!(read(whole.as_bytes()).is_ok() && stock(&whole), "{line}");
            assert!(stock(&whole.to_lowercase()), "{line}, in lower case");
            // And where it was cut off, so that it cannot be read, or its head is damaged.
            let cut = whole.replace("IEA*1*000000001~", "");
            assert!(read(cut.as_bytes()).is_err() && stock(&cut) && stock(&cut.to_lowercase()), "{line}, cut off");
            let headless = whole.replace(HEAD, "ISA*00~");
            assert!(read(headless.as_bytes()).is_err() && stock(&headless), "{line}, without a head");
            assert!(stock(&cut.replace('~', "~\r\n")) && stock(&cut.replace('~', "\n")), "{line}, by lines");
        }
    }

    #[test]
    fn other_documents_and_mixed_ones_are_not_about_stock_alone() {
        let advice = count("N9*ZZ*X").replace("*846*", "*945*");
        let mixed = count("N9*ZZ*X").replace("GE*1", "ST*945*0002~SE*2*0002~GE*2");
        let acknowledging = count("N9*ZZ*X").replace("GS*IB", "TA1*000000001*261123*0630*A*000~GS*IB");
        assert_eq!(
            [&advice, &mixed, &acknowledging].map(|text| whose(text)),
            [Concern::Shipments, Concern::Both, Concern::Both]
        );
        for text in [&advice, &mixed] {
            assert!(!stock(text), "{text}");
            assert!(!stock(&text.replace("IEA*1*000000001~", "")), "{text}, cut off");
            assert!(!stock(&text.replace(HEAD, "")), "{text}, without a head");
        }
        assert!(!stock("Please see ST*846 of last week.\n") && !stock("") && !stock(HEAD));
    }
}
