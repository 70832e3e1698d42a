//! A whole small world: Brightpearl, a warehouse, a database, and the real program between them, started as a child.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use rust_decimal::Decimal;
use simulators::{
    audit::{self, Audit, Terms, Units, WarehouseOrder},
    brightpearl::{self, AccountConfig, Config, DataConfig, NewLine, NewOrder},
    dsfx::{self, Dsfx, Habits, SeedStock},
    extensiv, mintsoft, odoo,
    openssh::OpenSsh,
    postgres::Postgres,
    proxy::Proxy,
    shiphero,
};
use tokio_util::sync::CancellationToken;

use crate::wms::Wms;

/// The Brightpearl account of every world.
pub const ACCOUNT: &str = "acme";
/// The Brightpearl warehouse the goods leave from.
pub const WAREHOUSE: i64 = 5;
/// Its default location's facility at the warehouse.
pub const FACILITY: &str = "1";
/// The customer of an Extensiv warehouse.
pub const CUSTOMER: u64 = 143;
/// The client of a Mintsoft warehouse.
pub const CLIENT: u64 = 12;
/// The account of a ShipHero warehouse: a customer of a 3PL.
pub const CHILD: u64 = 123;
/// Every wait of the program and of the simulators is divided by this where a test says nothing else.
pub const FACTOR: u32 = 20;
/// The password of the API user; planted, so that tests can look for it where it must not be.
pub const PASSWORD: &str = "example-password";

/// The settings for a warehouse that talks in flat files of its own making.
const FLAT: &str = r#"
order_files = "ORDERS_*.csv"
order_columns = """
Order=order_number
Ref=reference
Name=name
Company=company
Street=address1
Street 2=address2
Town=city
County=state
Postcode=postcode
Country=country
Phone=phone
E-mail=email
Ship by=ship_method
Notes=notes
Line=line_number
Item=sku
Qty=quantity
"""
stock_columns = "sku=Item, facility_id=Site, available=Free, on_hand=Physical, counted_at=Counted"
delimiter = "semicolon"
decimal = "comma"
dates = "DD.MM.YYYY HH:mm:ss"
time_zone = "Europe/Berlin"
"#;

/// What its shipment files hold, unless a world says otherwise.
const FLAT_SHIPMENTS: &str = r#"
shipment_columns = """
shipment_id=Despatch No
order_number=Order
shipped_at=Despatched
carrier=Carrier
service=Service
package_number=Parcel
tracking_number=Tracking
line_number=Line
sku=Item
quantity=Qty
lot=Lot
serial=Serials
status=Status
"""
"#;

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// One file.
    Sqlite,
    /// A real server, started for this world.
    Postgres,
}

/// Which warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ships {
    /// Files in a folder.
    Folder,
    /// Files through a real OpenSSH server.
    Sftp,
    /// Extensiv over REST.
    Extensiv,
    /// Mintsoft over REST.
    Mintsoft,
    /// ShipHero over GraphQL.
    ShipHero,
    /// A real Odoo: see `./dev test-odoo`.
    Odoo,
    /// A warehouse that calls the program.
    Desk,
}

/// What a world is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Database.
    pub store: Store,
    /// Warehouse.
    pub ships: Ships,
    /// `order` or `goods_out_note`.
    pub start_mode: &'static str,
    /// `available` or `physical`.
    pub basis: &'static str,
    /// Further lines of `[connection.settings]`.
    pub settings: String,
    /// Further lines of `[connection.settings.stock]`.
    pub stock: String,
    /// A warehouse of files talks in X12 documents instead of CSV.
    pub x12: bool,
    /// Or in flat files of its own making.
    pub flat: bool,
    /// Further lines of `[warehouse.settings]`, for a folder, Mintsoft, Odoo or ShipHero.
    pub exchange: String,
    /// Whether a Mintsoft warehouse refuses a second order of one number, and the settings say so.
    pub unique_numbers: bool,
    /// Answers of a Mintsoft warehouse to open questions.
    pub mintsoft: mintsoft::Switches,
    /// Answers of a ShipHero warehouse to open questions.
    pub shiphero: shiphero::Switches,
    /// Brightpearl's answers to open questions.
    pub switches: brightpearl::Switches,
    /// How the warehouse works.
    pub habits: Habits,
    /// The warehouse does nothing until a test tells it to.
    pub told: bool,
    /// Brightpearl calls the program, at a port chosen before it starts.
    pub webhooks: Option<u16>,
    /// Whether an Extensiv, Mintsoft or ShipHero warehouse works by itself; otherwise a test ships what it wants shipped.
    pub works: bool,
    /// Calls a minute the program may make.
    pub calls_per_minute: u32,
    /// Every wait of the program and of the simulators is divided by this.
    pub factor: u32,
    /// Units of each SKU at the start, at least.
    pub units: i64,
    /// Everything the program talks to is behind a line that can be disturbed: see [`World::lines`].
    pub lines: bool,
    /// Decides everything random.
    pub seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            store: Store::Sqlite,
            ships: Ships::Folder,
            start_mode: "order",
            basis: "available",
            settings: String::new(),
            stock: String::new(),
            x12: false,
            flat: false,
            exchange: String::new(),
            unique_numbers: true,
            mintsoft: mintsoft::Switches::default(),
            shiphero: shiphero::Switches::default(),
            switches: brightpearl::Switches::default(),
            habits: Habits {
                delay: Duration::from_millis(300),
                rest_delay: Duration::from_millis(600),
                part_then_rest_percent: 15,
                short_percent: 0,
                boxes_percent: 20,
            },
            told: false,
            webhooks: None,
            works: true,
            calls_per_minute: 190,
            factor: FACTOR,
            units: 400,
            lines: false,
            seed: 7,
        }
    }
}

