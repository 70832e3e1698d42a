//! The words of what is told. Pure.

use connect::{MerchantId, WarehouseId};
use engine::alert::{Issue, Word};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::db::Event;

/// Kinds of events that a webhook can ask for.
pub const EVENTS: [&str; 12] = [
    "order",
    "shipment",
    "run",
    "exception",
    "effect",
    "finding",
    "safety",
    "connection",
    "channel",
    "census",
    "alert",
    "desk",
];

/// Whether this is how a webhook asks for events of one warehouse's desk: `desk/whs_…`.
pub fn is_of_one_desk(wanted: &str) -> bool {
    wanted.strip_prefix("desk/").is_some_and(|warehouse| warehouse.parse::<WarehouseId>().is_ok())
}

/// Whether a webhook that asks for these kinds is told of this event.
pub fn is_wanted(wanted: &[String], event: &Event) -> bool {
    let one = || format!("{}/{}", event.what, event.subject);
    wanted.contains(&event.what) || (event.what == "desk" && wanted.contains(&one()))
}

/// Issues that a message names; of the others it says how many they are.
const NAMED: usize = 20;
/// Characters of an issue's text.
const LONGEST: usize = 200;

/// A message in the form of the Standard Webhooks scheme.
fn envelope(kind: &str, at: Timestamp, data: &Value) -> String {
    json!({ "type": kind, "timestamp": at, "data": data }).to_string()
}

/// What a webhook is told of an event. Thin on purpose: what it is about is asked of the API, with a key that may see it.
pub fn of_event(event: &Event) -> String {
    let change: String =
        event.change.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let kind = format!("{}.{change}", event.what);
    let data = json!({
        "id": event.id, "what": event.what, "subject": event.subject, "change": event.change,
        "merchant": event.merchant.as_ref().map(MerchantId::as_str),
    });
    envelope(&kind, event.at, &data)
}

/// A test.
pub fn of_test(at: Timestamp) -> String {
    let text = "This is a test from Millrace. It reached you, so the next message will.";
    envelope("test", at, &json!({ "subject": "Millrace: test", "text": text }))
}

/// What people and programs are told of issues, in one message.
pub fn of_issues(at: Timestamp, words: &[(&Issue, Word)]) -> String {
    let mut sorted: Vec<&(&Issue, Word)> = words.iter().collect();
    sorted.sort_by_key(|(issue, word)| (*word, issue.key.kind));
    let named = sorted.get(..NAMED.min(sorted.len())).unwrap_or_default();
    let mut text = String::new();
    let mut heading = None;
    for (issue, word) in named {
        if heading != Some(*word) {
            heading = Some(*word);
            text.push_str(match word {
                Word::Opened => "New\n",
                Word::Reminder => "Still open\n",
                Word::Closed => "Closed by itself\n",
            });
        }
        let times = if issue.count > 1 { format!(" ({} times)", issue.count) } else { String::new() };
        text.push_str(&format!("- {}{times}\n", short(&issue.what)));
        if *word != Word::Closed {
            text.push_str(&format!("  {} [{}]\n", issue.key.kind.remedy(), issue.id));
        }
    }
    if sorted.len() > named.len() {
        text.push_str(&format!("… and {} more; see `millrace alerts issues`.\n", sorted.len() - named.len()));
    }
    let issues: Vec<Value> = named
        .iter()
        .map(|(issue, word)| {
            json!({
                "id": issue.id, "word": word.as_str(), "kind": issue.key.kind.as_str(), "what": short(&issue.what),
                "count": issue.count, "opened_at": issue.opened_at,
            })
        })
        .collect();
    let data = json!({ "subject": subject(&sorted), "text": text, "count": sorted.len(), "issues": issues });
    envelope("alert", at, &data)
}

