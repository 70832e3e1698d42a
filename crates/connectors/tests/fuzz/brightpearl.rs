//! Every read and every change of the Brightpearl connector, with damaged answers.

use std::{collections::BTreeSet, sync::Arc};

use connect::{BuildContext, Effects as _, FoundAgain, OrderFilter, OrderSource as _, Secret, Sent, Waits};
use connectors::brightpearl::{Brightpearl, build_source};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{
    PASSWORD, campaign,
    replay::{Dial, Replay, SEND_BY, context},
    runtime, said,
    session::{Answer, Session, Written, corpus, damage},
};
use crate::hub::{at, settings};

pub const CORPUS: &str = "brightpearl.json";

/// Everything the hub asks of an order source.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    Check,
    Choices,
    ScanOrders { statuses: BTreeSet<i64>, warehouses: BTreeSet<i64> },
    ScanChanged { statuses: BTreeSet<i64>, warehouses: BTreeSet<i64>, since: Timestamp },
    ScanHistory { since: Timestamp },
    ScanNotes { warehouses: BTreeSet<i64> },
    Orders { ids: Vec<i64> },
    Notes { ids: Vec<i64> },
    OpenNotes { warehouse: i64 },
    Fulfilled { order: i64 },
    Products { ids: Vec<i64> },
    FindSkus { skus: Vec<String> },
    Stock { warehouse: i64, ids: Vec<i64> },
    SurveyStock { warehouse: i64, ids: Vec<i64> },
    Movements { warehouse: i64, ids: Vec<i64>, since: Timestamp },
    CorrectionMarkers { warehouse: i64, since: Timestamp },
    Costs { list: i64, ids: Vec<i64> },
    DefaultLocation { warehouse: i64 },
    StaffId,
    OwnContact,
    RegisterWebhooks { address: String },
    ListWebhooks { address: String },
    UnregisterWebhooks { address: String },
    Prepare { effects: Vec<Written> },
    Send { effects: Vec<Written> },
    Probe { effects: Vec<Written> },
    FindAgain { effects: Vec<Written>, since: Timestamp },
}

pub fn connector(base: &str, context: &BuildContext) -> Arc<Brightpearl> {
    let values = [
        ("datacenter_code", "eu1"),
        ("account_id", "exampleeu"),
        ("email", "api.user@example.test"),
        ("calls_per_minute", "1000000"),
        ("base_url", base),
    ];
    build_source(&settings(&values, &[("password", PASSWORD)]), context).unwrap()
}

