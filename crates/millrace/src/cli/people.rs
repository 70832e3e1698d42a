//! People who sign in, typed.

use clap::{Subcommand, ValueEnum};

use super::{
    Session,
    args::Paging,
    orders::more,
    print::{Printer, table, time, yes},
};
use crate::operate::{
    Failure, PagingQuery,
    links::{self, LinkOut},
    people::{self, InviteIn, PersonOut, PersonRole, RightsIn},
};

/// What to do with people.
#[derive(Debug, Subcommand)]
pub enum People {
    /// List those who may sign in.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Make a link by which somebody comes in, once. It is shown once: give it to them.
    Invite {
        /// Their e-mail address: they sign in with it.
        email: String,
        /// Their name.
        #[arg(long)]
        name: String,
        /// What they may do.
        #[command(flatten)]
        rights: Rights,
    },
    /// List invitations, newest first.
    Invitations {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Take an open invitation back.
    Withdraw {
        /// Id (`lnk_…`).
        invitation: String,
    },
    /// Give a person another role or other limits.
    Role {
        /// Id or e-mail address.
        person: String,
        /// What they may do.
        #[command(flatten)]
        rights: Rights,
    },
    /// Let a person sign in no more, and end their sessions.
    Disable {
        /// Id or e-mail address.
        person: String,
    },
    /// Let a person sign in again.
    Enable {
        /// Id or e-mail address.
        person: String,
    },
    /// Make a link by which a person chooses a new password, once. It is shown once: give it to them.
    Reset {
        /// Id or e-mail address.
        person: String,
    },
    /// Take away the second factor of a person who lost it and the recovery codes.
    RemoveSecondFactor {
        /// Id or e-mail address.
        person: String,
    },
    /// Forget who a person is at the identity provider: their verified address links them anew.
    Unlink {
        /// Id or e-mail address.
        person: String,
    },
    /// List a person's open sessions.
    Sessions {
        /// Id or e-mail address.
        person: String,
    },
    /// End all of a person's sessions.
    EndSessions {
        /// Id or e-mail address.
        person: String,
    },
}

/// What a person may do.
#[derive(Debug, Clone, clap::Args)]
pub struct Rights {
    /// The role.
    #[arg(long, value_enum)]
    pub role: RoleOfPerson,
    /// Only this merchant (name or id); may be given several times.
    #[arg(long = "merchant", value_name = "MERCHANT")]
    pub merchants: Vec<String>,
    /// An administrator of the whole installation: keys, freezing and releasing of sending, every tenant.
    #[arg(long)]
    pub installation: bool,
}

/// The roles of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleOfPerson {
    /// Everything in the tenant.
    Administrator,
    /// Decides, of all merchants or of some; does not administer.
    Staff,
    /// From outside: looks at its own merchants.
    Merchant,
}

impl From<RoleOfPerson> for PersonRole {
    fn from(role: RoleOfPerson) -> Self {
        match role {
            RoleOfPerson::Administrator => Self::Administrator,
            RoleOfPerson::Staff => Self::Staff,
            RoleOfPerson::Merchant => Self::Merchant,
        }
    }
}

pub(super) fn query(paging: Paging) -> PagingQuery {
    PagingQuery { limit: Some(paging.limit), cursor: paging.cursor }
}

/// Runs one of the commands on people.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: People, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        People::List { paging } => {
            let page = people::list(hub, caller, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|person| {
                    [
                        person.id.clone(),
                        person.email.clone(),
                        person.name.clone(),
                        role(person),
                        limits(person.merchants.as_deref()),
                        yes(person.second_factor),
                        yes(!person.disabled),
                    ]
                });
                let head = ["ID", "E-MAIL", "NAME", "ROLE", "MERCHANTS", "SECOND FACTOR", "MAY SIGN IN"];
                more(table(head, rows), page.next.as_deref())
            })
        }
        People::Invite { email, name, rights } => {
            let Rights { role, merchants, installation } = rights;
            let given = InviteIn { email, name, role: role.into(), merchants, installation };
            printer.answer(&people::invite(hub, caller, &given).await?, shown_once)
        }
        People::Invitations { paging } => {
            let page = links::invitations(hub, caller, &query(paging)).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|one| {
                    [
                        one.id.clone(),
                        one.email.clone(),
                        one.role.clone(),
                        limits(one.merchants.as_deref()),
                        one.state.clone(),
                        time(Some(one.expires_at)),
                        one.created_by.clone(),
                    ]
                });
                more(table(["ID", "E-MAIL", "ROLE", "MERCHANTS", "STATE", "ENDS", "BY"], rows), page.next.as_deref())
            })
        }
        People::Withdraw { invitation } => {
            links::withdraw(hub, caller, &invitation).await?;
            printer
                .answer(&serde_json::json!({ "withdrawn": invitation }), |_| "It lets nobody in any more.".to_owned())
        }
        People::Role { person, rights } => {
            let Rights { role, merchants, installation } = rights;
            let given = RightsIn { role: role.into(), merchants, installation };
            printer.answer(&people::change(hub, caller, &person, &given).await?, one)
        }
        People::Disable { person } => printer
            .answer(&people::set_disabled(hub, caller, &person, true).await?, |person| {
                format!("{} may not sign in; every session has ended.", person.email)
            }),
        People::Enable { person } => printer
            .answer(&people::set_disabled(hub, caller, &person, false).await?, |person| {
                format!("{} may sign in again, with the password as it was.", person.email)
            }),
        People::Reset { person } => printer.answer(&people::reset(hub, caller, &person).await?, shown_once),
        People::RemoveSecondFactor { person } => printer
            .answer(&people::remove_factor(hub, caller, &person).await?, |person| {
                format!("{} signs in with the password alone.", person.email)
            }),
        People::Unlink { person } => printer.answer(&people::unlink(hub, caller, &person).await?, |person| {
            format!("{} is not known at the identity provider any more.", person.email)
        }),
        People::Sessions { person } => {
            let list = people::sessions(hub, caller, &person).await?;
            printer.answer(&list, |list| {
                let rows = list.iter().map(|one| {
                    [
                        one.id.clone(),
                        time(Some(one.started_at)),
                        time(Some(one.seen_at)),
                        time(Some(one.ends_at)),
                        one.address.clone(),
                        one.agent.clone(),
                    ]
                });
                table(["ID", "SINCE", "LAST USED", "ENDS", "FROM", "BROWSER"], rows)
            })
        }
        People::EndSessions { person } => printer.answer(&people::end_sessions(hub, caller, &person).await?, |done| {
            format!("{} sessions were ended.", done.ended)
        }),
    }
}

fn role(person: &PersonOut) -> String {
    if person.installation { format!("{} (installation)", person.role) } else { person.role.clone() }
}

fn limits(merchants: Option<&[String]>) -> String {
    merchants.map_or_else(|| "all".to_owned(), |merchants| merchants.join(", "))
}

fn one(person: &PersonOut) -> String {
    format!("{} is {}, merchants: {}.", person.email, role(person), limits(person.merchants.as_deref()))
}

pub(super) fn shown_once(link: &LinkOut) -> String {
    let ends = time(Some(link.expires_at));
    let mut text = format!("{}\n{}\nIt is shown this once, works once, and ends {ends}.", link.id, link.link);
    if let Some(to) = &link.sent_to {
        text.push_str(&format!("\nIt was sent to {to}."));
    }
    if let Some(why) = &link.not_sent {
        text.push_str(&format!("\nIt was not sent: {why}."));
    }
    text
}
