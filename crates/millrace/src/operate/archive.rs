//! Everything of one merchant as one file: a tar archive, packed with gzip, of NDJSON and CSV files. It is written as it is read, so that
//! memory does not grow with what is exported; long lists come in parts, which belong behind each other.
//!
//! No secret is in it: it is made of what lists and details show. The last file, `manifest.json`, names all others with their digests; an
//! archive without it was cut off.

use std::{io::Write as _, pin::pin, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{
    Caller, Failure, FailureKind, Hub, PageOut, PagingQuery, Role, alert_channels, alerts, connections,
    effects::{self, EffectsQuery},
    endpoints::{self, MerchantOut, Side},
    exceptions::{self, ExceptionsQuery},
    exports::{self, ExportKind, ExportQuery},
    findings::{self, FindingsQuery},
    id,
    mappings_csv::{self, MappingTable},
    orders::{self, OrderOut, OrdersQuery},
    outlets,
    shipments::{self, ShipmentOut, ShipmentsQuery},
    stock::{self, LevelsQuery, RunOut},
    tar,
};

/// Entries read at a time.
const PAGE: u32 = 200;
/// Bytes from which on a list goes on in another part.
const PART: usize = 4 * 1024 * 1024;
/// Pieces that wait for a slow reader.
const AHEAD: usize = 4;

/// An archive that is being written.
pub struct Archive<S> {
    /// The name of its file.
    pub file_name: String,
    /// Its bytes, in pieces.
    pub content: S,
}

/// Everything of a merchant. It holds people's addresses in readable form, so it needs a fresh proof, and is audited.
///
/// # Errors
/// When the caller does not administer the merchant or gave the password too long ago, or there is no such merchant. The content
/// fails where something cannot be read.
pub async fn export(
    hub: Arc<Hub>,
    caller: &Caller,
    named: &str,
) -> Result<Archive<impl Stream<Item = Result<Vec<u8>, Failure>> + Send + use<>>, Failure> {
    caller.needs(Role::Admin)?;
    let merchant = endpoints::merchant(&hub, caller, named).await?;
    caller.proves(&hub)?;
    // Nothing that the caller may see besides gets in.
    let scoped = Caller { merchants: Some([id(&merchant.id)?].into()), ..caller.clone() };
    hub.db.audit(&caller.access(), &caller.actor, "merchant.export", &merchant.id, &json!({})).await?;
    let at = hub.seams.clock.now();
    let file_name = format!("{}-{}.tar.gz", merchant.id, at.strftime("%Y%m%dT%H%M%SZ"));
    let (out, pieces) = mpsc::channel(AHEAD);
    let failed = out.clone();
    let mut writer = Writer { gzip: GzEncoder::new(Vec::new(), Compression::default()), out, at, files: Vec::new() };
    tokio::spawn(async move {
        let written = match everything(&hub, &scoped, &merchant, &mut writer).await {
            Ok(()) => writer.end(&merchant).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = written {
            tracing::warn!("an export of {} ended early: {failure}", merchant.id);
            // Whoever reads no more does not hear it either.
            let _ = failed.send(Err(failure)).await;
        }
    });
    let content = stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|piece| (piece, pieces)) });
    Ok(Archive { file_name, content })
}

