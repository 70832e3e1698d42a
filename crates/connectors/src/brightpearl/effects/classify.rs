//! What an answer to a change means (docs/reliability.md). Total: every answer has exactly one meaning, and
//! whatever is not documented means that nothing is known.

use std::time::Duration;

use connect::{
    EffectKind, HttpResponse,
    planted::{Planted, planted},
};
use serde_json::Value;

use crate::brightpearl::{
    envelope::{self, Refusal},
    lenient::whole,
};

/// What is known about the call besides its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sort {
    pub(super) kind: EffectKind,
    /// Lines in a stock correction; 1 otherwise.
    pub(super) lines: usize,
    /// Whether the call went the legacy way, where answers have no `Message-Type`.
    pub(super) legacy: bool,
    /// Whether the throttle answer is taken for "no effect".
    pub(super) throttled_is_not_sent: bool,
}

/// The meaning of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Done; the ids that the answer names.
    Accepted(Vec<i64>),
    /// Certainly not done.
    Refused(Refusal),
    /// Certainly not done, and too many calls.
    Throttled(Option<Duration>),
    /// Certainly not done: the gateway refused the token.
    TokenRefused,
    /// Not known.
    Unknown(String),
}

/// Sorts an answer.
pub(super) fn classify(sort: Sort, answer: &HttpResponse) -> Verdict {
    let status = answer.status;
    if envelope::is_refused_token(answer, sort.legacy) {
        return Verdict::TokenRefused;
    }
    if status == 429 || envelope::is_throttled(status, &answer.body) {
        return match sort.throttled_is_not_sent {
            true => Verdict::Throttled(envelope::throttle_wait(answer)),
            false => Verdict::Unknown(format!("HTTP {status}: too many requests")),
        };
    }
    match (status, envelope::refusal(status, &answer.body)) {
        (200..=299, None) => accepted(sort, answer),
        (400 | 402..=407 | 409..=499, Some(refusal)) => refused(sort, status, refusal),
        (500, Some(refusal)) if envelope::is_refusal_code(&refusal.code) => refused(sort, status, refusal),
        (_, Some(refusal)) if planted(Planted::FailureIsRefusal) => refused(sort, status, refusal),
        (_, Some(refusal)) => Verdict::Unknown(format!("HTTP {status}: {} {}", refusal.code, refusal.message)),
        (_, None) => Verdict::Unknown(format!("HTTP {status} without Brightpearl's own words")),
    }
}

/// A 2xx counts only with the documented body.
fn accepted(sort: Sort, answer: &HttpResponse) -> Verdict {
    let strange = || Verdict::Unknown(format!("HTTP {} with a body that is not documented", answer.status));
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(&answer.body) else { return strange() };
    // "{}" or an id.
    let response = match (body.get("response"), body.len()) {
        (None, 0) => None,
        (Some(response), _) => Some(response),
        (None, _) => return strange(),
    };
    // Brightpearl documents one id here and an array there for the same kind of message: both are read.
    let ids = match response {
        None => Some(Vec::new()),
        Some(Value::Array(ids)) => ids.iter().map(whole).collect(),
        Some(id) => whole(id).map(|id| vec![id]),
    };
    match (sort.kind, ids) {
        (EffectKind::CreateNote | EffectKind::AddOrderNote, Some(ids)) if ids.len() == 1 => Verdict::Accepted(ids),
        (EffectKind::CreateNote | EffectKind::AddOrderNote, _) => strange(),
        // A line without an id may be a line that was left out: then each line is looked for.
        (EffectKind::CorrectStock, Some(ids)) if ids.len() == sort.lines => Verdict::Accepted(ids),
        (EffectKind::CorrectStock, _) => strange(),
        (_, ids) => Verdict::Accepted(ids.unwrap_or_default()),
    }
}