/// Does what is asked. The flag says whether a read came to an end without an error.
pub async fn perform(
    connector: &Brightpearl,
    session: &Session<Op>,
    change: impl Fn() -> Option<Answer>,
) -> Result<bool, String> {
    let at = session.at;
    let read = match &session.op {
        Op::Check => said(connector.check().await)?.is_some(),
        Op::Choices => said(connector.choices().await)?.is_some(),
        Op::ScanOrders { statuses, warehouses } => {
            let filter =
                OrderFilter { statuses: statuses.clone(), warehouses: warehouses.clone(), ..OrderFilter::default() };
            said(connector.scan_orders(&filter).await)?.is_some()
        }
        Op::ScanChanged { statuses, warehouses, since } => {
            let filter =
                OrderFilter { statuses: statuses.clone(), warehouses: warehouses.clone(), ..OrderFilter::default() };
            said(connector.scan_changed(&filter, *since).await)?.is_some()
        }
        Op::ScanHistory { since } => said(connector.scan_history(*since).await)?.is_some(),
        Op::ScanNotes { warehouses } => said(connector.scan_notes(warehouses).await)?.is_some(),
        Op::Orders { ids } => said(connector.orders(ids).await)?.is_some(),
        Op::Notes { ids } => said(connector.notes(ids).await)?.is_some(),
        Op::OpenNotes { warehouse } => said(connector.open_notes(*warehouse).await)?.is_some(),
        Op::Fulfilled { order } => said(connector.fulfilled(*order).await)?.is_some(),
        Op::Products { ids } => said(connector.products(ids).await)?.is_some(),
        Op::FindSkus { skus } => match said(connector.find_skus(skus).await)? {
            Some(found) if found.len() > skus.len() => return Err("SKUs nobody asked for were found".to_owned()),
            found => found.is_some(),
        },
        Op::Stock { warehouse, ids } | Op::SurveyStock { warehouse, ids } => {
            let read = match &session.op {
                Op::SurveyStock { .. } => connector.survey_stock(*warehouse, ids).await,
                _ => connector.stock(*warehouse, ids).await,
            };
            match said(read)? {
                Some(stock) if stock.levels.keys().any(|id| !ids.contains(id)) => {
                    return Err("stock of products nobody asked for was taken in".to_owned());
                }
                stock => stock.is_some(),
            }
        }
        Op::Movements { warehouse, ids, since } => said(connector.movements(*warehouse, ids, *since).await)?.is_some(),
        Op::CorrectionMarkers { warehouse, since } => {
            match said(connector.correction_markers(*warehouse, *since).await)? {
                Some(made) if made.iter().any(|(marker, times)| marker.len() != 26 || *times == 0) => {
                    return Err(format!("{made:?} were taken for markers that corrections carry"));
                }
                made => made.is_some(),
            }
        }
        Op::Costs { list, ids } => said(connector.costs(*list, ids).await)?.is_some(),
        Op::DefaultLocation { warehouse } => said(connector.default_location(*warehouse).await)?.is_some(),
        Op::StaffId => said(connector.staff_id().await)?.is_some(),
        Op::OwnContact => said(connector.own_contact().await)?.is_some(),
        Op::RegisterWebhooks { address } => {
            said(connector.register_webhooks(address, &Secret::new("hook-secret")).await)?.is_some()
        }
        Op::ListWebhooks { address } => said(connector.list_webhooks(address).await)?.is_some(),
        Op::UnregisterWebhooks { address } => said(connector.unregister_webhooks(address).await)?.is_some(),
        Op::Prepare { effects } => {
            let effects: Vec<_> = effects.iter().map(|effect| effect.effect(at)).collect();
            match said(connector.prepare(&effects).await)? {
                Some(prepared) if prepared.len() != effects.len() => {
                    return Err(format!("{} preparations of {} effects", prepared.len(), effects.len()));
                }
                prepared => prepared.is_some(),
            }
        }
        Op::Probe { effects } => {
            let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
            match said(connector.probe(&armed).await)? {
                Some(probes) if probes.len() != armed.len() => {
                    return Err(format!("{} probes of {} effects", probes.len(), armed.len()));
                }
                probes => probes.is_some(),
            }
        }
        Op::FindAgain { effects, since } => {
            let lost: Vec<_> = effects.iter().map(|effect| effect.lost(at)).collect();
            match said(connector.find_again(&lost, *since).await)? {
                Some(found) if found.len() != lost.len() => {
                    return Err(format!("{} findings of {} effects", found.len(), lost.len()));
                }
                Some(found)
                    if found.iter().any(|found| matches!(found, FoundAgain::AnyOf(none) if none.is_empty())) =>
                {
                    return Err("any of none was found".to_owned());
                }
                found => found.is_some(),
            }
        }
        Op::Send { effects } => {
            let armed: Vec<_> = effects.iter().map(|effect| effect.armed(at)).collect();
            let delivery = connector.send(&armed, SEND_BY).await;
            if delivery.outcomes.len() != armed.len() {
                return Err(format!("{} outcomes of {} effects", delivery.outcomes.len(), armed.len()));
            }
            if format!("{delivery:?}").contains(PASSWORD) {
                return Err("a secret is in the delivery".to_owned());
            }
            for outcome in &delivery.outcomes {
                classified(outcome, change().as_ref())?;
            }
            true
        }
    };
    Ok(read)
}

/// Whether an answer may be taken for what it was taken for, by the reference alone (reliability.md §4.4, design.md §9): the
/// other reading of the same rules, written without a look at the connector's.
fn classified(outcome: &Sent, answer: Option<&Answer>) -> Result<(), String> {
    let Some(answer) = answer else {
        return match outcome {
            Sent::NotSent { .. } => Ok(()),
            other => Err(format!("nothing was sent, and the outcome is {other:?}")),
        };
    };
    let (status, body) = (answer.status, answer.json());
    let header = |name: &str| answer.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str());
    let field = |name: &str| body.as_ref().and_then(|body| body.get(name));
    let errors = field("errors").and_then(Value::as_array).filter(|errors| !errors.is_empty());
    let text = field("response").and_then(Value::as_str);
    let fits = match outcome {
        Sent::Accepted { .. } => {
            (200..300).contains(&status) && body.as_ref().is_some_and(Value::is_object) && errors.is_none()
        }
        Sent::Refused { .. } => {
            let code = errors.and_then(|errors| errors.first()?.get("code")?.as_str().map(str::to_owned));
            // Some mistakes in a call are answered 500; which, is told by the code alone.
            let told = status == 500 && code.is_some_and(|code| code != "CMNU-003" && code.contains('-'));
            errors.is_some() && ((400..500).contains(&status) && !matches!(status, 401 | 408 | 429) || told)
        }
        Sent::Throttled { .. } => {
            status == 429
                || status == 503 && text.is_some_and(|text| text.to_ascii_lowercase().contains("too many requests"))
        }
        // The legacy log-in, which this connector uses, sends no Message-Type.
        Sent::NotSent { .. } => {
            status == 401 && text.is_some() && header("message-type").is_none_or(|message| message == "api-proxy")
        }
        Sent::Unknown { .. } => true,
    };
    match fits {
        true => Ok(()),
        false => Err(format!(
            "HTTP {status} {} was taken for {outcome:?}",
            String::from_utf8_lossy(answer.body.get(..300.min(answer.body.len())).unwrap_or_default())
        )),
    }
}

