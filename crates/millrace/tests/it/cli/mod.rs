//! The command line, typed.

mod audit;
mod backup;
mod bench;
mod canary;
mod certificates;
mod configuration;
mod figures;
mod hand_offs;
mod logs;
mod merchants;
mod notify;
mod people;
mod preflight;
mod routes;
mod setup;
mod tenants;
mod traces;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use simulators::brightpearl;

/// A folder to type in.
pub struct Desk {
    pub folder: tempfile::TempDir,
    pub password: String,
}

/// What a command came to.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// Both outputs.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

impl Desk {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), password: "example-password".to_owned() }
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command
            .arg("--data")
            .arg(self.data())
            .arg("--allow-stand-ins")
            .env("BP_PASSWORD", &self.password)
            .env_remove("MILLRACE_KEY")
            .env_remove("RUST_LOG")
            .current_dir(self.folder.path());
        command
    }

    /// Types a command.
    pub fn type_in(&self, arguments: &[&str]) -> Ended {
        ended(&self.command().args(arguments).output().unwrap())
    }

    /// Types a command that must work.
    pub fn works(&self, arguments: &[&str]) -> Ended {
        let ended = self.type_in(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.all());
        ended
    }

    /// A warehouse's folder with its two parts.
    pub fn warehouse(&self) -> std::path::PathBuf {
        let folder = self.folder.path().join("wms");
        for part in ["in", "out"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        folder
    }

    /// The usual configuration, written to `millrace.toml` with each `(from, to)` replaced.
    pub fn configure(&self, base_url: &str, changes: &[(&str, &str)]) {
        let mut text =
            CONFIGURATION.replace("BASE_URL", base_url).replace("FOLDER", self.warehouse().to_str().unwrap());
        for (from, to) in changes {
            assert!(text.contains(from), "{from} is not in the configuration");
            text = text.replace(from, to);
        }
        std::fs::write(self.folder.path().join("millrace.toml"), text).unwrap();
    }
}

/// Commands block, and the stand-in answers on this runtime.
pub async fn typed(desk: &Arc<Desk>, arguments: &[&str]) -> Ended {
    let desk = Arc::clone(desk);
    let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
    tokio::task::spawn_blocking(move || desk.type_in(&arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        .await
        .unwrap()
}

/// A server with its log in a file; it is killed when the test lets it go.
pub struct Serving {
    child: Child,
    log: PathBuf,
}

impl Desk {
    /// Serves, with this in the environment.
    pub fn serve(&self, environment: &[(&str, &str)]) -> Serving {
        self.serve_with(&[], environment)
    }

    /// Serves, with these options. What is told on standard output (the link for the first administrator) is no log, and lies beside it.
    pub fn serve_with(&self, options: &[&str], environment: &[(&str, &str)]) -> Serving {
        let log = self.path().join("serve.log");
        let child = self
            .command()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(self.path().join("serve.out")).unwrap())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Serving { child, log }
    }
}

impl Serving {
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Where it listens, once it does.
    pub async fn address(&self) -> String {
        const SAYS: &str = "listening on http://";
        let start = Instant::now();
        loop {
            let text = self.log();
            if let Some(at) = text.find(SAYS) {
                let rest = &text[at + SAYS.len()..];
                return rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it does not listen: {text}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Until orders have gone through the whole of it.
    pub async fn sends_an_order_on(&self, key: &str) {
        let address = self.address().await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let start = Instant::now();
        loop {
            let asked = client.get(format!("http://{address}/api/v1/orders?state=open")).bearer_auth(key);
            if asked.send().await.unwrap().text().await.unwrap().contains("\"open\"") {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "no order was sent on");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Asked to end, as a service is; its whole log.
    pub fn end(mut self) -> String {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
        self.log()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

pub fn ended(output: &Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An account to sign in to. Served by the test's own runtime, so commands are typed from another thread.
pub async fn account(orders: usize, password: &str) -> brightpearl::Running {
    let mut account = brightpearl::AccountConfig::new("acme");
    account.data = brightpearl::DataConfig { products: 60, orders, customers: 5 };
    for user in account.staff.iter_mut().filter(|user| user.api) {
        password.clone_into(&mut user.password);
    }
    let config = brightpearl::Config { accounts: vec![account], ..brightpearl::Config::default() };
    brightpearl::start(config).await.unwrap()
}

const CONFIGURATION: &str = r#"
[tenant]
name = "default"

[[merchant]]
name = "Acme"

[[store]]
name = "BP"
merchant = "Acme"
platform = "brightpearl"
[store.settings]
datacenter_code = "eu1"
account_id = "acme"
email = "api.user@example.test"
base_url = "BASE_URL"
[store.secrets]
password = { env = "BP_PASSWORD" }

[[warehouse]]
name = "WH"
merchant = "Acme"
platform = "dsfx"
[warehouse.settings]
transport = "folder"
folder = "FOLDER"

[[connection]]
name = "main"
merchant = "Acme"
store = "BP"
warehouse = "WH"
enabled = true
[connection.settings]
import_statuses = ["Ready to ship"]
warehouse = "Example 3PL"
at_warehouse_status = "At warehouse"
shipped_status = "Shipped"
default_ship_method = { carrier = "UPS", service = "Ground" }
default_source_method = "Courier"
unmapped_sku = "pass_through"
[connection.settings.stock]
increases = "hold"
[connection.channels]
orders = { enabled = true, every_seconds = 30 }
shipments = { enabled = false, schedule = { rules = [{ kind = "daily", at = "02:00" }] } }
stock = { enabled = true }
[connection.mappings]
listings = [["A", "B"], ["C", "D"]]
kits = [{ sku = "SET", parts = [["PART", 2], ["OTHER", 1]] }]
ship_methods = [{ source = "Courier", carrier = "UPS", service = "Ground" }]
locations = [{ facility = "1", warehouse = "Example 3PL" }]
"#;
