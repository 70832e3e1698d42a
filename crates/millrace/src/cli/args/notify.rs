//! What may be typed after `webhooks` and `alerts`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::Paging;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DeliveryStateName {
    /// It goes (again) when its time has come.
    Waiting,
    /// It was taken.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryStateName {
    /// As the operation takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// What to do with outgoing webhooks.
#[derive(Debug, Subcommand)]
pub enum Webhooks {
    /// List them.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Show one.
    Show {
        /// Name or id.
        webhook: String,
    },
    /// Make one; its secret is shown once.
    Create {
        /// Its name.
        #[arg(long)]
        name: String,
        /// What to call (https).
        #[arg(long)]
        url: String,
        /// Kinds of events: order, shipment, run, exception, effect, finding, safety, connection, channel, census, alert.
        #[arg(long, value_delimiter = ',')]
        events: Vec<String>,
        /// Only of this merchant's things.
        #[arg(long)]
        merchant: Option<String>,
    },
    /// Change one; what is not given stays.
    Update {
        /// Name or id.
        webhook: String,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// What to call.
        #[arg(long)]
        url: Option<String>,
        /// Kinds of events.
        #[arg(long, value_delimiter = ',')]
        events: Option<Vec<String>>,
        /// Switch it on or off.
        #[arg(long)]
        enabled: Option<bool>,
    },
    /// Delete one, with the log of its deliveries.
    Delete {
        /// Name or id.
        webhook: String,
    },
    /// Give one a new secret, shown once. Messages are signed with the old one too for a while.
    Rotate {
        /// Name or id.
        webhook: String,
        /// For so many hours.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
        hours: u32,
    },
    /// Have a test sent; a running server sends it.
    Test {
        /// Name or id.
        webhook: String,
    },
    /// What was told, newest first.
    Deliveries {
        /// Name or id.
        webhook: String,
        /// Only these.
        #[arg(long, value_enum)]
        state: Option<DeliveryStateName>,
        /// How much of it.
        #[command(flatten)]
        paging: Paging,
    },
    /// One delivery: what is sent, and every try.
    Delivery {
        /// Delivery (dlv_…).
        delivery: String,
    },
    /// Have one delivery go again, or everything of a time.
    Replay(Replay),
}

/// Options of `webhooks replay`.
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// A delivery (dlv_…); or a webhook (name or id), with --from.
    pub what: String,
    /// Tell the webhook again of everything since this moment, e.g. 2026-03-01T00:00:00Z.
    #[arg(long)]
    pub from: Option<Timestamp>,
    /// Until this one.
    #[arg(long, requires = "from")]
    pub until: Option<Timestamp>,
}

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// What needs a person, newest first.
    Issues {
        /// Closed ones as well.
        #[arg(long)]
        all: bool,
        /// Only of this kind.
        #[arg(long)]
        kind: Option<String>,
        /// Only of this connection.
        #[arg(long)]
        connection: Option<String>,
        /// How much of it.
        #[command(flatten)]
        paging: Paging,
    },
    /// One issue.
    Show {
        /// Issue (iss_…).
        issue: String,
    },
    /// Take an issue on: no reminders any more.
    Acknowledge {
        /// Issue (iss_…).
        issue: String,
        /// Give it back.
        #[arg(long)]
        undo: bool,
    },
    /// Say nothing of an issue for a while.
    Snooze {
        /// Issue (iss_…).
        issue: String,
        /// For so many hours; 0 ends it.
        #[arg(long, value_parser = clap::value_parser!(u32).range(0..=720))]
        hours: u32,
    },
    /// Where people are told.
    #[command(subcommand)]
    Channels(AlertChannels),
    /// Who is told what.
    #[command(subcommand)]
    Policies(AlertPolicies),
}

/// What to do with alert channels.
#[derive(Debug, Subcommand)]
pub enum AlertChannels {
    /// List them.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Make one for e-mail, sent through the server's mail server.
    CreateEmail {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Receivers, with commas between.
        #[arg(long, value_delimiter = ',', required = true)]
        to: Vec<String>,
        /// Only this merchant's issues.
        #[arg(long)]
        merchant: Option<String>,
    },
    /// Make one for a chat (Slack, Teams, Mattermost and what takes the same body).
    CreateChat {
        /// Its name.
        #[arg(long)]
        name: String,
        /// File that holds the address the chat gave; - reads standard input. It is kept sealed.
        #[arg(long, value_name = "FILE")]
        url_file: PathBuf,
        /// Only this merchant's issues.
        #[arg(long)]
        merchant: Option<String>,
    },
    /// Change one; what is not given stays.
    Update {
        /// Name or id.
        channel: String,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// Receivers, with commas between, for e-mail.
        #[arg(long, value_delimiter = ',')]
        to: Option<Vec<String>>,
        /// File that holds a new address, for a chat; - reads standard input.
        #[arg(long, value_name = "FILE")]
        url_file: Option<PathBuf>,
        /// Switch it on or off.
        #[arg(long)]
        enabled: Option<bool>,
    },
    /// Delete one.
    Delete {
        /// Name or id.
        channel: String,
    },
    /// Have a test sent there; a running server sends it.
    Test {
        /// Name or id.
        channel: String,
    },
    /// What was told there, newest first.
    Deliveries {
        /// Name or id.
        channel: String,
        /// Only these.
        #[arg(long, value_enum)]
        state: Option<DeliveryStateName>,
        /// How much of it.
        #[command(flatten)]
        paging: Paging,
    },
}

/// What a policy says; what is not given stays, or is as in the default one.
#[derive(Debug, Clone, Args)]
pub struct PolicyOptions {
    /// Only these kinds of issues.
    #[arg(long, value_delimiter = ',')]
    pub kinds: Option<Vec<String>>,
    /// Only of these connections.
    #[arg(long, value_delimiter = ',')]
    pub connections: Option<Vec<String>>,
    /// Only there: names or ids of alert channels and webhooks.
    #[arg(long, value_delimiter = ',')]
    pub channels: Option<Vec<String>>,
    /// Hours between reminders; 0: none.
    #[arg(long)]
    pub remind_hours: Option<u32>,
    /// When nothing is said: from, until, zone, e.g. 22:00,07:00,Europe/London; "none" ends it.
    #[arg(long, value_name = "FROM,UNTIL,ZONE")]
    pub quiet: Option<String>,
    /// Switch it on or off.
    #[arg(long)]
    pub enabled: Option<bool>,
}

/// What to do with alert policies.
#[derive(Debug, Subcommand)]
pub enum AlertPolicies {
    /// List them.
    List {
        /// How much.
        #[command(flatten)]
        paging: Paging,
    },
    /// Make one.
    Create {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Only this merchant's issues.
        #[arg(long)]
        merchant: Option<String>,
        /// What it says.
        #[command(flatten)]
        options: PolicyOptions,
    },
    /// Change one.
    Update {
        /// Name or id; "default" is the one that every tenant has.
        policy: String,
        /// A new name.
        #[arg(long)]
        name: Option<String>,
        /// What it says.
        #[command(flatten)]
        options: PolicyOptions,
    },
    /// Delete one; the default one becomes what it was at first.
    Delete {
        /// Name or id.
        policy: String,
    },
}
