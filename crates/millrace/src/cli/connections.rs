//! Connections, typed.

use super::{
    Session,
    args::{ChannelName, Connections, Existing, TableName, Thing},
    orders::more,
    print::{self, Printer, table, yes},
};
use crate::operate::{
    Failure,
    connections::{self, ChoiceOut, ChoicesOut, ConnectionDetailOut, ConnectionsQuery},
    endpoints::Side,
    file::{ChannelIn, MappingsIn, NameOrId},
    mappings,
    mappings_csv::{self, ImportQuery, ImportedOut, MappingTable},
    removal::{self, RemovedOut, RenameIn},
    switches,
    webhooks::{self, WebhooksOut},
};

/// Runs one of the commands.
///
/// # Errors
/// As the operation.
pub(super) async fn run(session: &Session, command: Connections, printer: Printer) -> Result<(), Failure> {
    let (hub, caller) = (&session.hub, &session.caller);
    match command {
        Connections::List { archived, paging } => {
            let query = ConnectionsQuery { archived, limit: Some(paging.limit), cursor: paging.cursor };
            let page = connections::list(hub, caller, &query).await?;
            printer.answer(&page, |page| {
                let rows = page.items.iter().map(|one| {
                    let on: Vec<&str> = one
                        .channels
                        .iter()
                        .filter(|channel| channel.enabled)
                        .map(|channel| channel.channel.as_str())
                        .collect();
                    [
                        one.name.clone(),
                        one.store_name.clone(),
                        one.warehouse_name.clone(),
                        one.state.clone(),
                        on.join(", "),
                    ]
                });
                let head = ["NAME", "STORE", "WAREHOUSE", "STATE", "CHANNELS ON"];
                more(table(head, rows), page.next.as_deref())
            })
        }
        Connections::Show(one) => printer.answer(&connections::show(hub, caller, &one.connection).await?, detail),
        Connections::Enable(one) => printer.answer(&switches::enable(hub, caller, &one.connection).await?, detail),
        Connections::Disable(one) => printer.answer(&switches::disable(hub, caller, &one.connection).await?, detail),
        Connections::Resume(one) => printer.answer(&switches::resume(hub, caller, &one.connection).await?, detail),
        Connections::Rename { what, named, name } => {
            let given = RenameIn { name };
            match what {
                Thing::Merchant => {
                    let one = removal::rename_merchant(hub, caller, &named, &given).await?;
                    printer.answer(&one, |one| format!("It is called {} now.", print::clean(&one.name)))
                }
                Thing::Store | Thing::Warehouse => {
                    let side = if what == Thing::Store { Side::Store } else { Side::Warehouse };
                    let one = removal::rename_endpoint(hub, caller, side, &named, &given).await?;
                    printer.answer(&one, |one| format!("It is called {} now.", print::clean(&one.name)))
                }
                Thing::Connection => {
                    printer.answer(&removal::rename_connection(hub, caller, &named, &given).await?, detail)
                }
            }
        }
        Connections::Delete { what, named } => {
            let gone = || RemovedOut { outcome: "deleted".to_owned(), name: None };
            let removed = match what {
                Thing::Merchant => removal::remove_merchant(hub, caller, &named).await.map(|()| gone())?,
                Thing::Store => removal::remove_endpoint(hub, caller, Side::Store, &named).await.map(|()| gone())?,
                Thing::Warehouse => {
                    removal::remove_endpoint(hub, caller, Side::Warehouse, &named).await.map(|()| gone())?
                }
                Thing::Connection => removal::remove_connection(hub, caller, &named).await?,
            };
            printer.answer(&removed, |removed| match &removed.name {
                Some(name) => format!("Something has happened with it: it is put away as {}.", print::clean(name)),
                None => "It is deleted.".to_owned(),
            })
        }
        Connections::Choices(one) => {
            printer.answer(&connections::choices(hub, caller, &one.connection).await?, choices)
        }
        Connections::Channel { connection, channel, enabled, every } => {
            let channel = name(channel);
            let before = connections::show(hub, caller, &connection).await?;
            let is =
                before.connection.channels.iter().find(|known| known.channel == channel).map(|known| known.enabled);
            let given = ChannelIn { enabled: enabled.or(is).unwrap_or(false), every_seconds: every, schedule: None };
            printer.answer(&switches::set_channel(hub, caller, &connection, channel, given).await?, detail)
        }
        Connections::Run { connection, channel } => {
            switches::run_now(hub, caller, &connection, name(channel)).await?;
            printer.answer(&serde_json::json!({ "wanted": true }), |_| {
                "A run is asked for; a running server takes it up within seconds.".to_owned()
            })
        }
        Connections::Mappings(one) => printer.answer(&mappings::show(hub, caller, &one.connection).await?, tables),
        Connections::ImportMappings { connection, table, file, existing, preview } => {
            let csv = std::fs::read_to_string(&file)
                .map_err(|error| Failure::invalid(format!("{} cannot be read: {error}", file.display()), Vec::new()))?;
            let query = ImportQuery { overwrite: existing == Existing::Overwrite, preview };
            printer.answer(&mappings_csv::import(hub, caller, &connection, table.into(), &csv, query).await?, imported)
        }
        Connections::ExportMappings { connection, table } => {
            print::write(&mappings_csv::export(hub, caller, &connection, table.into()).await?)
        }
        Connections::Webhooks { connection, register } => {
            let state = if register {
                webhooks::register(hub, caller, &connection).await?
            } else {
                webhooks::show(hub, caller, &connection).await?
            };
            printer.answer(&state, webhook_state)
        }
    }
}