/// Reads all of it, kind by kind.
async fn everything(
    hub: &Arc<Hub>,
    caller: &Caller,
    merchant: &MerchantOut,
    writer: &mut Writer,
) -> Result<(), Failure> {
    writer.list("merchant", &[merchant]).await?;
    writer.list("stores", &endpoints::all_shown(hub, caller, Side::Store).await?).await?;
    writer.list("warehouses", &endpoints::all_shown(hub, caller, Side::Warehouse).await?).await?;
    writer.list("webhooks", &outlets::all(hub, caller).await?).await?;
    writer.list("alert_channels", &alert_channels::all(hub, caller).await?).await?;
    writer.list("alert_policies", &alerts::policies(hub, caller).await?).await?;
    let connections = connections::all(hub, caller).await?;
    let mut with_settings = Vec::new();
    for one in &connections {
        let settings = connections::settings(hub, caller, &one.id).await?;
        with_settings.push(json!({ "connection": one, "settings": settings }));
        for table in MappingTable::ALL {
            let csv = mappings_csv::export(hub, caller, &one.id, table).await?;
            writer.file(&format!("mappings/{}/{}", one.id, table.file_name()), csv.as_bytes()).await?;
        }
    }
    writer.list("connections", &with_settings).await?;
    census(hub, caller, writer).await?;
    let hub = hub.as_ref();
    flows(hub, caller, writer).await?;
    for one in &connections {
        let levels = |cursor| async move {
            let query = LevelsQuery { limit: Some(PAGE), cursor, ..LevelsQuery::default() };
            stock::levels(hub, caller, &one.id, query).await
        };
        pages(writer, format!("stock_levels/{}", one.id), levels, as_listed).await?;
        let runs =
            |cursor| async move { stock::runs(hub, caller, &one.id, &PagingQuery { limit: Some(PAGE), cursor }).await };
        let run = |run: RunOut| async move { stock::whole(hub, caller, &run.id).await };
        pages(writer, format!("stock_runs/{}", one.id), runs, run).await?;
    }
    Ok(())
}

/// Orders, shipments, and what happened with them, of all connections.
async fn flows(hub: &Hub, caller: &Caller, writer: &mut Writer) -> Result<(), Failure> {
    let orders = |cursor| async move { orders::list(hub, caller, OrdersQuery::every(None, PAGE, cursor)).await };
    let order = |order: OrderOut| async move { orders::show(hub, caller, &order.id).await };
    pages(writer, "orders", orders, order).await?;
    let shipments = |cursor| async move {
        let query = ShipmentsQuery { limit: Some(PAGE), cursor, ..ShipmentsQuery::default() };
        shipments::list(hub, caller, query).await
    };
    let shipment = |shipment: ShipmentOut| async move { shipments::show(hub, caller, &shipment.id).await };
    pages(writer, "shipments", shipments, shipment).await?;
    let effects = |cursor| async move {
        effects::list(hub, caller, EffectsQuery { limit: Some(PAGE), cursor, ..EffectsQuery::default() }).await
    };
    pages(writer, "effects", effects, as_listed).await?;
    let exceptions = |cursor| async move {
        let query = ExceptionsQuery { all: true, limit: Some(PAGE), cursor, ..ExceptionsQuery::default() };
        exceptions::list(hub, caller, query).await
    };
    pages(writer, "exceptions", exceptions, as_listed).await?;
    let findings = |cursor| async move {
        let query = FindingsQuery { all: true, limit: Some(PAGE), cursor, ..FindingsQuery::default() };
        findings::list(hub, caller, query).await
    };
    pages(writer, "findings", findings, as_listed).await
}

/// When the census of each connection ran, as the export of that kind writes it: a line for each run.
async fn census(hub: &Arc<Hub>, caller: &Caller, writer: &mut Writer) -> Result<(), Failure> {
    let pieces = exports::export(Arc::clone(hub), caller.clone(), ExportKind::Census, ExportQuery::default()).await?;
    let mut pieces = pin!(pieces);
    let mut text = String::new();
    while let Some(piece) = pieces.try_next().await? {
        text.push_str(&piece);
    }
    writer.file(ExportKind::Census.file(), text.as_bytes()).await
}

/// A list that is read page by page, each entry as `show` tells of it.
async fn pages<T, U, L, S>(
    writer: &mut Writer,
    name: impl Into<String>,
    list: impl Fn(Option<String>) -> L,
    show: impl Fn(T) -> S,
) -> Result<(), Failure>
where
    U: Serialize,
    L: Future<Output = Result<PageOut<T>, Failure>>,
    S: Future<Output = Result<U, Failure>>,
{
    let mut part = Part::new(name);
    let mut cursor = None;
    loop {
        let page = list(cursor).await?;
        for one in page.items {
            part.put(writer, &show(one).await?).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return part.end(writer).await;
        }
    }
}

