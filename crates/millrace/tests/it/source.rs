//! What holds by construction, looked up in the source: that it still does (security control 15), that the log keeps to its rules,
//! and that every proof that the book names is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file with one of these endings below a folder: its path from the top of the repository, and its text.
fn sources(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["node_modules", "target"].contains(&name) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let place = path.strip_prefix(&root).unwrap().display().to_string();
                found.push((place, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds none of {endings:?}");
    found
}

/// The program itself: what is built into it, without the tests that stand beside it.
fn program() -> Vec<(String, String)> {
    let mut program = Vec::new();
    for krate in ["connect", "engine", "connectors", "millrace"] {
        for (place, text) in sources(&format!("crates/{krate}/src"), &[".rs"]) {
            if !place.ends_with("tests.rs") {
                let own = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
                program.push((place, own));
            }
        }
    }
    program
}

/// Where a word stands, and how often.
fn places(sources: &[(String, String)], word: &str) -> Vec<(String, usize)> {
    let counted = sources.iter().map(|(place, text)| (place.clone(), text.matches(word).count()));
    let mut found: Vec<(String, usize)> = counted.filter(|(_, count)| *count > 0).collect();
    found.sort();
    found
}

/// A text that is not a constant of the program becomes SQL through `AssertSqlSafe` alone (sqlx takes nothing else), and it stands
/// where each use was looked at: three that get constants and placeholders from within `db/`, a role that the server itself has
/// quoted, and ids of which every letter is checked. No process is started but the program itself, by its benchmark.
#[test]
fn texts_become_neither_sql_nor_commands() {
    let program = program();
    let sql: Vec<(String, usize)> = places(&program, "AssertSqlSafe(");
    let known = [("crates/millrace/src/db/postgres.rs", 2), ("crates/millrace/src/db/sql.rs", 3)];
    assert_eq!(sql, known.map(|(place, count)| (place.to_owned(), count)));
    for word in ["sqlx::", "query_built(", "raw_sql("] {
        for (place, _) in places(&program, word) {
            assert!(place.starts_with("crates/millrace/src/db/"), "{place} has {word}");
        }
    }
    // A text from outside never stands in a query that is put together: what is put in is a constant, or comes from within `db/`.
    for (place, text) in program.iter().filter(|(place, _)| place.starts_with("crates/millrace/src/db/")) {
        for quoted in ["'{", "\\\"{"] {
            for line in text.lines().filter(|line| line.contains(quoted)) {
                let sql = ["SELECT ", "WHERE ", " AND ", "INSERT ", "UPDATE ", "DELETE "];
                assert!(!sql.iter().any(|word| line.contains(word)), "{place} quotes a value itself: {line}");
            }
        }
    }
    let started = places(&program, "Command::new(");
    assert_eq!(started, [("crates/millrace/src/bench/api.rs".to_owned(), 1)]);
    assert_eq!(places(&program, "\"sh\"").len() + places(&program, "/bin/sh").len(), 0);
}

/// Texts are shown as texts: nothing in the browser app makes elements or code of one.
#[test]
fn the_browser_app_makes_no_elements_of_texts() {
    let app = sources("web/src", &[".ts", ".tsx"]);
    for word in [
        "dangerouslySetInnerHTML",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function(",
    ] {
        let found = places(&app, word);
        assert!(found.is_empty(), "{word}: {found:?}");
    }
}

/// What stands between the parentheses of each call of a macro of `tracing`, and whether it makes a span.
fn log_lines(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("tracing::") {
        let rest = &text[at + "tracing::".len()..];
        let Some((name, rest)) = rest.split_once("!(") else { continue };
        let level = name.trim_end_matches("_span");
        if !["trace", "debug", "info", "warn", "error"].contains(&level) {
            continue;
        }
        let (mut depth, mut quoted, mut escaped, mut inner) = (1, false, false, String::new());
        for c in rest.chars() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '(' | '[' | '{' if !quoted => depth += 1,
                ')' | ']' | '}' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            inner.push(c);
        }
        found.push((name.ends_with("_span"), inner));
    }
    found
}

/// Fields of log lines have dotted names (docs/operating.md): whoever searches the log finds one thing under one name.
#[test]
fn fields_of_the_log_have_dotted_names() {
    let mut fields = 0;
    for (place, text) in program() {
        for (is_span, inner) in log_lines(&text) {
            // Before the message; of a span, after its name.
            let said = if is_span { inner.splitn(3, '"').nth(2) } else { inner.split('"').next() };
            let mut depth = 0;
            let parts = said.unwrap_or_default().split(|c: char| {
                depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
                c == ',' && depth == 0
            });
            for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
                let name = part.split('=').next().unwrap_or_default().trim();
                let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.');
                assert!(plain && name.contains('.'), "{place}: {part}");
                fields += 1;
            }
        }
    }
    assert!(fields > 60, "{fields} fields were looked at");
}

/// Names of tests in the book: the last part of what stands between backticks, where it looks like one.
fn named(page: &str) -> BTreeSet<String> {
    let plain = |text: &str| {
        text.contains('_')
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_: ".contains(&byte))
    };
    let quoted = page.split('`').skip(1).step_by(2);
    let names = quoted.filter(|text| plain(text)).filter_map(|text| text.rsplit("::").next());
    names.map(|name| name.rsplit(' ').next().unwrap_or(name).to_owned()).collect()
}

/// Every row of the security table names proofs that exist, or says *not yet*.
#[test]
fn every_proof_of_the_security_table_is_there() {
    let page = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit()).collect();
    assert!(rows.len() >= 33, "the rows of reliability.md are all there: {}", rows.len());
    let mut functions = String::new();
    for (_, text) in sources("crates", &[".rs"]) {
        functions.push_str(&text);
    }
    for row in rows {
        let proofs = named(row);
        let honest = row.to_lowercase().contains("*not yet*") || row.contains("By construction");
        let elsewhere =
            row.contains("Does not apply") || row.contains("./dev check") || row.contains("`connectors::fuzz`");
        assert!(!proofs.is_empty() || honest || elsewhere, "no proof, and no word of it: {row}");
        for name in proofs {
            let there = functions.contains(&format!("fn {name}(")) || functions.contains(&format!("mod {name};"));
            assert!(there, "{name} does not exist: {row}");
        }
    }
}