/// The warehouse of a world.
pub enum Warehouse {
    /// File exchange.
    Dsfx {
        /// The simulator.
        dsfx: Dsfx,
        /// Ends its loop.
        stop: CancellationToken,
    },
    /// Extensiv.
    Extensiv(extensiv::Running),
    /// Mintsoft.
    Mintsoft(mintsoft::Running),
    /// ShipHero.
    ShipHero(shiphero::Running),
    /// Odoo, with its people while they work.
    Odoo(Arc<odoo::Odoo>, Option<odoo::Shift>),
    /// One that calls the program.
    Desk(Wms),
}

/// The world.
pub struct World {
    /// What it is made of.
    pub setup: Setup,
    /// Brightpearl.
    pub brightpearl: brightpearl::Running,
    /// The warehouse.
    pub warehouse: Warehouse,
    /// The SSH server in front of the warehouse's folder.
    pub ssh: Option<OpenSsh>,
    /// PostgreSQL, where it is the database; kept so that it runs as long as the world.
    pub postgres: Option<Postgres>,
    folder: tempfile::TempDir,
    database: String,
    /// The database as the program reaches it while it serves.
    served_database: String,
    lines: Vec<Proxy>,
    environment: Vec<(String, String)>,
    /// The file that holds the address a Mintsoft warehouse calls, once it has one.
    callback_address: Option<PathBuf>,
    /// The file that holds the secrets of a ShipHero warehouse's webhooks, once it has some.
    webhook_secrets: Option<PathBuf>,
    program: Option<Child>,
    second: Option<Child>,
    starts: usize,
    /// SKUs that exist on both sides.
    pub skus: Vec<(i64, String)>,
}

fn port_of(address: &str) -> Option<u16> {
    address.rsplit(':').next()?.split('/').next()?.parse().ok()
}

/// The warehouse's SKU for one of Brightpearl's.
pub fn warehouse_sku(sku: &str) -> String {
    format!("W-{sku}")
}

impl World {
    /// Starts everything but the program, and configures it.
    pub async fn new(mut setup: Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("millrace-world-").tempdir().expect("a temporary folder");
        let mut account = AccountConfig::new(ACCOUNT);
        account.data = DataConfig { products: 400, orders: 0, customers: 30 };
        let brightpearl = brightpearl::start(Config {
            accounts: vec![account],
            switches: setup.switches.clone(),
            time_factor: setup.factor,
            seed: setup.seed,
            ..Config::default()
        })
        .await
        .expect("the Brightpearl simulator starts");
        let mut skus = brightpearl.plain_products(ACCOUNT).expect("products");
        skus.truncate(300);
        let stock: BTreeMap<String, i64> = skus
            .iter()
            .map(|(product, sku)| {
                let held = brightpearl.stock(ACCOUNT, *product, WAREHOUSE).map_or(0, |stock| stock.in_stock);
                if held < setup.units {
                    // Enough for every order of a test, so that allocation is what the test says it is.
                    brightpearl.change_stock(ACCOUNT, *product, WAREHOUSE, setup.units - held).expect("stock");
                }
                (warehouse_sku(sku), held.max(setup.units))
            })
            .collect();
        let root = folder.path().join("wms");
        let mut ssh = None;
        let warehouse = match setup.ships {
            Ships::Folder | Ships::Sftp => {
                let config = dsfx::Config {
                    stock: stock
                        .iter()
                        .map(|(sku, units)| SeedStock::plain(sku, FACILITY, Decimal::from(*units)))
                        .collect(),
                    habits: match setup.told {
                        true => Habits { delay: Duration::from_secs(86_400), ..setup.habits },
                        false => setup.habits,
                    },
                    seed: setup.seed,
                    x12: setup.x12.then(dsfx::Partners::default),
                    flat: setup.flat,
                    ..dsfx::Config::new(&root)
                };
                let dsfx = Dsfx::open(config).expect("the warehouse opens");
                if setup.ships == Ships::Sftp {
                    ssh = Some(OpenSsh::start(&root).expect("OpenSSH's server (apt-get install openssh-server)"));
                }
                let stop = CancellationToken::new();
                let (worker, token) = (dsfx.clone(), stop.clone());
                tokio::spawn(async move { worker.run(Duration::from_millis(100), token).await });
                Warehouse::Dsfx { dsfx, stop }
            }
            Ships::Extensiv => Warehouse::Extensiv(extensiv_with(&setup, &stock).await),
            Ships::Mintsoft => Warehouse::Mintsoft(mintsoft_with(&setup, &stock).await),
            Ships::ShipHero => Warehouse::ShipHero(shiphero_with(&setup, &stock).await),
            Ships::Odoo => odoo_with(&setup, &stock),
            Ships::Desk => {
                let free = || std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
                let port = setup.webhooks.unwrap_or_else(|| free().expect("a free port").port());
                setup.webhooks = Some(port);
                Warehouse::Desk(Wms::new(port, setup.habits, !setup.told, &stock))
            }
        };
        let (database, postgres) = match setup.store {
            Store::Sqlite => (format!("sqlite:{}", folder.path().join("millrace.db").display()), None),
            Store::Postgres => {
                let postgres = Postgres::start().expect("PostgreSQL (apt-get install postgresql)");
                let url = postgres.url("millrace");
                (url, Some(postgres))
            }
        };
        let mut world = Self {
            setup,
            brightpearl,
            warehouse,
            ssh,
            postgres,
            folder,
            served_database: database.clone(),
            database,
            lines: Vec::new(),
            environment: Vec::new(),
            callback_address: None,
            webhook_secrets: None,
            program: None,
            second: None,
            starts: 0,
            skus,
        };
        if world.setup.lines {
            world.lay_lines().await;
        }
        world.command(&["init"]);
        world.apply();
        if let Warehouse::Desk(wms) = &world.warehouse {
            let (code, made) = world.ask(&["keys", "create", "--name", "WMS", "--warehouse", "Acme warehouse"]);
            assert_eq!(code, 0, "{made}");
            wms.take_key(made["key"].as_str().expect("a key"));
            if world.setup.works {
                wms.start(world.setup.seed);
            }
        }
        world
    }