/// A refusal in Brightpearl's own form. Some may mean that the change is there already, and a refused batch of
/// corrections may have been applied in part: those are looked up.
fn refused(sort: Sort, status: u16, refusal: Refusal) -> Verdict {
    let text = refusal.message.to_ascii_lowercase();
    let is_closed = text.contains("cannot be edited");
    let unclear = match sort.kind {
        EffectKind::UpdateShipping => is_closed || matches!(status, 409 | 412),
        // The answer to a version that is no longer the last one is not documented: by status or by words.
        EffectKind::PostShipped => {
            let is_stale = ["version", "if-match", "changed", "modified"].iter().any(|word| text.contains(word));
            is_closed || is_stale || matches!(status, 409 | 412)
        }
        EffectKind::DeleteNote => is_closed || status == 404,
        EffectKind::CorrectStock => sort.lines > 1,
        _ => false,
    };
    match unclear {
        true => Verdict::Unknown(format!("refused (HTTP {status}): {} {}", refusal.code, refusal.message)),
        false => Verdict::Refused(refusal),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connect::{EffectKind, HttpResponse};
    use proptest::prelude::{any, prop, proptest};

    use super::{Sort, Verdict, classify};

    const THROTTLED: &str =
        r#"{"response":"You have sent too many requests. Please wait before sending another request"}"#;
    const SHORT: &str = r#"{"errors":[{"code":"WHSC-999","message":"insufficient stock"}]}"#;
    const CLOSED: &str = r#"{"errors":[{"code":"WHSC-999","message":"The note cannot be edited"}]}"#;
    const FAILED: &str = r#"{"errors":[{"code":"CMNU-003","message":"Internal Server Error"}]}"#;
    const EXPIRED: &str = r#"{"response":"Authorization token expired"}"#;

    fn sort(kind: EffectKind, lines: usize) -> Sort {
        Sort { kind, lines, legacy: false, throttled_is_not_sent: true }
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        HttpResponse {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.to_owned().into(),
        }
    }

    /// The meaning in one letter: Accepted, Refused, Throttled, tOken, Unknown.
    fn letter(verdict: &Verdict) -> char {
        match verdict {
            Verdict::Accepted(_) => 'A',
            Verdict::Refused(_) => 'R',
            Verdict::Throttled(_) => 'T',
            Verdict::TokenRefused => 'O',
            Verdict::Unknown(_) => 'U',
        }
    }

    #[test]
    fn row_by_row() {
        use EffectKind::{AddOrderNote, CorrectStock, CreateNote, DeleteNote, PostShipped, SetStatus, UpdateShipping};
        let rows: &[(EffectKind, usize, u16, &str, char)] = &[
            (CreateNote, 1, 200, r#"{"response":[12000001]}"#, 'A'),
            (CreateNote, 1, 200, r#"{"response":12000001}"#, 'A'),
            (CreateNote, 1, 200, r#"{"response":[1,2]}"#, 'U'),
            (CreateNote, 1, 200, r#"{"response":[]}"#, 'U'),
            (CreateNote, 1, 200, "{}", 'U'),
            (CreateNote, 1, 200, r#"{"response":"made"}"#, 'U'),
            (CreateNote, 1, 200, "<html>", 'U'),
            (CreateNote, 1, 200, r#"{"response":[1200"#, 'U'),
            (CreateNote, 1, 200, SHORT, 'U'),
            (CreateNote, 1, 400, SHORT, 'R'),
            (CreateNote, 1, 409, SHORT, 'R'),
            (CreateNote, 1, 500, SHORT, 'U'),
            (CreateNote, 1, 500, FAILED, 'U'),
            (CreateNote, 1, 500, r#"{"errors":[{"code":"CMNC-018","message":"unreadable"}]}"#, 'R'),
            (CreateNote, 1, 500, "<html>", 'U'),
            (CreateNote, 1, 502, "<html>", 'U'),
            (CreateNote, 1, 503, THROTTLED, 'T'),
            (CreateNote, 1, 503, r#"{"response":"maintenance"}"#, 'U'),
            (CreateNote, 1, 503, "<html>", 'U'),
            (CreateNote, 1, 429, "", 'T'),
            (CreateNote, 1, 400, "<html>", 'U'),
            (CreateNote, 1, 403, "<html>", 'U'),
            (CreateNote, 1, 408, SHORT, 'U'),
            (CreateNote, 1, 413, "", 'U'),
            (CreateNote, 1, 302, "", 'U'),
            (CreateNote, 1, 401, EXPIRED, 'U'),
            (CreateNote, 1, 401, SHORT, 'U'),
            (UpdateShipping, 1, 200, "{}", 'A'),
            (UpdateShipping, 1, 200, "", 'U'),
            (UpdateShipping, 1, 200, "[]", 'U'),
            (UpdateShipping, 1, 200, r#"{"status":"ok"}"#, 'U'),
            (UpdateShipping, 1, 400, CLOSED, 'U'),
            (UpdateShipping, 1, 409, SHORT, 'U'),
            (UpdateShipping, 1, 400, SHORT, 'R'),
            (PostShipped, 1, 200, "{}", 'A'),
            (PostShipped, 1, 412, SHORT, 'U'),
            (PostShipped, 1, 409, CLOSED, 'U'),
            (PostShipped, 1, 400, CLOSED, 'U'),
            (PostShipped, 1, 400, r#"{"errors":[{"code":"X","message":"Goods out note 5 has changed"}]}"#, 'U'),
            (PostShipped, 1, 400, SHORT, 'R'),
            (DeleteNote, 1, 200, r#"{"response":12000001}"#, 'A'),
            (DeleteNote, 1, 200, "{}", 'A'),
            (DeleteNote, 1, 404, r#"{"errors":[{"code":"CMNC-404","message":"none"}]}"#, 'U'),
            (DeleteNote, 1, 400, CLOSED, 'U'),
            (DeleteNote, 1, 400, SHORT, 'R'),
            (SetStatus, 1, 200, "{}", 'A'),
            (SetStatus, 1, 400, SHORT, 'R'),
            (SetStatus, 1, 404, r#"{"errors":[{"code":"CMNC-404","message":"none"}]}"#, 'R'),
            (AddOrderNote, 1, 200, r#"{"response":97}"#, 'A'),
            (AddOrderNote, 1, 200, "{}", 'U'),
            (CorrectStock, 2, 200, r#"{"response":[8797,8796]}"#, 'A'),
            (CorrectStock, 1, 200, r#"{"response":8796}"#, 'A'),
            (CorrectStock, 2, 200, r#"{"response":[8796]}"#, 'U'),
            (CorrectStock, 2, 400, SHORT, 'U'),
            (CorrectStock, 1, 400, SHORT, 'R'),
            (CorrectStock, 2, 503, THROTTLED, 'T'),
        ];
        for (kind, lines, status, body, expected) in rows {
            let verdict = classify(sort(*kind, *lines), &answer(*status, &[], body));
            assert_eq!(letter(&verdict), *expected, "{kind} {status} {body}: {verdict:?}");
        }
    }

    #[test]
    fn a_refused_token_is_known_by_the_gateways_own_form() {
        let gateway = answer(401, &[("message-type", "api-proxy")], EXPIRED);
        let bare = answer(401, &[], EXPIRED);
        let kind = sort(EffectKind::PostShipped, 1);
        assert_eq!(classify(kind, &gateway), Verdict::TokenRefused);
        assert_eq!(letter(&classify(kind, &bare)), 'U');
        assert_eq!(classify(Sort { legacy: true, ..kind }, &bare), Verdict::TokenRefused);
    }

    #[test]
    fn throttling_is_a_switch() {
        let told = answer(503, &[("brightpearl-next-throttle-period", "2500")], THROTTLED);
        let kind = sort(EffectKind::CreateNote, 1);
        assert_eq!(classify(kind, &told), Verdict::Throttled(Some(Duration::from_millis(2500))));
        assert_eq!(letter(&classify(Sort { throttled_is_not_sent: false, ..kind }, &told)), 'U');
    }

    proptest! {
        #[test]
        fn total(
            place in 0_usize..EffectKind::ALL.len(),
            lines in 1_usize..4,
            status in any::<u16>(),
            legacy in any::<bool>(),
            body in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let kind = EffectKind::ALL[place];
            let answer = HttpResponse { status, headers: Vec::new(), body: body.into() };
            let verdict = classify(Sort { kind, lines, legacy, throttled_is_not_sent: true }, &answer);
            // Bytes at random never count as done.
            if !(200..300).contains(&status) {
                assert_ne!(letter(&verdict), 'A');
            }
        }

        #[test]
        fn words_at_random_are_never_a_throttle_or_a_refusal_by_a_server_in_trouble(
            status in 504_u16..600,
            code in "[A-Z]{4}-[0-9]{3}",
        ) {
            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"x"}}]}}"#);
            let verdict = classify(sort(EffectKind::CreateNote, 1), &answer(status, &[], &body));
            assert_eq!(letter(&verdict), 'U');
        }
    }
}
