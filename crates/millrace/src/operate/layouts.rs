//! Describing the layout of a warehouse's files: how a sample would be read, and how an order would be written. Nothing is
//! sent, and nothing is kept.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use connect::{Sample, SampleKind, Settings};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Caller, Failure, Hub, Problem,
    endpoints::{self, Side},
    quoted,
};

/// What a sample file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SampleHolds {
    /// What left.
    Shipments,
    /// What is there.
    Stock,
}

/// A sample file, and the settings it is to be read with.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewIn {
    /// The connector's name; that of `of` where it is not given.
    #[serde(default)]
    pub platform: Option<String>,
    /// Plain settings, over those of `of`. Where files are exchanged does not matter here.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// A warehouse that is kept (name or id), whose settings are used.
    #[serde(default)]
    pub of: Option<String>,
    /// What the file holds.
    pub holds: SampleHolds,
    /// Its name, which tells whether files like it would be read at all.
    pub name: String,
    /// Its bytes in base64, so that any encoding arrives as it is.
    pub content_base64: String,
}

/// One row of a sample.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PreviewRowOut {
    /// Line of the file, from 1.
    pub line: u64,
    /// What each field is read from; what is empty is left out.
    pub fields: BTreeMap<String, String>,
    /// Why it is not used, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a sample is read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PreviewOut {
    /// Files of this name are taken for what the sample holds.
    pub name_fits: bool,
    /// The titles of its columns, or its first row where nothing could be read.
    pub titles: Vec<String>,
    /// Its first rows.
    pub rows: Vec<PreviewRowOut>,
    /// Rows that are not shown.
    pub more_rows: usize,
    /// What it would come to: shipments or figures, one a line.
    pub found: Vec<String>,
    /// What is wrong, with line and column. Where nothing was found the whole file would be set aside, else what is named here.
    pub problems: Vec<String>,
    /// A made-up order as it would be written.
    pub order: String,
}

/// Shows how a sample file would be read.
///
/// # Errors
/// When the caller may not, there is no such warehouse, its files have no layout to describe, or the settings make no sense.
pub async fn preview(hub: &Hub, caller: &Caller, given: PreviewIn) -> Result<PreviewOut, Failure> {
    caller.administers()?;
    let mut values = BTreeMap::new();
    let mut platform = given.platform;
    if let Some(named) = &given.of {
        let found = endpoints::find(hub, caller, Side::Warehouse, named).await?;
        if platform.as_ref().is_some_and(|platform| *platform != found.summary.platform) {
            return Err(Failure::invalid(
                format!("{} is on another platform", quoted(named)),
                vec![Problem::new("of", "name one on the same platform, or none")],
            ));
        }
        platform = Some(found.summary.platform);
        values = found.summary.values;
    }
    values.extend(endpoints::kept(given.settings));
    let platform = platform.ok_or_else(|| {
        Failure::invalid(
            "there is no platform to read it with",
            vec![Problem::new("platform", "name the connector, or a kept warehouse as `of`")],
        )
    })?;
    let spec = endpoints::platform(Side::Warehouse, &platform)?;
    let show = spec.show.ok_or_else(|| {
        let all = connectors::CONNECTORS.iter();
        let names: Vec<&str> = all.filter(|spec| spec.show.is_some()).map(|spec| spec.name).collect();
        Failure::invalid(
            format!("the files of {} have no layout to describe", spec.name),
            vec![Problem::new("platform", format!("choose one of: {}", names.join(", ")))],
        )
    })?;
    let content = STANDARD.decode(given.content_base64.trim()).map_err(|_| {
        Failure::invalid("the file is not in base64", vec![Problem::new("content_base64", "send its bytes in base64")])
    })?;
    let kind = match given.holds {
        SampleHolds::Shipments => SampleKind::Shipments,
        SampleHolds::Stock => SampleKind::Stock,
    };
    let sample = Sample { kind, name: &given.name, content: &content, written_at: hub.seams.clock.now() };
    let shown = show(&Settings { values, ..Settings::default() }, &sample)?;
    Ok(PreviewOut {
        name_fits: shown.name_fits,
        titles: shown.titles,
        rows: shown
            .rows
            .into_iter()
            .map(|row| PreviewRowOut { line: row.line, fields: row.fields, problem: row.problem })
            .collect(),
        more_rows: shown.more_rows,
        found: shown.found,
        problems: shown.problems,
        order: shown.order,
    })
}
