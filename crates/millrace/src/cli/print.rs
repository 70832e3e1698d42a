//! What is written to the screen: tables for people, JSON for programs.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::operate::{Failure, FailureKind};

/// Where answers go.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// As JSON.
    pub json: bool,
}

impl Printer {
    /// The answer: as JSON, or as the text that `text` makes of it.
    ///
    /// # Errors
    /// When the output is closed or full.
    pub fn answer<T: Serialize>(self, answer: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string_pretty(answer).map_err(|error| {
                Failure::new(FailureKind::Internal, format!("the answer cannot be written: {error}"))
            })?
        } else {
            text(answer)
        };
        write(&text)
    }
}

/// A file that was not there before, and that only its owner may read.
pub struct NewFile {
    file: fs::File,
    path: PathBuf,
}

impl NewFile {
    /// Makes it.
    ///
    /// # Errors
    /// When there is one already, or it cannot be made.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| unwritable(path, &error))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Goes on with these bytes.
    ///
    /// # Errors
    /// When there is no room, say.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| unwritable(&self.path, &error))
    }

    /// It is whole, and stays.
    ///
    /// # Errors
    /// When the disk does not keep it.
    pub fn end(self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Setup, format!("{}: {error}", path.display()))
        .remedy("Choose a file that does not exist, in a folder that may be written.")
}

/// One text and a line end on standard output.
///
/// # Errors
/// When it is closed or full.
pub fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let ended = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{ended}").and_then(|()| out.flush()) {
        // Whoever reads has seen enough: `millrace orders list | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written
            .map_err(|error| Failure::new(FailureKind::Unavailable, format!("the answer cannot be shown: {error}"))),
    }
}

/// A table with these headings.
pub fn table<const N: usize>(headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(headings);
    if !io::stdout().is_terminal() {
        // No terminal to fit into: lines stay whole for whoever reads them.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    let mut empty = true;
    for row in rows {
        empty = false;
        table.add_row(row.map(|cell| clean(&cell)));
    }
    if empty { "nothing".to_owned() } else { table.trim_fmt() }
}

/// Text from outside, without the control characters that could steer a terminal.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A word as it is typed in a shell: a name with spaces or signs in it stands in quotes.
pub fn typed(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.:/@".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", clean(word).replace('\'', "'\\''"))
}

/// Yes or no.
pub fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// A time for people, or nothing.
pub fn time(at: Option<jiff::Timestamp>) -> String {
    at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::typed;

    #[test]
    fn a_word_is_typed_as_the_shell_takes_it() {
        assert_eq!(typed("ord_01abc"), "ord_01abc");
        assert_eq!(typed("Dept. of 3PL"), "'Dept. of 3PL'");
        assert_eq!(typed("it's $HOME"), r"'it'\''s $HOME'");
    }
}