impl From<TableName> for MappingTable {
    fn from(table: TableName) -> Self {
        match table {
            TableName::Listings => Self::Listings,
            TableName::Kits => Self::Kits,
            TableName::ShipMethods => Self::ShipMethods,
            TableName::SourceMethods => Self::SourceMethods,
            TableName::Locations => Self::Locations,
        }
    }
}

pub(super) fn name(channel: ChannelName) -> &'static str {
    match channel {
        ChannelName::Orders => "orders",
        ChannelName::Shipments => "shipments",
        ChannelName::Stock => "stock",
    }
}

fn detail(shown: &ConnectionDetailOut) -> String {
    let one = &shown.connection;
    let mut lines = vec![
        format!("{} ({})", print::clean(&one.name), one.id),
        format!("  store      {} (account {})", print::clean(&one.store_name), shown.account),
        format!("  warehouse  {}", print::clean(&one.warehouse_name)),
        format!("  state      {}", one.state),
        format!("  webhooks   {}", shown.webhooks.replace('_', " ")),
    ];
    lines.extend(one.paused.iter().map(|(side, why)| format!("  paused     {side}: {}", print::clean(why))));
    lines.extend(shown.problems.iter().map(|problem| format!("  problem    {}", print::clean(problem))));
    lines.extend(shown.warnings.iter().map(|warning| format!("  warning    {}", print::clean(warning))));
    lines.push(table(
        ["CHANNEL", "ON", "RUNS", "NEXT RUN", "LAST GOOD RUN", "WHAT IT DID"],
        one.channels.iter().map(|channel| {
            [
                channel.channel.clone(),
                yes(channel.enabled),
                channel.recurrence.clone(),
                print::time(channel.next_run_at),
                print::time(channel.succeeded_at),
                channel
                    .problem
                    .as_ref()
                    .map_or_else(|| channel.summary.clone(), |problem| format!("failed: {problem}")),
            ]
        }),
    ));
    lines.join("\n")
}

fn choices(lists: &ChoicesOut) -> String {
    let list = |title: &str, entries: &[ChoiceOut]| {
        let rows = entries.iter().map(|choice| [choice.id.to_string(), choice.name.clone(), choice.detail.clone()]);
        format!("{title}\n{}\n", table(["ID", "NAME", ""], rows))
    };
    [
        list("Order statuses", &lists.statuses),
        list("Warehouses", &lists.warehouses),
        list("Channels", &lists.channels),
        list("Shipping methods", &lists.ship_methods),
        list("Price lists", &lists.price_lists),
    ]
    .join("\n")
}

fn tables(mappings: &MappingsIn) -> String {
    let listings = mappings.listings.iter().flatten().map(|(ours, theirs)| [ours.clone(), theirs.clone()]);
    let kits = mappings.kits.iter().flatten().map(|kit| {
        let parts: Vec<String> =
            kit.parts.iter().map(|(sku, units)| format!("{} x {sku}", units.normalize())).collect();
        [kit.sku.clone(), parts.join(", ")]
    });
    let methods = |rows: &Option<Vec<crate::operate::file::ShipMethodRow>>| {
        let rows = rows.iter().flatten().map(|row| [id(&row.source), row.carrier.clone(), row.service.clone()]);
        table(["BRIGHTPEARL", "CARRIER", "SERVICE"], rows)
    };
    let locations = mappings.locations.iter().flatten().map(|row| [row.facility.clone(), id(&row.warehouse)]);
    [
        format!("Listings\n{}\n", table(["BRIGHTPEARL SKU", "WAREHOUSE SKU"], listings)),
        format!("Kits\n{}\n", table(["BRIGHTPEARL SKU", "PARTS"], kits)),
        format!("Shipping methods\n{}\n", methods(&mappings.ship_methods)),
        format!("Carriers back\n{}\n", methods(&mappings.source_methods)),
        format!("Locations\n{}", table(["FACILITY", "BRIGHTPEARL WAREHOUSE"], locations)),
    ]
    .join("\n")
}

fn id(one: &NameOrId) -> String {
    match one {
        NameOrId::Id(id) => id.to_string(),
        NameOrId::Name(name) => name.clone(),
    }
}

fn imported(told: &ImportedOut) -> String {
    let verb = if told.preview { "would be" } else { "were" };
    let mut lines = vec![format!(
        "{} {verb} added, {} changed, {} left as they are, {} were the same.",
        told.added,
        told.changed.len(),
        told.left.len(),
        told.same
    )];
    let row = |(sku, before, after): &(String, String, String)| format!("  {sku}: {before} -> {after}");
    if !told.changed.is_empty() {
        lines.push("Changed:".to_owned());
        lines.extend(told.changed.iter().map(row));
    }
    if !told.left.is_empty() {
        lines.push("Left (--existing overwrite replaces them):".to_owned());
        lines.extend(told.left.iter().map(row));
    }
    print::clean(&lines.join("\n"))
}

fn webhook_state(state: &WebhooksOut) -> String {
    let mut lines = vec![format!("Webhooks: {}", state.state.replace('_', " "))];
    lines.extend(state.reason.iter().map(|reason| format!("  {reason}")));
    lines.extend(state.events.iter().map(|event| format!("  {event}")));
    lines.join("\n")
}