    /// Writes the configuration and applies it.
    pub fn apply(&self) {
        let file = self.folder.path().join("millrace.toml");
        std::fs::write(&file, self.configuration()).expect("the configuration is written");
        self.command(&["apply", "-f", file.to_str().expect("a plain path")]);
    }

    /// From now on a Mintsoft warehouse is told to call here. Takes effect with [`World::apply`].
    pub fn call_back_at(&mut self, address: &str) {
        let file = self.folder.path().join("callback-address");
        std::fs::write(&file, address).expect("the address is written");
        self.callback_address = Some(file);
    }

    /// From now on calls of a ShipHero warehouse are signed with one of these. Takes effect with [`World::apply`].
    pub fn trust_webhooks(&mut self, secrets: &[String]) {
        let file = self.folder.path().join("webhook-secrets");
        std::fs::write(&file, secrets.join("\n")).expect("the secrets are written");
        self.webhook_secrets = Some(file);
    }

    /// Puts a line in front of everything that is reached over the network. Commands reach the database without one: they are
    /// how a test looks, not what it tests.
    async fn lay_lines(&mut self) {
        let seed = self.setup.seed;
        let mut ports: Vec<u16> = vec![port_of(&self.brightpearl.base_url()).expect("a port")];
        match (&self.warehouse, &self.ssh) {
            (Warehouse::Extensiv(running), _) => ports.push(port_of(&running.base_url()).expect("a port")),
            (Warehouse::Mintsoft(running), _) => ports.push(port_of(&running.base_url()).expect("a port")),
            (Warehouse::ShipHero(running), _) => ports.push(port_of(&running.base_url()).expect("a port")),
            (Warehouse::Odoo(odoo, _), _) => ports.push(port_of(odoo.url()).expect("a port")),
            (Warehouse::Dsfx { .. }, Some(ssh)) => ports.push(ssh.port()),
            (Warehouse::Dsfx { .. }, None) | (Warehouse::Desk(_), _) => {}
        }
        let database = (self.setup.store == Store::Postgres).then(|| port_of(&self.database).expect("a port"));
        ports.extend(database);
        for port in ports {
            let target = (std::net::Ipv4Addr::LOCALHOST, port).into();
            self.lines.push(Proxy::start(target, seed.wrapping_add(port.into())).await.expect("a free port"));
        }
        if database.is_some() {
            self.served_database = self.behind_line(&self.database);
        }
    }

    /// The lines to Brightpearl, to the warehouse unless it is a folder, and to PostgreSQL, where the world has them.
    pub fn lines(&self) -> &[Proxy] {
        &self.lines
    }

    /// The port of the line in front of a port, or the port itself.
    fn line_port(&self, port: u16) -> u16 {
        let line = self.lines.iter().find(|line| line.target().port() == port);
        line.map_or(port, Proxy::port)
    }

    /// An address with the port of the line in front of it.
    fn behind_line(&self, address: &str) -> String {
        let port = port_of(address).expect("an address with a port");
        address.replace(&format!(":{port}"), &format!(":{}", self.line_port(port)))
    }