fn subject(words: &[&(&Issue, Word)]) -> String {
    if let [(issue, word)] = words {
        let first = match word {
            Word::Opened => "",
            Word::Reminder => "still open: ",
            Word::Closed => "closed: ",
        };
        return format!("Millrace: {first}{}", short(&issue.what)).chars().take(120).collect();
    }
    let count = |wanted: Word| words.iter().filter(|(_, word)| *word == wanted).count();
    let parts: Vec<String> =
        [(count(Word::Opened), "new"), (count(Word::Reminder), "still open"), (count(Word::Closed), "closed")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
    format!("Millrace: {}", parts.join(", "))
}

/// One line of an issue. What came from outside loses its line ends, so that it cannot pass for further lines or headers.
fn short(what: &str) -> String {
    let mut line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if what.chars().count() > LONGEST {
        line.push('…');
    }
    line
}

/// Subject and text of a message, for people.
pub fn for_people(body: &str) -> (String, String) {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let part = |name: &str| body["data"][name].as_str().unwrap_or("Millrace").to_owned();
    (part("subject"), part("text"))
}

/// A message as chats take it (Slack, Teams, Mattermost and their like). The three characters that they read as the beginning
/// of a mention, a link or an entity stand for themselves: what an order says calls nobody and leads nowhere.
pub fn for_chat(body: &str) -> String {
    let (subject, text) = for_people(body);
    let said = format!("*{subject}*\n{text}").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": said }).to_string()
}

#[cfg(test)]
mod tests {
    use engine::alert::{AlertKind, CauseKey, Issue, Word};
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::{for_chat, for_people, of_event, of_issues};
    use crate::db::Event;

    fn issue(number: usize, what: &str) -> Issue {
        let at = Timestamp::UNIX_EPOCH;
        Issue {
            id: format!("iss_{number}"),
            key: CauseKey {
                kind: AlertKind::Exception,
                merchant: String::new(),
                connection: String::new(),
                cause: number.to_string(),
            },
            what: what.to_owned(),
            count: 3,
            subjects: Vec::new(),
            opened_at: at,
            last_at: at,
            gone_since: None,
            closed_at: None,
            acknowledged: false,
            snoozed_until: None,
        }
    }

    #[test]
    fn an_event_is_told_thinly() {
        let event = Event {
            id: "evt_01JD0000000000000000000007".parse().unwrap(),
            number: 7,
            at: Timestamp::UNIX_EPOCH,
            what: "census".to_owned(),
            subject: "con_1/recent".to_owned(),
            change: "unaccounted 3".to_owned(),
            merchant: None,
        };
        let told: Value = serde_json::from_str(&of_event(&event)).unwrap();
        assert_eq!(told["type"], "census.unaccounted_3");
        assert_eq!(told["timestamp"], "1970-01-01T00:00:00Z");
        assert_eq!((&told["data"]["id"], &told["data"]["subject"]), (&json!(event.id), &json!("con_1/recent")));
        assert!(told["data"]["number"].is_null(), "it counts what everybody does: {told}");
    }

    /// However much there is to say, it stays below what receivers take (20 kB), and every issue is counted.
    #[test]
    fn messages_stay_small() {
        let issues: Vec<Issue> = (0..1000).map(|number| issue(number, &"ü\"".repeat(2000))).collect();
        let words: Vec<(&Issue, Word)> = issues.iter().map(|issue| (issue, Word::Opened)).collect();
        let body = of_issues(Timestamp::UNIX_EPOCH, &words);
        assert!(body.len() < 20_000, "{} bytes", body.len());
        let (subject, text) = for_people(&body);
        assert_eq!(subject, "Millrace: 1000 new");
        assert!(text.contains("and 980 more"), "{text}");
    }

    #[test]
    fn text_from_outside_stays_in_its_line() {
        let one = issue(1, "bad\r\nBcc: everybody@example.test\nmore");
        let body = of_issues(Timestamp::UNIX_EPOCH, &[(&one, Word::Closed)]);
        let (subject, text) = for_people(&body);
        assert!(!subject.contains(['\r', '\n']), "{subject:?}");
        assert!(subject.starts_with("Millrace: closed: bad"), "{subject}");
        assert_eq!(text.lines().count(), 2, "{text:?}");
        let chat: Value = serde_json::from_str(&for_chat(&body)).unwrap();
        assert!(chat["text"].as_str().unwrap().contains("(3 times)"), "{chat}");
        let loud = of_issues(Timestamp::UNIX_EPOCH, &[(&issue(1, "<!channel> & <https://a.test|b>"), Word::Opened)]);
        let chat: Value = serde_json::from_str(&for_chat(&loud)).unwrap();
        let said = chat["text"].as_str().unwrap();
        assert!(!said.contains(['<', '>']) && said.contains("&lt;!channel&gt; &amp; &lt;https"), "{said}");
    }
}
