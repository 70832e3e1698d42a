//! A new installation, and what stands in the way of one.

use super::Desk;

#[test]
fn an_installation_is_made_once() {
    let desk = Desk::new();
    let made = desk.works(&["--json", "init"]).json();
    let key = made["administrator_key"].as_str().unwrap();
    assert!(key.starts_with("mr_") && key.len() > 60);
    let file = desk.data().join("millrace.key");
    let before = std::fs::read(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let again = desk.type_in(&["init"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("exists already") && again.err.contains("Nothing was changed"), "{}", again.err);
    // Without the database the key is still kept, and the other way round.
    std::fs::remove_file(desk.data().join("millrace.db")).unwrap();
    assert_eq!(desk.type_in(&["init"]).code, 1);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn without_its_key_nothing_starts() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let file = desk.data().join("millrace.key");
    let key = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["check"], &["orders", "list"]] {
        let ended = desk.type_in(command);
        assert_eq!(ended.code, 3, "{command:?}: {}", ended.all());
        assert!(ended.err.contains("millrace init") && ended.err.contains("millrace.key"), "{}", ended.err);
    }
    // The key may come from the environment instead; another key is not taken for it.
    let from_environment = desk.command().env("MILLRACE_KEY", key.trim()).args(["orders", "list"]).output().unwrap();
    assert!(from_environment.status.success());
    std::fs::write(&file, "not a key\n").unwrap();
    let wrong = desk.type_in(&["check"]);
    assert_eq!(wrong.code, 3, "{}", wrong.all());
    assert!(!wrong.all().contains("not a key\n"));
}

#[test]
fn exit_codes_are_documented_and_kept() {
    let desk = Desk::new();
    let help = desk.works(&["help", "exit-codes"]);
    for line in ["0  it worked", "3  configuration or credentials", "5  something needs a person"] {
        assert!(help.out.contains(line), "{}", help.out);
    }
    assert_eq!(desk.type_in(&["fly"]).code, 2);
    desk.works(&["init"]);
    for nothing in [
        &["orders", "show", "12345"][..],
        &["orders", "show", "ord_00000000000000000000000000"],
        &["effects", "show", "eff_00000000000000000000000000"],
        &["shipments", "show", "shp_00000000000000000000000000"],
        &["stock", "show", "run_x"],
        &["connections", "show", "nothing"],
        &["exceptions", "resolve", "exc_x"],
        &["keys", "revoke", "key_x"],
        &["--tenant", "nobody", "orders", "list"],
    ] {
        let ended = desk.type_in(nothing);
        assert_eq!(ended.code, 4, "{nothing:?}: {}", ended.all());
        assert!(ended.err.contains("does not exist"), "{}", ended.err);
    }
    let machine = desk.type_in(&["--json", "orders", "show", "12345"]);
    let told: serde_json::Value = serde_json::from_str(&machine.err).unwrap();
    assert_eq!((told["type"].as_str(), told["exit_code"].as_i64()), (Some("not_found"), Some(4)));
}

#[test]
fn the_wrapping_key_is_replaced() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let file = desk.data().join("millrace.key");
    let old = std::fs::read_to_string(&file).unwrap();
    let before = desk.works(&["--json", "keys", "wrapping"]).json();
    assert!(before["rotated_at"].is_null() && before["left"] == 0, "{before}");
    // Another rotation is under way.
    let busy = std::fs::File::open(desk.data()).unwrap();
    busy.lock().unwrap();
    let refused = desk.type_in(&["keys", "rotate"]);
    assert!(refused.code != 0 && refused.err.contains("being replaced already"), "{}", refused.all());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), old);
    drop(busy);
    desk.works(&["keys", "rotate"]);
    let both = std::fs::read_to_string(&file).unwrap();
    assert!(both.ends_with(&old) && both.lines().count() == 2);
    let after = desk.works(&["--json", "keys", "wrapping"]).json();
    assert!(after["key"] != before["key"] && after["rotated_at"].is_string() && after["left"] == 0, "{after}");
    assert!(!after.to_string().contains(both.lines().next().unwrap()), "a key is never shown");
    // The old line may go.
    std::fs::write(&file, both.lines().next().unwrap()).unwrap();
    desk.works(&["check"]);
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let ended = desk.type_in(&["--database", "postgres://hub:CANARY-pw@127.0.0.1:1/millrace", "check"]);
    assert_eq!(ended.code, 3, "{}", ended.all());
    assert!(ended.err.contains("127.0.0.1:1") && !ended.all().contains("CANARY"), "{}", ended.err);
}

#[test]
fn x12_documents_are_shown_without_an_installation() {
    let desk = Desk::new();
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/x12");
    let file = |name: &str| samples.join(name).display().to_string();
    let shown = desk.works(&["x12", "show", &file("reference/945.edi")]).out;
    for told in
        ["Warehouse shipping advice", "Depositor order number: BP100001-1", "CP (part shipped, the rest is cancelled)"]
    {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let faulty = desk.works(&["--json", "x12", "show", &file("collected/856_boxes.edi")]).out;
    let faulty: serde_json::Value = serde_json::from_str(&faulty).unwrap();
    let findings: Vec<&str> = faulty
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|segment| segment["findings"].as_array().unwrap())
        .filter_map(|finding| finding.as_str())
        .collect();
    assert!(findings.len() == 1 && findings[0].contains("SE01 counts 15"), "{findings:?}");
    let broken = desk.type_in(&["x12", "show", &file("collected/940_isa_seventeen_elements.edi")]);
    assert!(broken.code == 3 && broken.err.contains("more than 16 elements"), "{}", broken.all());
    assert!(!desk.data().join("millrace.db").exists(), "it opened no database");
}

