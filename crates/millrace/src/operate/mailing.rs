//! An invitation goes to whom it is for by e-mail, where the operator has set a mail server up.

use jiff::Timestamp;

use super::{Caller, Failure, Hub, links::LinkOut};
use crate::notify::mail::Mailer;

/// Sends an invitation. Whoever made it is given the link all the same, so a mail server that is down keeps nobody out. Nothing is
/// sent where others could not open the link, because the installation has no public address.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn send(hub: &Hub, caller: &Caller, link: LinkOut, to: &str, name: &str) -> Result<LinkOut, Failure> {
    let (Some(settings), Some(_)) = (&hub.config.mail, &hub.config.public_url) else { return Ok(link) };
    let tenants = hub.db.tenants().await?;
    let tenant = tenants.into_iter().find(|tenant| tenant.id == caller.tenant).map_or_else(String::new, |one| one.name);
    let sent = match Mailer::new(settings, hub.config.allow_stand_ins) {
        Ok(mailer) => {
            mailer
                .send(&[to], &link.id, "Your invitation to Millrace", &text(name, &tenant, &link.link, link.expires_at))
                .await
        }
        Err(why) => Err(why),
    };
    if let Err(why) = sent {
        tracing::warn!(link.id, "an invitation could not be sent: {why}");
        let not_sent = "the mail server did not take it (the log says more): give the link to the person".to_owned();
        return Ok(LinkOut { not_sent: Some(not_sent), ..link });
    }
    let detail = serde_json::json!({ "to": to });
    hub.db.audit(&caller.access(), &caller.actor, "invitation.send", &link.id, &detail).await?;
    Ok(LinkOut { sent_to: Some(to.to_owned()), ..link })
}

fn text(name: &str, tenant: &str, link: &str, ends: Timestamp) -> String {
    let ends = ends.strftime("%-d %B %Y, %H:%M UTC");
    format!(
        "Hello {name},

you are invited to Millrace ({tenant}). Open this link to choose your password:

{link}

It works once, until {ends}. If you do not expect it, leave it: nothing happens.
"
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::text;

    #[test]
    fn it_says_what_to_do_and_until_when() {
        let ends = Timestamp::from_second(1_800_000_000).unwrap();
        let text = text("Ada", "North", "https://hub.example.com/invitation#mrl_1", ends);
        assert!(
            text.contains(
                "
https://hub.example.com/invitation#mrl_1
"
            ),
            "the link stands alone: {text}"
        );
        assert!(text.lines().all(|line| !line.starts_with(' ')), "{text}");
        assert!(text.contains("until 15 January 2027, 08:00 UTC") && text.contains("(North)"), "{text}");
    }
}
