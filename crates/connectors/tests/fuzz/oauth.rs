//! The exchange of an OAuth code, with damaged answers: what is no pair of tokens is never taken for one.

use connect::{Secret, Waits};
use connectors::brightpearl::build_source;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    PASSWORD, campaign,
    replay::{Dial, Replay, context},
    runtime, said,
    session::{Answer, Session, damage},
};
use crate::hub::settings;

/// There is one thing to ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Exchange;

/// What an answer must hold, whatever stands beside it: a value that nobody reads may be beyond every number.
#[derive(Debug, Deserialize)]
struct Documented {
    access_token: String,
    refresh_token: String,
    /// Seconds: a number, or one that is written as a text, which is read as well.
    expires_in: Value,
}

impl Documented {
    fn seconds(&self) -> Option<f64> {
        match &self.expires_in {
            Value::String(text) => text.trim().parse().ok(),
            number => number.as_f64(),
        }
    }
}

/// As recorded: the tokens, and what a wrong app, a used code and a wrong address are told.
fn sessions() -> Vec<Session<Exchange>> {
    let answers = [
        (
            200,
            r#"{"access_token":"EXAMPLE-ACCESS-TOKEN-1","refresh_token":"EXAMPLE-REFRESH-TOKEN-1",
                "installation_instance_id":"13","api_domain":"ws-use.brightpearl.com","token_type":"Bearer","expires_in":604800}"#,
        ),
        (400, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error_description":"The auth token has either expired or does not exist","error":"invalid_grant"}"#),
    ];
    answers
        .map(|(status, body)| Session {
            op: Exchange,
            at: "2026-03-29T00:59:59Z".parse().unwrap(),
            answers: vec![Answer {
                method: "POST".to_owned(),
                path: "/token/exampleus".to_owned(),
                status,
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: body.as_bytes().to_vec(),
            }],
        })
        .into()
}

async fn drive(session: &Session<Exchange>) -> Result<(), String> {
    let (replay, dial) = (Replay::new(&session.answers), Dial::at(session.at));
    let values = [
        ("datacenter_code", "use"),
        ("account_id", "exampleus"),
        ("sign_in", "oauth"),
        ("app_ref", "example-app"),
        ("dev_ref", "example-developer"),
    ];
    let settings = settings(&values, &[("client_secret", PASSWORD)]);
    let connector = build_source(&settings, &context(replay.clone(), dial.clone(), Waits::default())).unwrap();
    let code = Secret::new(format!("code-{PASSWORD}"));
    let came = said(connector.exchange(&code, "https://hub.example.test/oauth").await)?;
    dial.bounded()?;
    let served = replay.served();
    let [answer] = served.as_slice() else { return Err(format!("a code was sent {} times", served.len())) };
    let Some(exchanged) = came else { return Ok(()) };
    let said: Documented = match serde_json::from_slice(&answer.body) {
        Ok(said) if (200..300).contains(&answer.status) => said,
        _ => {
            return Err(format!(
                "HTTP {} {} was taken for tokens",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ));
        }
    };
    let (access, refresh) = (said.access_token.as_str(), said.refresh_token.as_str());
    if access.is_empty() || refresh.is_empty() || said.seconds().is_none_or(|seconds| seconds < 1.0) {
        return Err(format!("{said:?} was taken for tokens"));
    }
    if exchanged.tokens.access.expose() != access || exchanged.tokens.refresh.expose() != refresh {
        return Err("the tokens are not those of the answer".to_owned());
    }
    // Both go into headers and forms as they are.
    let sendable = |token: &str| token.bytes().all(|byte| byte.is_ascii_graphic());
    match sendable(access) && sendable(refresh) && exchanged.tokens.expires_at > session.at {
        true => Ok(()),
        false => Err("these tokens cannot be used".to_owned()),
    }
}

#[test]
fn brightpearl_oauth_answers() {
    let (sessions, runtime) = (sessions(), runtime());
    let donors: Vec<&[u8]> = sessions.iter().map(|session| session.answers[0].body.as_slice()).collect();
    for session in &sessions {
        runtime.block_on(drive(session)).unwrap_or_else(|problem| panic!("undamaged {:?}: {problem}", session.answers));
    }
    campaign("brightpearl_oauth_answers").run(
        |dice| {
            let session = &sessions[rand::RngExt::random_range(dice, 0..sessions.len())];
            serde_json::to_vec(&damage(session, &donors, dice)).unwrap()
        },
        |input| {
            let session =
                serde_json::from_slice(input).map_err(|error| format!("the input is not a session: {error}"))?;
            runtime.block_on(drive(&session))
        },
    );
}
