//! Puts the built browser app (`web/dist`, made by `./dev web`) where the program includes it from.
//!
//! A bundle older than its sources is none: nobody shall ship, or look at, an app that does not fit its program. Without one
//! a debug build carries a page that says how to make it, and a release build fails. `MILLRACE_WEB=none` asks for the page
//! also there, for programs that nobody looks at with a browser. Nothing is written outside `OUT_DIR`.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use flate2::{Compression, write::GzEncoder};

/// What the bundle is made from, beside `web/src`.
const SOURCES: [&str; 8] = [
    "web/src",
    "web/public",
    "web/index.html",
    "web/package.json",
    "web/package-lock.json",
    "web/tsconfig.json",
    "web/vite.config.ts",
    "openapi.json",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=MILLRACE_WEB");
    let without = env::var("MILLRACE_WEB").is_ok_and(|value| value == "none");
    let dist = root.join("web/dist");
    // What is not there counts as changed each time; where nothing of it is wanted, nothing is built anew for it.
    if !without {
        for source in SOURCES.into_iter().chain(["web/dist"]) {
            println!("cargo::rerun-if-changed={}", root.join(source).display());
        }
    }
    let mut table = String::from("static FILES: &[File] = &[\n");
    if !without && is_fresh(&root, &dist)? {
        for path in files(&dist)? {
            let name = path.strip_prefix(&dist)?.to_string_lossy().replace('\\', "/");
            table.push_str(&embed(&out, &name, &fs::read(&path)?)?);
        }
    } else if env::var("PROFILE")? == "release" && !without {
        println!(
            "cargo::error=The browser app (web/dist) is missing or older than its sources: run ./dev web (Node 20.19 or newer), then build again; MILLRACE_WEB=none builds without it."
        );
    } else {
        table.push_str(&embed(&out, "index.html", INSTRUCTIONS.as_bytes())?);
    }
    table.push_str("];\n");
    fs::write(out.join("app_files.rs"), table)?;
    Ok(())
}

/// Whether the bundle is there and no source was changed after it.
fn is_fresh(root: &Path, dist: &Path) -> io::Result<bool> {
    let Ok(made) = fs::metadata(dist.join("index.html")).and_then(|data| data.modified()) else { return Ok(false) };
    for source in SOURCES {
        let source = root.join(source);
        if source.exists() && newest(&source)? > made {
            return Ok(false);
        }
    }
    Ok(true)
}

fn newest(path: &Path) -> io::Result<SystemTime> {
    if path.is_file() {
        return fs::metadata(path)?.modified();
    }
    let mut newest = SystemTime::UNIX_EPOCH;
    for file in files(path)? {
        newest = newest.max(fs::metadata(file)?.modified()?);
    }
    Ok(newest)
}

/// Every file below a folder, in a lasting order. What is generated from other sources is left out.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files(&path)?);
        } else if !path.ends_with("api/schema.d.ts") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Compresses a file into `OUT_DIR`; the line of the table that includes it.
fn embed(out: &Path, name: &str, bytes: &[u8]) -> io::Result<String> {
    let kept = out.join("app").join(format!("{name}.gz"));
    if let Some(folder) = kept.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    fs::write(&kept, encoder.finish()?)?;
    Ok(format!("    File {{ name: {name:?}, gzip: include_bytes!({:?}) }},\n", kept.display().to_string()))
}

/// Shown where the app was not built.
const INSTRUCTIONS: &str = r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Millrace</title></head>
<body>
<h1>Millrace is running</h1>
<p>Its browser app was not built into this program, or was older than its sources. With Node 20.19 or newer:</p>
<pre>./dev web
cargo build</pre>
<p>The API is under <code>/api/v1</code>, and <code>millrace --help</code> lists the commands; both work without the app.</p>
</body>
</html>
"#;
