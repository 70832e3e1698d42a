//! Configuration as a file, against the Brightpearl stand-in.

use serde_json::Value;

use super::{Desk, account, typed};

const PLAN: &[&str] = &["--json", "plan", "-f", "millrace.toml"];
const APPLY: &[&str] = &["--json", "apply", "-f", "millrace.toml"];

/// What is changed in the usual file, the exit code, and what the message holds.
type Case = (&'static [(&'static str, &'static str)], i32, &'static [&'static str]);

fn changes(plan: &Value) -> usize {
    plan["changes"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_round() {
    let source = account(0, "example-password").await;
    let desk = std::sync::Arc::new(Desk::new());
    desk.works(&["init"]);
    desk.configure(&source.base_url(), &[]);

    let planned = typed(&desk, PLAN).await.json();
    assert!(changes(&planned) >= 5, "{planned}");
    let nothing = typed(&desk, &["--json", "connections", "list"]).await.json();
    assert_eq!(nothing["items"], serde_json::json!([]), "planning writes nothing");

    let applied = typed(&desk, APPLY).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    assert_eq!(applied.json()["changes"], planned["changes"]);
    for again in [PLAN, APPLY] {
        assert_eq!(changes(&typed(&desk, again).await.json()), 0);
    }
    let shown = typed(&desk, &["--json", "connections", "show", "main"]).await.json();
    assert_eq!(shown["state"], "on");
    assert_eq!(shown["webhooks"], "polling_only");
    assert_eq!(shown["problems"], serde_json::json!([]));

    // What is written out is the same configuration, in an installation of its own too.
    let exported = typed(&desk, &["export"]).await.out;
    assert!(exported.contains("MILLRACE_BP_PASSWORD") && exported.contains("Ready to ship"), "{exported}");
    // Without a zone in the file, a schedule is in the account's.
    let scheduled = typed(&desk, &["--json", "channels", "schedule", "main", "shipments"]).await.json();
    assert_eq!(scheduled["rules"], serde_json::json!([{ "kind": "daily", "at": "02:00" }]));
    let zone = scheduled["zone"].as_str().unwrap();
    assert!(!zone.is_empty() && exported.contains(zone), "{exported}");
    let exported = exported.replace("MILLRACE_BP_PASSWORD", "BP_PASSWORD");
    std::fs::write(desk.path().join("millrace.toml"), &exported).unwrap();
    assert_eq!(changes(&typed(&desk, PLAN).await.json()), 0, "{exported}");
    let other = std::sync::Arc::new(Desk::new());
    other.works(&["init"]);
    std::fs::write(other.path().join("millrace.toml"), &exported).unwrap();
    let applied = typed(&other, APPLY).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    assert_eq!(typed(&other, &["export"]).await.out.replace("MILLRACE_BP_PASSWORD", "BP_PASSWORD"), exported);

    // A change is shown as one, field by field, and by name.
    desk.configure(
        &source.base_url(),
        &[
            ("shipped_status = \"Shipped\"\n", ""),
            ("every_seconds = 30", "every_seconds = 45"),
            ("at = \"02:00\"", "at = \"03:00\""),
        ],
    );
    let plan = typed(&desk, PLAN).await.json();
    let fields: Vec<(&str, &str)> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|change| {
            change["differences"]
                .as_array()
                .unwrap()
                .iter()
                .map(|difference| (change["what"].as_str().unwrap(), difference["field"].as_str().unwrap()))
        })
        .collect();
    assert_eq!(fields, [("connection", "shipped_status"), ("channel", "every_seconds"), ("channel", "schedule")]);

    let checked = typed(&desk, &["--json", "check"]).await;
    assert_eq!(checked.code, 0, "{}", checked.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_plainly() {
    let source = account(0, "example-password").await;
    let base = source.base_url();
    let desk = std::sync::Arc::new(Desk::new());
    desk.works(&["init"]);
    let cases: &[Case] = &[
        (&[("api.user@example.test", "nobody@example.test")], 3, &["refused the log-in", "API column"]),
        (&[("account_id = \"acme\"", "account_id = \"other\"")], 3, &["other", "Account ID"]),
        (&[("at = \"02:00\"", "at = \"25:00\"")], 3, &["channels.shipments.schedule.rules.0.at", "time of day"]),
        (&[("\"eu1\"", "\"mars\"")], 3, &["datacenter_code", "must be one of", "eu1"]),
        (
            &[("warehouse = \"Example 3PL\"\nat", "warehouse = \"Moon base\"\nat")],
            3,
            &["no warehouse \"Moon base\"", "there are:", "\"Example 3PL\""],
        ),
        (
            &[("[\"Ready to ship\"]", "[\"Ready to fly\"]")],
            3,
            &["no order status \"Ready to fly\"", "\"Ready to ship\""],
        ),
        (
            &[("merchant = \"Acme\"\nplatform = \"dsfx\"", "merchant = \"Acne\"\nplatform = \"dsfx\"")],
            3,
            &["no merchant \"Acne\""],
        ),
        (&[("platform = \"dsfx\"", "platform = \"pigeons\"")], 3, &["no connector \"pigeons\"", "dsfx"]),
        (&[("unmapped_sku", "unmaped_sku")], 3, &["millrace.toml:", "unknown field `unmaped_sku`"]),
        (
            &[("transport = \"folder\"", "transport = \"folder\"\ncolour = \"red\"")],
            3,
            &["millrace.toml:26: colour is not a setting"],
        ),
        (&[("increases = \"hold\"", "batch = 50")], 3, &["stock.increases: choose"]),
        (&[("{ env = \"BP_PASSWORD\" }", "\"CANARY-hunter2\"")], 3, &["a secret is not written in the file"]),
        (&[("{ env = \"BP_PASSWORD\" }", "{ env = \"NOT_SET_ANYWHERE\" }")], 3, &["NOT_SET_ANYWHERE is not set"]),
        (
            &[(
                "locations = [{ facility = \"1\", warehouse = \"Example 3PL\" }]",
                "locations = [{ facility = \"1\", warehouse = \"Nowhere\" }]",
            )],
            3,
            &["mappings.locations", "Nowhere"],
        ),
        (&[("[[\"A\", \"B\"], [\"C\", \"D\"]]", "[[\"A\", \"B\"], [\"A\", \"D\"]]")], 3, &["A is mapped twice"]),
    ];
    for (edits, code, expected) in cases {
        desk.configure(&base, edits);
        let ended = typed(&desk, &["apply", "-f", "millrace.toml"]).await;
        assert_eq!(ended.code, *code, "{edits:?}: {}", ended.all());
        for text in *expected {
            assert!(ended.err.contains(text), "{edits:?}: wanted {text:?} in {}", ended.err);
        }
        assert!(!ended.all().contains("CANARY"), "{}", ended.all());
        let stores = typed(&desk, &["--json", "connections", "list"]).await.json();
        assert_eq!(stores["items"], serde_json::json!([]), "{edits:?}: nothing was changed");
    }

    // A stand-in's address and a folder of this machine are the operator's to permit.
    desk.configure(&base, &[]);
    let path = desk.path().to_owned();
    let plain = tokio::task::spawn_blocking(move || {
        std::process::Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["--data", "data", "apply", "-f", "millrace.toml"])
            .env("BP_PASSWORD", "example-password")
            .env_remove("MILLRACE_KEY")
            .current_dir(path)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert_eq!(plain.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&plain.stderr).contains("base_url is for the operator"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_with_its_own_exit_code() {
    let source = account(0, "another").await;
    let desk = std::sync::Arc::new(Desk::new());
    desk.works(&["init"]);
    desk.configure(&source.base_url(), &[]);
    let ended = typed(&desk, &["apply", "-f", "millrace.toml"]).await;
    assert_eq!(ended.code, 3, "{}", ended.all());
    assert!(ended.err.contains("millrace.toml:9: store \"BP\"") && ended.err.contains("password"), "{}", ended.err);
    assert!(!ended.all().contains("example-password"));
}

/// What goes to another server is given with it: the same password may be right there, one that is not in the file is not sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_changed_with_its_secrets() {
    let desk = std::sync::Arc::new(Desk::new());
    desk.works(&["init"]);
    let write = |host: &str, secrets: &str| {
        let text = format!(
            "[tenant]\nname = \"default\"\n\n[[merchant]]\nname = \"Acme\"\n\n[[warehouse]]\nname = \"WH\"\nmerchant = \"Acme\"\nplatform = \"dsfx\"\n\
             [warehouse.settings]\nhost = \"{host}\"\nuser = \"acme\"\n{secrets}"
        );
        std::fs::write(desk.path().join("millrace.toml"), text).unwrap();
    };
    let secrets = "[warehouse.secrets]\npassword = { env = \"BP_PASSWORD\" }\n";
    write("sftp.example.com", secrets);
    let applied = typed(&desk, APPLY).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    write("evil.example.com", "");
    let refused = typed(&desk, APPLY).await;
    assert!(refused.code != 0 && refused.err.contains("give it once more"), "{}", refused.all());
    write("sftp2.example.com", secrets);
    let applied = typed(&desk, APPLY).await;
    assert_eq!(applied.code, 0, "{}", applied.all());
    let listed = typed(&desk, &["--json", "warehouses", "list"]).await.json();
    let shown = &listed["items"][0];
    assert_eq!((&shown["settings"]["host"], &shown["secrets"][0]), (&"sftp2.example.com".into(), &"password".into()));
    assert_eq!(changes(&typed(&desk, PLAN).await.json()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_come_and_go_as_csv() {
    let source = account(0, "example-password").await;
    let desk = std::sync::Arc::new(Desk::new());
    desk.works(&["init"]);
    desk.configure(&source.base_url(), &[]);
    assert_eq!(typed(&desk, APPLY).await.code, 0);
    std::fs::write(desk.path().join("more.csv"), "SKU,Their SKU\nA,other\nE,F\n").unwrap();
    let preview =
        typed(&desk, &["--json", "connections", "import-mappings", "main", "listings", "-f", "more.csv", "--preview"])
            .await
            .json();
    assert_eq!((preview["added"].as_u64(), preview["left"].as_array().unwrap().len()), (Some(1), 1));
    let csv = typed(&desk, &["connections", "export-mappings", "main", "listings"]).await.out;
    assert_eq!(csv, "brightpearl_sku,warehouse_sku\r\nA,B\r\nC,D\r\n");
    typed(&desk, &["connections", "import-mappings", "main", "listings", "-f", "more.csv", "--existing", "overwrite"])
        .await;
    let csv = typed(&desk, &["connections", "export-mappings", "main", "listings"]).await.out;
    assert_eq!(csv, "brightpearl_sku,warehouse_sku\r\nA,other\r\nC,D\r\nE,F\r\n");
    std::fs::write(desk.path().join("bad.csv"), "A,B\nonly one\n").unwrap();
    let bad = typed(&desk, &["connections", "import-mappings", "main", "listings", "-f", "bad.csv"]).await;
    assert_eq!(bad.code, 3);
    assert!(bad.err.contains("line 2"), "{}", bad.err);
}