#[test]
fn a_sample_file_is_shown_as_it_would_be_read() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let file = desk.path().join("despatch.csv");
    std::fs::write(&file, "Order|Date|Item|Qty\nA|23/11/2026|SKU-A|2\nB|2026|SKU-A|1\n").unwrap();
    let file = file.display().to_string();
    let arguments = [
        "preview",
        &file,
        "--holds",
        "shipments",
        "--platform",
        "csv",
        "--set",
        "shipment_files=desp*.csv",
        "--set",
        "delimiter=pipe",
        "--set",
        "dates=DD/MM/YYYY",
        "--set",
        "shipment_columns=order_number=Order, shipped_at=Date, sku=Item, quantity=Qty",
    ];
    let shown = desk.works(&arguments).out;
    for told in [
        "Columns: Order | Date | Item | Qty",
        "order A: shipment 20261123T000000Z, 2 units",
        "line 3, column 2",
        "BPexample-O100001",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    assert!(!shown.contains("left alone"), "{shown}");
    let other = desk.works(&["preview", &file, "--holds", "shipments", "--platform", "csv"]).out;
    assert!(other.contains("left alone") && other.contains("Nothing of the file would be used"), "{other}");
    let none = desk.type_in(&["preview", &file, "--holds", "shipments", "--platform", "extensiv"]);
    assert!(none.code != 0 && none.err.contains("no layout to describe"), "{}", none.all());
}

/// The book lists every setting and every exit code that there is.
#[test]
fn the_book_lists_every_setting() {
    use clap::CommandFactory as _;
    millrace::cli::args::Cli::command().debug_assert();
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let book = std::fs::read_to_string(docs.join("configuration.md")).unwrap();
    for spec in connectors::CONNECTORS {
        let (_, part) = book.split_once(&format!("### `{}`", spec.name)).unwrap_or_else(|| panic!("{}", spec.name));
        let part = part.split("\n### ").next().unwrap();
        for field in spec.fields {
            assert!(part.contains(&format!("| `{}` |", field.name)), "{}: {}", spec.name, field.name);
            let row = part.lines().find(|line| line.starts_with(&format!("| `{}` |", field.name))).unwrap();
            if let Some(default) = field.default.filter(|_| !field.required) {
                // In a table, the mark between cells is written so that it is none.
                let default = default.replace('|', "\\|");
                assert!(row.contains(&format!("`{default}`")), "{}: {}", spec.name, field.name);
            }
        }
    }
    let settings = serde_json::to_value(millrace::operate::file::ConnectionSettingsIn::default()).unwrap();
    for (name, value) in settings.as_object().unwrap() {
        let known = name == "stock" || book.contains(&format!("| `{name}` |"));
        assert!(known, "{name} is not in docs/configuration.md");
        for inner in value.as_object().into_iter().flatten().map(|(inner, _)| inner) {
            assert!(book.contains(&format!("`{inner}")), "stock.{inner} is not in docs/configuration.md");
        }
    }
    let book = std::fs::read_to_string(docs.join("cli.md")).unwrap();
    for line in millrace::cli::args::EXIT_CODES.lines().filter(|line| line.starts_with("  ")) {
        let (code, means) = line.trim().split_once("  ").unwrap();
        assert!(book.contains(&format!("| {code} | {means} |")), "{line}");
    }
}

/// What is wrong with an identity provider is said at the start, and nothing of its secret.
#[test]
fn a_provider_that_cannot_be_used_is_refused_at_the_start() {
    let desk = Desk::new();
    desk.works(&["init"]);
    let (good, public) = ("https://login.example.com", "https://hub.example.com");
    for (issuer, public, secret, why) in [
        ("https://10.0.0.1", public, "CANARY", "--oidc-issuer"),
        ("https://login.example.com/?x=1", public, "CANARY", "query"),
        ("login.example.com", public, "CANARY", "not an address"),
        (good, "", "CANARY", "--public-url"),
        (good, public, "", "MILLRACE_OIDC_CLIENT_SECRET"),
    ] {
        let mut command = desk.command();
        command.args(["serve", "--listen", "127.0.0.1:0", "--oidc-issuer", issuer, "--oidc-client-id", "millrace"]);
        command.env_remove("MILLRACE_OIDC_CLIENT_SECRET").env_remove("MILLRACE_PUBLIC_URL");
        if !public.is_empty() {
            command.args(["--public-url", public]);
        }
        if !secret.is_empty() {
            command.env("MILLRACE_OIDC_CLIENT_SECRET", secret);
        }
        let refused = super::ended(&command.output().unwrap());
        assert_eq!(refused.code, 3, "{issuer}: {}", refused.all());
        assert!(refused.err.contains(why) && !refused.all().contains("CANARY"), "{issuer}: {}", refused.all());
    }
    let alone = desk.type_in(&["serve", "--oidc-client-id", "millrace"]);
    assert_eq!(alone.code, 2, "{}", alone.all());
}