/// Reads with one call of their own, or with one that every other hangs on: what cannot be read is never taken for an answer.
fn is_one_read(op: &Op) -> bool {
    matches!(
        op,
        Op::ScanOrders { .. }
            | Op::ScanChanged { .. }
            | Op::ScanHistory { .. }
            | Op::ScanNotes { .. }
            | Op::Orders { .. }
            | Op::Notes { .. }
            | Op::OpenNotes { .. }
            | Op::Fulfilled { .. }
            | Op::Stock { .. }
            | Op::SurveyStock { .. }
            | Op::Movements { .. }
            | Op::CorrectionMarkers { .. }
            | Op::Costs { .. }
            | Op::DefaultLocation { .. }
    )
}

/// The flag is that of [`perform`].
async fn drive(session: &Session<Op>) -> Result<bool, String> {
    let (replay, dial) = (Replay::new(&session.answers), Dial::at(session.at));
    let connector = connector("http://127.0.0.1:9", &context(replay.clone(), dial.clone(), Waits::default()));
    let read = perform(&connector, session, || replay.change()).await?;
    replay.bounded()?;
    dial.bounded()?;
    let answers: Vec<Answer> = replay.served().into_iter().filter(|answer| answer.method == "GET").collect();
    // A value that nobody reads may be beyond every number; the document around it still has to be JSON.
    let is_json = |answer: &Answer| serde_json::from_slice::<IgnoredAny>(&answer.body).is_ok();
    let unreadable = !answers.is_empty() && !answers.iter().any(is_json);
    match read && unreadable && is_one_read(&session.op) {
        true => Err("an answer that is not JSON was taken for one".to_owned()),
        false => Ok(read),
    }
}

/// What recorded sessions answer as well, though something else was asked of them.
fn as_well(recorded: &[Session<Op>]) -> Vec<Session<Op>> {
    let other = |session: &Session<Op>| {
        let op = match &session.op {
            Op::Stock { warehouse, ids } => Op::SurveyStock { warehouse: *warehouse, ids: ids.clone() },
            Op::StaffId => Op::OwnContact,
            Op::Probe { effects } => Op::FindAgain { effects: effects.clone(), since: session.at },
            _ => return None,
        };
        Some(Session { op, ..session.clone() })
    };
    recorded.iter().filter_map(other).collect()
}

const MARKER: &str = "01JEXAMPLE0123456789ABCDEF";

/// The search for goods movements, as it is documented: corrections, goods that left, and some that wait on a note.
fn movements() -> Value {
    let columns = [
        "goodsMovementId",
        "productId",
        "quantity",
        "goodsNoteId",
        "goodsNoteTypeCode",
        "orderId",
        "isCleared",
        "isQuarantine",
        "updatedOn",
    ];
    let at = "2026-02-03T18:16:37.000+00:00";
    search(
        &columns,
        &json!([
            [510_001, 1010, -5, 8796, "SC", null, true, false, at],
            [510_002, 1011, 2, 8797, "SC", null, true, false, at],
            [510_003, 1010, -1, 8798, "GO", 700_002, true, false, at],
            [510_004, 1010, -1, 8799, "GO", 700_003, false, false, at],
            [510_005, 1011, 7, 8800, "GI", 700_004, true, true, at],
        ]),
    )
}

fn search(columns: &[&str], rows: &Value) -> Value {
    let count = rows.as_array().map_or(0, Vec::len);
    let columns: Vec<Value> = columns.iter().map(|name| json!({ "name": name, "filterable": true })).collect();
    json!({ "response": {
        "results": rows,
        "metaData": {
            "morePagesAvailable": false, "resultsAvailable": count, "resultsReturned": count, "firstResult": 1,
            "lastResult": count, "columns": columns,
        },
    } })
}

