//! E-mail over SMTP, through the operator's mail server.

use std::{str::FromStr, time::Duration};

use connect::Secret;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use url::Url;

/// Longest wait for the mail server.
const LONGEST: Duration = Duration::from_secs(20);

/// The operator's mail server.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtps://user@host` (TLS from the beginning, port 465) or `smtp://user@host` (STARTTLS, port 587).
    pub server: Url,
    /// The password of that user. From the environment or a file, like the wrapping key; it is not in the database.
    pub password: Option<Secret>,
    /// Who the messages are from.
    pub from: String,
}

impl std::fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailSettings").field("server", &self.server.host_str()).finish_non_exhaustive()
    }
}

/// Sends e-mail.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Whether a text is one address that mail can go to.
pub fn is_address(text: &str) -> bool {
    !text.chars().any(char::is_control) && Mailbox::from_str(text).is_ok()
}

impl Mailer {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(settings: &MailSettings, stand_ins: bool) -> Result<Self, String> {
        let server = &settings.server;
        let host = server.host_str().ok_or("the mail server's address names no host: give smtps://user@host")?;
        let from = Mailbox::from_str(&settings.from)
            .map_err(|error| format!("{:?} cannot be who messages are from: {error}", settings.from))?;
        let tls = || TlsParameters::new(host.to_owned()).map_err(|error| format!("TLS cannot be set up: {error}"));
        let plain = server.query() == Some("tls=none");
        let (tls, port) = match server.scheme() {
            "smtps" => (Tls::Wrapper(tls()?), 465),
            "smtp" if plain && stand_ins => (Tls::None, 25),
            "smtp" if plain => return Err("mail without TLS is for stand-ins only (--allow-stand-ins)".to_owned()),
            "smtp" => (Tls::Required(tls()?), 587),
            other => {
                return Err(format!("the mail server's address must begin with smtps:// or smtp://, not {other}://"));
            }
        };
        if server.password().is_some() {
            return Err(
                "give the mail server's password in MILLRACE_SMTP_PASSWORD or a file, not in its address".to_owned()
            );
        }
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(server.port().unwrap_or(port))
            .tls(tls)
            .timeout(Some(LONGEST));
        if let Some(password) = &settings.password {
            let user = percent_encoding::percent_decode_str(server.username()).decode_utf8_lossy().into_owned();
            builder = builder.credentials(Credentials::new(user, password.expose().to_owned()));
        }
        Ok(Self { transport: builder.build(), from })
    }

    /// Sends one message to all receivers; what the server answered.
    ///
    /// # Errors
    /// When the server did not take it, or a receiver is no address.
    pub async fn send(&self, to: &[&str], id: &str, subject: &str, text: &str) -> Result<String, String> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            // The same with each try, so that a mail server or client knows a repeat.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN);
        for one in to {
            message = message.to(Mailbox::from_str(one).map_err(|error| format!("{one:?} is no address: {error}"))?);
        }
        let message =
            message.body(text.to_owned()).map_err(|error| format!("it cannot be written as mail: {error}"))?;
        match self.transport.send(message).await {
            Ok(response) => Ok(response.message().collect::<Vec<_>>().join(" ")),
            Err(error) => Err(chain(&error)),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use connect::Secret;

    use super::{MailSettings, Mailer, is_address};

    #[tokio::test]
    async fn settings_are_checked_before_anything_is_sent() {
        let with = |server: &str, from: &str| {
            let settings = MailSettings {
                server: server.parse().unwrap(),
                password: Some(Secret::new("CANARY")),
                from: from.to_owned(),
            };
            assert!(!format!("{settings:?}").contains("CANARY"));
            Mailer::new(&settings, false).map(|_| ())
        };
        let from = "Millrace <millrace@example.test>";
        assert_eq!(with("smtps://hub@mail.example.test", from), Ok(()));
        assert_eq!(with("smtp://hub@mail.example.test:2525", from), Ok(()));
        for (server, from) in [
            ("smtps://hub@mail.example.test", "nobody"),
            ("smtp://mail.example.test?tls=none", from),
            ("https://mail.example.test", from),
            ("smtps://hub:word@mail.example.test", from),
        ] {
            let refused = with(server, from).unwrap_err();
            assert!(!refused.contains("CANARY") && !refused.contains("hub:word"), "{refused}");
        }
        assert!(is_address("ops@example.test") && is_address("Ops <ops@example.test>"));
        assert!(!is_address("ops") && !is_address("ops@example.test\r\nBcc: x@example.test") && !is_address(""));
    }
}