    /// The database server, where there is one.
    pub fn postgres(&mut self) -> &mut Postgres {
        self.postgres.as_mut().expect("a world on PostgreSQL")
    }

    /// From now on the program reaches its database under this address.
    pub fn reach_database_at(&mut self, address: &str) {
        address.clone_into(&mut self.database);
        address.clone_into(&mut self.served_database);
    }

    /// From now on the program runs with this in its environment, or without it.
    pub fn set_environment(&mut self, name: &str, value: Option<&str>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// A second program on the same database, with a folder and a key file of its own.
    pub fn second_node(&mut self) -> Child {
        let folder = self.folder.path().join("second-node");
        std::fs::create_dir_all(&folder).expect("a folder");
        let key = folder.join("millrace.key");
        std::fs::copy(self.folder.path().join("millrace.key"), &key).expect("the key");
        self.starts += 1;
        let log = std::fs::File::create(self.log_file(self.starts)).expect("a log file");
        self.program_command()
            .arg("--key-file")
            .arg(&key)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "info,sqlx=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the program starts")
    }

    /// The database's file, where it is one.
    pub fn database_file(&self) -> PathBuf {
        self.folder.path().join("millrace.db")
    }

    /// Where the program's files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs one command of the program to its end; its output.
    pub fn command(&self, arguments: &[&str]) -> String {
        let (ok, output) = self.try_command(arguments);
        assert!(ok, "millrace {arguments:?} failed:\n{output}");
        output
    }

    /// Runs one command of the program to its end; whether it went well, and what it printed.
    pub fn try_command(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.program_command().args(arguments).output().expect("the program runs");
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        (output.status.success(), text)
    }