/// Reads that are made in recovery and for reports, with answers as they are documented.
fn written() -> Vec<Session<Op>> {
    let since = at("2026-01-01T00:00:00Z");
    let session = |op: Op, answers: &[(&str, Value)]| {
        let answer = |method: &str, path: String, body: &Value| Answer {
            method: method.to_owned(),
            path,
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json;charset=UTF-8".to_owned())],
            body: body.to_string().into_bytes(),
        };
        let log_in = answer("POST", "/exampleeu/authorise".to_owned(), &json!({ "response": "example-session" }));
        let read = answers.iter().map(|(path, body)| answer("GET", format!("/2.0.0/exampleeu/{path}"), body));
        Session { op, at: at("2026-02-04T06:30:00Z"), answers: std::iter::once(log_in).chain(read).collect() }
    };
    let orders = search(
        &["orderId", "orderStatusId", "updatedOn"],
        &json!([[700_002, 23, "2026-02-03T10:39:46.000-06:00"], [700_003, 24, null]]),
    );
    let corrections = json!({ "response": [
        {
            "goodsNoteId": 8796, "warehouseId": 5, "reason": format!("Stock count [hub:{MARKER}]"),
            "goodsMoved": [{ "productId": 1010, "quantity": -5, "createdOn": "2026-02-03T18:16:37.000+00:00" }],
        },
        {
            "goodsNoteId": 8797, "warehouseId": 5, "reason": "Counted by hand",
            "goodsMoved": [{ "productId": 1011, "quantity": "2.0000", "createdOn": "2026-02-03T18:16:37.000+00:00" }],
        },
    ] });
    let note = json!({ "response": { "8799": {
        "orderId": 700_003, "warehouseId": 5, "transfer": false, "priority": false, "status": { "shipped": false },
        "shipping": { "reference": "", "shippingMethodId": 49, "boxes": 1, "weight": "3.40" },
        "releaseDate": "2026-02-03T10:17:45.000-06:00", "createdOn": "2026-02-03T10:17:45.000-06:00", "createdBy": 203,
        "orderRows": { "2900002": [{ "productId": 1010, "quantity": 1, "locationId": 41 }] }, "lastEventVersion": 3_130_001,
    } } });
    let fulfilled = json!({ "response": { "2900001": { "fulfilled": "2.0000" }, "2900002": { "fulfilled": 0 } } });
    let (moved, of_notes) =
        ("warehouse-service/goods-movement-search", "warehouse-service/warehouse/5/stock-correction/8796-8797");
    vec![
        session(
            Op::ScanChanged { statuses: [23, 24].into(), warehouses: [5].into(), since },
            &[("order-service/order-search", orders.clone())],
        ),
        session(Op::ScanHistory { since }, &[("order-service/order-search", orders)]),
        session(
            Op::OpenNotes { warehouse: 5 },
            &[
                (
                    "warehouse-service/goods-note/goods-out-search",
                    search(&["goodsOutNoteId", "orderId"], &json!([[8799, 700_003], [8801, 0]])),
                ),
                ("warehouse-service/order/*/goods-note/goods-out/8799", note),
            ],
        ),
        session(Op::Fulfilled { order: 700_002 }, &[("warehouse-service/order/700002/fulfilment-status", fulfilled)]),
        session(
            Op::Movements { warehouse: 5, ids: vec![1010, 1011], since },
            &[(moved, movements()), (of_notes, corrections.clone())],
        ),
        session(Op::CorrectionMarkers { warehouse: 5, since }, &[(moved, movements()), (of_notes, corrections)]),
    ]
}

/// Recorded answers of real accounts, to be spliced in.
fn recordings() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/brightpearl");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let bodies = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    bodies
        .map(|path| {
            let recording: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            recording.pointer("/response/body").unwrap().to_string().into_bytes()
        })
        .collect()
}

#[test]
fn brightpearl_answers() {
    let (mut sessions, runtime): (Vec<Session<Op>>, _) = (corpus(CORPUS), runtime());
    let recordings = recordings();
    let donors: Vec<&[u8]> = recordings.iter().map(Vec::as_slice).collect();
    let (as_well, written) = (as_well(&sessions), written());
    for session in &written {
        assert_eq!(runtime.block_on(drive(session)), Ok(true), "undamaged {:?}", session.op);
    }
    sessions.extend(as_well);
    sessions.extend(written);
    for session in &sessions {
        runtime.block_on(drive(session)).unwrap_or_else(|problem| panic!("undamaged {:?}: {problem}", session.op));
    }
    campaign("brightpearl_answers").run(
        |dice| {
            let session = &sessions[rand::RngExt::random_range(dice, 0..sessions.len())];
            serde_json::to_vec(&damage(session, &donors, dice)).unwrap()
        },
        |input| {
            let session =
                serde_json::from_slice(input).map_err(|error| format!("the input is not a session: {error}"))?;
            runtime.block_on(drive(&session)).map(drop)
        },
    );
}
