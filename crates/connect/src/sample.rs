//! A sample file of a warehouse, and how it would be read: what a person sees who describes a layout.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::spec::{Settings, SettingsError};

/// What a sample file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleKind {
    /// What left.
    Shipments,
    /// What is there.
    Stock,
}

/// A file as it came from the warehouse.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// What it holds.
    pub kind: SampleKind,
    /// Its name.
    pub name: &'a str,
    /// Its bytes.
    pub content: &'a [u8],
    /// When it was written: the time of the figures where no column says it.
    pub written_at: Timestamp,
}

/// One row of a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRow {
    /// Line of the file, from 1.
    pub line: u64,
    /// What each field is read from; what is empty is left out.
    pub fields: BTreeMap<String, String>,
    /// Why it is not used, where it is not.
    pub problem: Option<String>,
}

/// How a sample is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Files of this name are taken for what the sample holds.
    pub name_fits: bool,
    /// The titles of its columns, where it has them.
    pub titles: Vec<String>,
    /// Its first rows.
    pub rows: Vec<ShownRow>,
    /// Rows that are not shown.
    pub more_rows: usize,
    /// What it would come to: shipments or figures, one a line.
    pub found: Vec<String>,
    /// What is wrong, with line and column. What is said here is set aside for a person; when nothing was found, the whole file.
    pub problems: Vec<String>,
    /// A made-up order as it would be written.
    pub order: String,
}

/// Shows a sample with the settings of a connector, and how it would write an order. Nothing is sent, and nothing is kept.
pub type Show = fn(&Settings, &Sample<'_>) -> Result<Shown, SettingsError>;