    /// Runs one command with `--json`; its exit code and its answer, `null` where it gave none.
    pub fn ask(&self, arguments: &[&str]) -> (i32, serde_json::Value) {
        let output = self.program_command().arg("--json").args(arguments).output().expect("the program runs");
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().unwrap_or(-1), answer)
    }

    fn program_command(&self) -> Command {
        self.program_on(&self.database)
    }

    fn program_on(&self, database: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command
            .arg("--data")
            .arg(self.folder.path())
            .arg("--database")
            .arg(database)
            .arg("--time-factor")
            .arg(self.setup.factor.to_string())
            .arg("--allow-stand-ins")
            .args(self.setup.webhooks.map(|port| format!("--public-url=http://127.0.0.1:{port}")))
            .env("BP_PASSWORD", PASSWORD)
            .env("WMS_SECRET", "secret")
            .env_remove("MILLRACE_KEY")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the program; its output goes to a file of its own.
    pub fn start(&mut self) {
        assert!(self.program.is_none(), "it runs already");
        self.program = Some(self.serve(Some("first")));
    }

    /// The same, as whoever gives nodes no names starts it: each start is another node.
    pub fn start_unnamed(&mut self) {
        assert!(self.program.is_none(), "it runs already");
        self.program = Some(self.serve(None));
    }

    /// Asks the program to end, as a service manager does, and waits until it has.
    pub fn stop(&mut self) {
        let mut program = self.program.take().expect("it runs");
        signal("-TERM", &program.id().to_string());
        assert!(program.wait().expect("it ends").success(), "it ends well");
    }

    /// Starts a second node on the same database.
    pub fn start_second(&mut self) {
        assert!(self.second.is_none(), "it runs already");
        assert_eq!(self.setup.store, Store::Postgres, "several nodes share one PostgreSQL");
        self.second = Some(self.serve(Some("second")));
    }

    /// A node keeps its name over its restarts, so that it goes on at once and the next kill meets it at work.
    fn serve(&mut self, node: Option<&str>) -> Child {
        self.starts += 1;
        let log = std::fs::File::create(self.log_file(self.starts)).expect("a log file");
        self.program_on(&self.served_database)
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.setup.webhooks.unwrap_or(0))])
            .args(node.iter().flat_map(|name| ["--node", name]))
            .env("RUST_LOG", "info,sqlx=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the program starts")
    }

    fn log_file(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("serve-{number}.log"))
    }

    /// Everything every run of the program wrote.
    pub fn logs(&self) -> String {
        (1..=self.starts).filter_map(|number| std::fs::read_to_string(self.log_file(number)).ok()).collect()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        kill(&mut self.program);
    }

    /// `kill -9` of the second node.
    pub fn kill_second(&mut self) {
        kill(&mut self.second);
    }

    /// Stops a node where it stands, as a frozen machine does, and lets it go on after so long.
    pub async fn stand_still(&self, first: bool, how_long: Duration) {
        let node = if first { &self.program } else { &self.second };
        let process = node.as_ref().expect("it runs").id().to_string();
        signal("-STOP", &process);
        tokio::time::sleep(how_long).await;
        signal("-CONT", &process);
    }

    /// Whether the program still runs.
    pub fn runs(&mut self) -> bool {
        self.program.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Memory of the program in KiB, as the system counts it.
    pub fn memory(&self) -> u64 {
        let process = self.program.as_ref().expect("it runs").id();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).expect("the system says how much")
    }

    /// Waits until `done`, at most `limit`; panics with `what`, the problem and the end of the log otherwise. Limits are those
    /// of a world with the usual factor; where waits are longer, so are they.
    pub async fn until(&mut self, what: &str, limit: Duration, mut done: impl FnMut(&Self) -> Result<(), String>) {
        let start = Instant::now();
        let limit = limit * (FACTOR / self.setup.factor.clamp(1, FACTOR));
        loop {
            let problem = match done(self) {
                Ok(()) => return,
                Err(problem) => problem,
            };
            if start.elapsed() > limit || (self.program.is_some() && !self.runs()) {
                let logs = self.logs();
                let tail: Vec<&str> = logs.lines().rev().take(60).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                let kept = std::env::temp_dir().join(format!("millrace-failed-{}", std::process::id()));
                let _ = std::fs::write(&kept, &logs);
                let orders = self.try_command(&["orders", "list", "--limit", "20"]).1;
                let drift = self.try_command(&["drift", "main"]).1;
                panic!(
                    "{what}, after {:?}: {problem}\n--- orders\n{orders}\n--- drift\n{drift}\n--- log\n{}",
                    start.elapsed(),
                    tail.join("\n")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn configuration(&self) -> String {
        let mut toml = format!(
            r#"
[[merchant]]
name = "Acme"

[[store]]
name = "Acme Brightpearl"
merchant = "Acme"
platform = "brightpearl"
[store.settings]
datacenter_code = "eu1"
account_id = "{ACCOUNT}"
email = "api.user@example.test"
base_url = "{}"
calls_per_minute = {}
[store.secrets]
password = {{ env = "BP_PASSWORD" }}

[[warehouse]]
name = "Acme warehouse"
merchant = "Acme"
"#,
            self.behind_line(&self.brightpearl.base_url()),
            self.setup.calls_per_minute,
        );
        let root = self.folder.path().join("wms");
        // Some customers have names without a single letter of the alphabet.
        let (platform, exchange) = match (self.setup.x12, self.setup.flat) {
            (true, _) => (
                "x12",
                format!("our_id = \"BPMERCHANT\"\ntheir_id = \"THREEPL\"\nascii_only = false\n{}", self.setup.exchange),
            ),
            (false, true) => {
                let own = self.setup.exchange.contains("shipment_columns");
                ("csv", format!("{FLAT}{}{}", if own { "" } else { FLAT_SHIPMENTS }, self.setup.exchange))
            }
            (false, false) => ("dsfx", self.setup.exchange.clone()),
        };
        match (&self.warehouse, &self.ssh) {
            (Warehouse::Dsfx { .. }, None) => {
                toml.push_str(&format!(
                    "platform = \"{platform}\"\n[warehouse.settings]\ntransport = \"folder\"\nfolder = \"{}\"\n{exchange}\n",
                    root.display(),
                ));
            }
            (Warehouse::Dsfx { .. }, Some(ssh)) => {
                let key = self.folder.path().join("sftp.key");
                let mut file = std::fs::File::create(&key).expect("a key file");
                file.write_all(ssh.private_key().as_bytes()).expect("the key is written");
                toml.push_str(&format!(
                    "platform = \"{platform}\"\n[warehouse.settings]\ntransport = \"sftp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"{}\"\nhost_key = \"{}\"\nroot = \"{}\"\n{exchange}\n[warehouse.secrets]\nprivate_key = {{ file = \"{}\" }}\n",
                    self.line_port(ssh.port()), ssh.user(), ssh.host_key(), ssh.root().display(), key.display()
                ));
            }
            (Warehouse::Extensiv(running), _) => {
                toml.push_str(&format!(
                    "platform = \"extensiv\"\n[warehouse.settings]\nclient_id = \"client\"\nuser_login_id = \"millrace\"\ncustomer_id = {CUSTOMER}\nfacility_id = 10\ntime_zone = \"America/New_York\"\nbase_url = \"{}\"\ncalls_per_minute = 4000\n[warehouse.secrets]\nclient_secret = {{ env = \"WMS_SECRET\" }}\n",
                    self.behind_line(&running.base_url())
                ));
            }
            (Warehouse::Mintsoft(running), _) => {
                toml.push_str(&format!(
                    "platform = \"mintsoft\"\n[warehouse.settings]\nusername = \"hub\"\nclient_id = {CLIENT}\nwarehouse_id = 3\nunique_numbers = {}\nbase_url = \"{}\"\ncalls_per_minute = 4000\n{}\n[warehouse.secrets]\npassword = {{ env = \"WMS_SECRET\" }}\n",
                    self.setup.unique_numbers,
                    self.behind_line(&running.base_url()),
                    self.setup.exchange,
                ));
                if let Some(address) = &self.callback_address {
                    toml.push_str(&format!("callback_address = {{ file = \"{}\" }}\n", address.display()));
                }
            }
            (Warehouse::ShipHero(running), _) => {
                toml.push_str(&format!(
                    "platform = \"shiphero\"\n[warehouse.settings]\nusername = \"hub@example.test\"\ncustomer_account_id = \"{}\"\nwarehouse_id = \"{}\"\nbase_url = \"{}\"\ncalls_per_minute = 4000\n{}\n[warehouse.secrets]\npassword = {{ env = \"WMS_SECRET\" }}\n",
                    shiphero::global("CustomerAccount", CHILD),
                    shiphero::global("Warehouse", 1),
                    self.behind_line(&running.base_url()),
                    self.setup.exchange,
                ));
                if let Some(secrets) = &self.webhook_secrets {
                    toml.push_str(&format!("webhook_secrets = {{ file = \"{}\" }}\n", secrets.display()));
                }
            }
            (Warehouse::Odoo(odoo, _), _) => {
                let key = self.folder.path().join("odoo.key");
                std::fs::write(&key, odoo.key(odoo.login())).expect("the key is written");
                toml.push_str(&format!(
                    "platform = \"odoo\"\n[warehouse.settings]\ndatabase = \"{}\"\nlogin = \"{}\"\nwarehouse = \"WH\"\nbase_url = \"{}\"\ncalls_per_minute = 4000\n{}\n[warehouse.secrets]\napi_key = {{ file = \"{}\" }}\n",
                    odoo.database(),
                    odoo.login(),
                    self.behind_line(odoo.url()),
                    self.setup.exchange,
                    key.display(),
                ));
            }
            (Warehouse::Desk(_), _) => {
                toml.push_str("platform = \"warehouse_api\"\n[warehouse.settings]\ncarriers = \"UPS: Ground\"\n");
            }
        }
        let listings: Vec<String> =
            self.skus.iter().map(|(_, sku)| format!("[\"{sku}\", \"{}\"]", warehouse_sku(sku))).collect();
        toml.push_str(&format!(
            r#"
[[connection]]
name = "main"
merchant = "Acme"
store = "Acme Brightpearl"
warehouse = "Acme warehouse"
enabled = true
[connection.settings]
start_mode = "{}"
import_statuses = ["Ready to ship"]
warehouse = "Example 3PL"
at_warehouse_status = "At warehouse"
shipped_status = "Shipped"
price_list = "Cost"
default_ship_method = {{ carrier = "UPS", service = "Ground" }}
default_source_method = "Courier"
{}
[connection.settings.stock]
basis = "{}"
increases = "correct"
first_run = "approve"
settle_seconds = 10
{}
[connection.channels]
orders = {{ enabled = true, every_seconds = 10 }}
shipments = {{ enabled = true, every_seconds = 10 }}
stock = {{ enabled = true, every_seconds = 10 }}
[connection.mappings]
listings = [{}]
"#,
            self.setup.start_mode,
            self.setup.settings,
            self.setup.basis,
            self.setup.stock,
            listings.join(", "),
        ));
        toml
    }

    /// The account's status of this name.
    pub fn status(&self, name: &str) -> i64 {
        self.brightpearl.status_id(ACCOUNT, name).expect("a status of the account")
    }

    /// An order that is ready to go.
    pub fn ready(&self, lines: Vec<NewLine>) -> NewOrder {
        NewOrder {
            status_id: Some(self.status("Ready to ship")),
            warehouse_id: Some(WAREHOUSE),
            shipping_method_id: Some(49),
            channel_id: Some(1),
            ..NewOrder::of(lines)
        }
    }

    /// Places an order.
    pub fn place(&self, order: NewOrder) -> i64 {
        self.brightpearl.create_order(ACCOUNT, order).expect("an order")
    }

    /// What the warehouse has.
    pub fn warehouse_orders(&self) -> Vec<WarehouseOrder> {
        match &self.warehouse {
            Warehouse::Dsfx { dsfx, .. } => audit::dsfx_orders(&dsfx.ledger()),
            Warehouse::Extensiv(running) => audit::extensiv_orders(&running.handle().ledger(), CUSTOMER),
            Warehouse::Mintsoft(running) => audit::mintsoft_orders(&running.handle().ledger(), CLIENT),
            Warehouse::ShipHero(running) => audit::shiphero_orders(&running.handle().ledger(), CHILD),
            Warehouse::Odoo(odoo, _) => odoo.orders().expect("Odoo's orders"),
            Warehouse::Desk(wms) => wms.orders(),
        }
    }

    /// Compares both ends.
    pub fn audit(&self, expected: &BTreeSet<i64>) -> Audit {
        let order_of = |key: &str| -> Option<i64> {
            let rest = key.split("-O").nth(1)?;
            rest.split('-').next()?.parse().ok()
        };
        let translate = |units: &Units| -> Units {
            units.iter().map(|(sku, count)| (sku.strip_prefix("W-").unwrap_or(sku).to_owned(), *count)).collect()
        };
        let terms = Terms { account: ACCOUNT, expected, order_of: &order_of, translate: &translate };
        audit::compare(&self.brightpearl, &self.warehouse_orders(), &terms)
    }

    /// Whether every expected order has left and Brightpearl knows it: the audit is clean, every unit asked for has been
    /// shipped, and every order has the status *shipped*.
    pub fn all_told(&self, expected: &BTreeSet<i64>) -> Result<(), String> {
        let audit = self.audit(expected);
        let problems = audit.problems();
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        let shipped = self.status("Shipped");
        for id in expected {
            let order = self.brightpearl.order(ACCOUNT, *id).map_err(|error| error.to_string())?;
            if order.shipping_status != "ASS" {
                return Err(format!("order {id} is {}", order.shipping_status));
            }
            if order.status_id != shipped {
                return Err(format!("order {id} has the status {}", order.status_name));
            }
        }
        Ok(())
    }

    /// What lies on the warehouse's shelves, by Brightpearl's SKU.
    pub fn physical(&self) -> BTreeMap<String, Decimal> {
        let mut physical: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut add = |sku: &str, units: Decimal| {
            if let Some(sku) = sku.strip_prefix("W-") {
                *physical.entry(sku.to_owned()).or_default() += units;
            }
        };
        match &self.warehouse {
            Warehouse::Dsfx { dsfx, .. } => {
                for row in dsfx.stock() {
                    add(&row.sku, row.physical);
                }
            }
            Warehouse::Extensiv(running) => {
                for row in running.handle().ledger().stock {
                    add(&row.sku, row.physical);
                }
            }
            Warehouse::Mintsoft(running) => {
                for row in running.handle().ledger().stock {
                    add(&row.sku, Decimal::from(row.units));
                }
            }
            Warehouse::ShipHero(running) => {
                for (sku, (_, units)) in running.handle().figures(CHILD) {
                    add(&sku, Decimal::from(units));
                }
            }
            Warehouse::Odoo(odoo, _) => {
                for (sku, (_, units)) in odoo.figures().expect("Odoo's stock") {
                    add(&sku, units);
                }
            }
            Warehouse::Desk(wms) => {
                for (sku, units) in wms.shelves() {
                    add(&sku, units);
                }
            }
        }
        physical
    }

    /// Where the shelves and Brightpearl differ.
    pub fn stock_differences(&self) -> Vec<(String, Decimal, Decimal)> {
        audit::stock_differences(&self.brightpearl, ACCOUNT, WAREHOUSE, &self.physical())
    }

    /// Changes what Brightpearl believes, as a mistake made there would: from now on it differs from the shelf by this.
    pub fn mistake(&self, product: i64, units: i64) {
        self.brightpearl.change_stock(ACCOUNT, product, WAREHOUSE, units).expect("a change of stock");
    }

    /// The warehouse counts, and reports.
    pub fn count(&self) {
        if let Warehouse::Dsfx { dsfx, .. } = &self.warehouse {
            dsfx.count(connect::Clock::now(&connect::SystemClock::default())).expect("a stock file");
        }
    }

    /// Does what a person would do about parked effects, having looked in the other system: what was looked for in vain twice
    /// goes again; a goods-out note that the hub may not take for its own, before the first one has confirmed under which
    /// contact its notes are kept, is there if the API user made it. How many there were.
    pub fn decide_parked(&self) -> usize {
        let listed = self.command(&["effects", "list", "--state", "parked", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("a list of effects");
        let items = listed["items"].as_array().cloned().expect("a list of effects");
        let mut decided = 0;
        for item in items {
            let (Some(id), Some(note)) = (item["id"].as_str(), item["note"].as_str()) else {
                panic!("an effect: {item}")
            };
            if note.contains("unknown twice") {
                self.command(&["effects", "retry", id, "--reason", "looked for in Brightpearl: it is not there"]);
                decided += 1;
            } else if note.contains("not confirmed yet") {
                let number: i64 = note.split(' ').find_map(|word| word.parse().ok()).expect("the note's number");
                let found =
                    self.brightpearl.all_notes(ACCOUNT).expect("notes").into_iter().find(|note| note.id == number);
                assert_eq!(found.expect("it is there").created_by, 4, "the API user made it");
                self.command(&["effects", "applied", id, "--reference", &number.to_string(), "--reason", "seen there"]);
                decided += 1;
            }
        }
        decided
    }

    /// What must hold at every moment, whatever happened.
    pub fn invariants(&self) -> Result<(), String> {
        self.brightpearl.check_double_entry(ACCOUNT)?;
        let markers = self.brightpearl.correction_markers(ACCOUNT).map_err(|error| error.to_string())?;
        if let Some((marker, count)) = markers.iter().find(|(_, count)| **count > 1) {
            return Err(format!("marker {marker} is {count} times in Brightpearl (K3)"));
        }
        if let Warehouse::Desk(wms) = &self.warehouse {
            let problems = wms.problems();
            if !problems.is_empty() {
                return Err(problems.join("\n"));
            }
        }
        if let Warehouse::ShipHero(running) = &self.warehouse {
            let off = running.handle().ledger().off_schema;
            if let Some(first) = off.first() {
                return Err(format!("{} requests or answers are not of ShipHero's schema: {first}", off.len()));
            }
        }
        let busiest = self.brightpearl.busiest_window(ACCOUNT);
        if busiest > 200 {
            return Err(format!("{busiest} calls in one window (RL1)"));
        }
        Ok(())
    }
}

fn kill(program: &mut Option<Child>) {
    if let Some(mut child) = program.take() {
        child.kill().expect("the program can be killed");
        child.wait().expect("it ends");
    }
}

fn signal(which: &str, process: &str) {
    let done = Command::new("kill").args([which, process]).status().expect("kill is there");
    assert!(done.success(), "kill {which} {process}");
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
        self.kill_second();
        match &mut self.warehouse {
            Warehouse::Dsfx { stop, .. } => stop.cancel(),
            Warehouse::Desk(wms) => wms.stop(),
            Warehouse::Odoo(_, shift) => drop(shift.take()),
            Warehouse::Extensiv(_) | Warehouse::Mintsoft(_) | Warehouse::ShipHero(_) => {}
        }
    }
}

async fn extensiv_with(setup: &Setup, stock: &BTreeMap<String, i64>) -> extensiv::Running {
    let running = extensiv::Extensiv::start(extensiv::Config {
        seed: setup.seed,
        habits: extensiv::Habits {
            split_percent: setup.habits.part_then_rest_percent,
            short_percent: setup.habits.short_percent,
            boxes_percent: setup.habits.boxes_percent,
            freight_percent: 5,
            cancel_percent: 0,
        },
        work_every: (setup.works && !setup.told).then_some(Duration::from_millis(150)),
        ..extensiv::Config::default()
    })
    .await
    .expect("the Extensiv simulator starts");
    for (sku, units) in stock {
        running.handle().add_item(CUSTOMER, sku);
        running.handle().receive(&extensiv::Received::plain(CUSTOMER, 10, sku, Decimal::from(*units)));
    }
    running
}

async fn mintsoft_with(setup: &Setup, stock: &BTreeMap<String, i64>) -> mintsoft::Running {
    let uniqueness = match setup.unique_numbers {
        true => mintsoft::Uniqueness::PerClient,
        false => mintsoft::Uniqueness::None,
    };
    let running = mintsoft::Mintsoft::start(mintsoft::Config {
        seed: setup.seed,
        switches: mintsoft::Switches { uniqueness, ..setup.mintsoft },
        habits: mintsoft::Habits {
            split_percent: setup.habits.part_then_rest_percent,
            short_percent: setup.habits.short_percent,
            boxes_percent: setup.habits.boxes_percent,
        },
        work_every: (setup.works && !setup.told).then_some(Duration::from_millis(150)),
        ..mintsoft::Config::default()
    })
    .await
    .expect("the Mintsoft simulator starts");
    for (sku, units) in stock {
        running.handle().add_product(CLIENT, sku);
        running.handle().receive(&mintsoft::Received::plain(CLIENT, 3, sku, *units));
    }
    running
}

async fn shiphero_with(setup: &Setup, stock: &BTreeMap<String, i64>) -> shiphero::Running {
    let usual = shiphero::Credits::default();
    let running = shiphero::ShipHero::start(shiphero::Config {
        seed: setup.seed,
        switches: setup.shiphero,
        // Credits come back faster by as much as every wait is shorter.
        credits: shiphero::Credits { per_second: usual.per_second * setup.factor, ..usual },
        habits: shiphero::Habits {
            split_percent: setup.habits.part_then_rest_percent,
            short_percent: setup.habits.short_percent,
            boxes_percent: setup.habits.boxes_percent,
        },
        work_every: (setup.works && !setup.told).then_some(Duration::from_millis(150)),
        ..shiphero::Config::default()
    })
    .await
    .expect("the ShipHero simulator starts");
    for (sku, units) in stock {
        running.handle().receive(CHILD, sku, *units);
    }
    running
}

fn odoo_with(setup: &Setup, stock: &BTreeMap<String, i64>) -> Warehouse {
    let odoo = odoo::Odoo::open().unwrap_or_else(|error| panic!("{error}"));
    let skus: Vec<&str> = stock.keys().map(String::as_str).collect();
    odoo.add_products(&skus, "none").expect("products");
    odoo.shelve(stock).expect("stock");
    let odoo = Arc::new(odoo);
    let habits = odoo::Habits {
        part_percent: setup.habits.part_then_rest_percent.into(),
        boxes_percent: setup.habits.boxes_percent.into(),
    };
    let works = setup.works && !setup.told;
    let shift = works.then(|| odoo::Shift::start(Arc::clone(&odoo), habits, setup.seed, Duration::from_millis(300)));
    Warehouse::Odoo(odoo, shift)
}
