//! What a hub gives a connector, for tests: a clock set by hand, files, and a transport.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use connect::{
    Address, Armed, BuildContext, Clock, Effect, EffectDraft, EffectId, FileStores, Guard, HttpRequest, HttpResponse,
    Money, OsRandom, Prepared, RequestId, RequestLine, Role, Secret, Settings, ShipMethod, ShipmentRequest, Transport,
    TransportError, Waits, Warehouse, budget::Budgets,
};
use connectors::files::Files;
use jiff::Timestamp;

/// A clock that moves when told.
pub struct HandClock {
    now: Mutex<(Timestamp, Duration)>,
    /// How long a real call beside a limit may take.
    patience: Duration,
}

impl HandClock {
    pub fn new() -> Arc<Self> {
        Self::with_patience(Duration::from_secs(2))
    }

    /// For a real server, which is as fast as the machine lets it be.
    pub fn patient() -> Arc<Self> {
        Self::with_patience(Duration::from_secs(60))
    }

    fn with_patience(patience: Duration) -> Arc<Self> {
        let now = Mutex::new((at("2026-11-23T06:30:00Z"), Duration::from_secs(1000)));
        Arc::new(Self { now, patience })
    }

    pub fn pass(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        now.0 += time;
        now.1 += time;
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        self.now.lock().unwrap().0
    }

    fn monotonic(&self) -> Duration {
        self.now.lock().unwrap().1
    }

    async fn sleep(&self, time: Duration) {
        // A limit beside a real call must not end it at once.
        tokio::time::sleep(time.min(self.patience)).await;
        self.pass(time);
    }
}

/// A network that is not there.
pub struct NoNetwork;

#[async_trait]
impl Transport for NoNetwork {
    async fn send(&self, _: HttpRequest) -> Result<HttpResponse, TransportError> {
        Err(TransportError::NotSent("there is no network in this test".to_owned()))
    }
}

pub fn context(
    clock: Arc<HandClock>,
    transport: Arc<dyn Transport>,
    files: Option<Arc<dyn FileStores>>,
) -> BuildContext {
    BuildContext {
        transport,
        files: files.unwrap_or_else(|| Arc::new(Files::new(Waits::default(), Guard::stand_ins()))),
        random: Arc::new(OsRandom),
        budgets: Arc::new(Budgets::new(clock.clone())),
        clock,
        waits: Waits::default(),
        grants: Arc::new(connect::NoGrants),
        desk: Arc::new(connect::NoDesk),
        marks: Arc::new(connect::NoMarks),
        share: "con_test".to_owned(),
    }
}

pub fn settings(values: &[(&str, &str)], secrets: &[(&str, &str)]) -> Settings {
    Settings {
        values: values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        secrets: secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
    }
}

pub fn warehouse(platform: &str, settings: &Settings, context: &BuildContext) -> Arc<dyn Warehouse> {
    match connectors::find(platform).expect("the connector is listed").role {
        Role::Warehouse(build) => build(settings, context).unwrap_or_else(|error| panic!("{error}")),
        Role::OrderSource(_) => panic!("{platform} is no warehouse"),
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// An order of two lines.
pub fn request(key: &str) -> ShipmentRequest {
    let line = |line_number, sku: &str, quantity: &str, price: &str| RequestLine {
        line_number,
        sku: sku.to_owned(),
        quantity: quantity.parse().unwrap(),
        row_id: i64::from(line_number) + 900,
        product_id: 1000,
        per_unit: 1.into(),
        name: format!("Goods {sku}"),
        unit_price: Some(Money { currency: "GBP".to_owned(), amount: price.parse().unwrap() }),
    };
    let address = Address {
        name: "Jane Doe".to_owned(),
        company: String::new(),
        line1: "1 High St".to_owned(),
        line2: "Flat 2".to_owned(),
        city: "Leeds".to_owned(),
        state: String::new(),
        postcode: "LS1 1AA".to_owned(),
        country: "GB".to_owned(),
        phone: "01130000000".to_owned(),
        email: "jane@example.test".to_owned(),
    };
    ShipmentRequest {
        id: RequestId::generate(at("2026-11-23T06:30:00Z"), &OsRandom),
        key: key.to_owned(),
        order_number: "100001".to_owned(),
        reference: "PO4500".to_owned(),
        placed_at: at("2026-11-22T10:11:12.5Z"),
        deliver_on: None,
        ship_to: address.clone(),
        bill_to: Address { company: "Doe Ltd".to_owned(), ..address },
        ship_method: ShipMethod { carrier: "UPS".to_owned(), service: "Ground".to_owned() },
        facility: None,
        notes: "Leave with neighbour".to_owned(),
        lines: vec![line(1, "SKU-A", "5.00", "10.00"), line(2, "SKU-LOT", "3", "4.50")],
    }
}

pub fn effect(draft: &EffectDraft) -> Effect {
    Effect {
        id: EffectId::generate(at("2026-11-23T06:30:00Z"), &OsRandom),
        kind: draft.kind,
        key: draft.key.clone(),
        batch: draft.batch.clone(),
        body: draft.body.clone(),
        number: draft.numbering.as_ref().map(|numbering| numbering.first),
        tried: None,
        others: std::collections::BTreeSet::new(),
    }
}

pub fn effects(drafts: &[EffectDraft]) -> Vec<Effect> {
    drafts.iter().map(effect).collect()
}

/// Armed with what was prepared.
pub fn arm(effects: &[Effect], prepared: &[Prepared]) -> Vec<Armed> {
    effects
        .iter()
        .zip(prepared)
        .map(|(effect, prepared)| match prepared {
            Prepared::Ready { baseline } => Armed {
                effect: effect.clone(),
                baseline: baseline.clone(),
                attempt: 1,
                armed_at: at("2026-11-23T06:30:01Z"),
            },
            other => panic!("not ready: {other:?}"),
        })
        .collect()
}

/// Files by name, for comparing folders.
pub fn folder(path: &std::path::Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let content = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            (entry.file_name().to_string_lossy().into_owned(), content)
        })
        .collect()
}