/// What is listed says everything.
async fn as_listed<T>(one: T) -> Result<T, Failure> {
    Ok(one)
}

/// The lines of a list that are not in the archive yet.
struct Part {
    name: String,
    number: u32,
    text: String,
}

impl Part {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), number: 1, text: String::new() }
    }

    async fn put<T: Serialize>(&mut self, writer: &mut Writer, one: &T) -> Result<(), Failure> {
        self.text.push_str(&json_of(one)?);
        self.text.push('\n');
        if self.text.len() >= PART { self.write(writer).await } else { Ok(()) }
    }

    async fn write(&mut self, writer: &mut Writer) -> Result<(), Failure> {
        writer.file(&format!("{}-{:04}.ndjson", self.name, self.number), self.text.as_bytes()).await?;
        self.text.clear();
        self.number += 1;
        Ok(())
    }

    /// A list without entries is a file without lines: it was looked for.
    async fn end(mut self, writer: &mut Writer) -> Result<(), Failure> {
        if self.number == 1 || !self.text.is_empty() { self.write(writer).await } else { Ok(()) }
    }
}

/// A file of the archive, for its manifest.
#[derive(Serialize)]
struct Written {
    name: String,
    bytes: usize,
    sha256: String,
}

/// Packs files and hands the bytes on.
struct Writer {
    gzip: GzEncoder<Vec<u8>>,
    out: mpsc::Sender<Result<Vec<u8>, Failure>>,
    at: Timestamp,
    files: Vec<Written>,
}

impl Writer {
    /// A short list as one file.
    async fn list<T: Serialize>(&mut self, name: &str, items: &[T]) -> Result<(), Failure> {
        let mut text = String::new();
        for one in items {
            text.push_str(&json_of(one)?);
            text.push('\n');
        }
        self.file(&format!("{name}.ndjson"), text.as_bytes()).await
    }

    async fn file(&mut self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let head = tar::head(name, content.len(), self.at).map_err(|why| broken(&why))?;
        for bytes in [head.as_slice(), content, tar::padding(content.len())] {
            self.gzip.write_all(bytes).map_err(|error| broken(&error.to_string()))?;
        }
        let sha256 = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
        self.files.push(Written { name: name.to_owned(), bytes: content.len(), sha256 });
        let packed = std::mem::take(self.gzip.get_mut());
        self.hand_on(packed).await
    }

    /// The manifest, and the end of the archive.
    async fn end(mut self, merchant: &MerchantOut) -> Result<(), Failure> {
        let manifest = json!({
            "format": 1,
            "merchant": merchant,
            "exported_at": self.at,
            "files": self.files,
            "left_out": [
                "Secrets: they are written and never read.",
                "The audit trail, people and keys: they are the tenant's.",
                "Files and pages of warehouses as they came: what was read from them is here.",
            ],
        });
        let text = serde_json::to_string_pretty(&manifest).map_err(|error| broken(&error.to_string()))?;
        self.file("manifest.json", text.as_bytes()).await?;
        self.gzip.write_all(&tar::END).map_err(|error| broken(&error.to_string()))?;
        let Self { gzip, out, .. } = self;
        let packed = gzip.finish().map_err(|error| broken(&error.to_string()))?;
        // Who reads no more has closed it.
        let _ = out.send(Ok(packed)).await;
        Ok(())
    }

    async fn hand_on(&self, packed: Vec<u8>) -> Result<(), Failure> {
        if packed.is_empty() {
            return Ok(());
        }
        let gone = |_| Failure::new(FailureKind::Unavailable, "nobody reads the export any more");
        self.out.send(Ok(packed)).await.map_err(gone)
    }
}

fn json_of<T: Serialize>(one: &T) -> Result<String, Failure> {
    serde_json::to_string(one).map_err(|error| broken(&error.to_string()))
}

fn broken(why: &str) -> Failure {
    Failure::new(FailureKind::Internal, format!("the export cannot be written: {why}"))
}
