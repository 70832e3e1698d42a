//! The settings of a warehouse that calls us: what it would otherwise be asked for.

use connect::{CarrierChoice, Field, FieldKind, Settings, SettingsError};

const fn field(name: &'static str, title: &'static str, help: &'static str) -> Field {
    Field { name, title, help, kind: FieldKind::LongText, required: false, default: None }
}

/// The form.
pub(super) static FIELDS: &[Field] = &[
    field(
        "facilities",
        "Facilities",
        "What the warehouse calls its facilities in stock that it posts, one a line. Empty: it has one, and names none.",
    ),
    field(
        "carriers",
        "Carriers",
        "The warehouse's carrier codes, one a line, with its services behind a colon and commas between them, e.g. \
         UPS: Ground, Next day. They are offered when shipping methods are mapped. Empty: any code goes.",
    ),
];

/// What was given, ready to work with.
pub(super) struct Config {
    pub(super) facilities: Vec<String>,
    pub(super) carriers: Vec<CarrierChoice>,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let text = |name: &str| settings.get(FIELDS, name).unwrap_or_default();
        let lines = |text: &str| -> Vec<String> {
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        };
        let facilities = lines(&text("facilities"));
        if let Some(twice) = twice(facilities.iter().map(String::as_str)) {
            return Err(SettingsError::field("facilities", format!("{twice:?} stands there twice: name each once")));
        }
        let mut carriers = Vec::new();
        for line in lines(&text("carriers")) {
            let (carrier, services) = line.split_once(':').unwrap_or((line.as_str(), ""));
            let carrier = carrier.trim().to_owned();
            if carrier.is_empty() {
                return Err(SettingsError::field(
                    "carriers",
                    format!("{line:?} has no carrier before the colon: write e.g. UPS: Ground, Next day"),
                ));
            }
            let services =
                services.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
            carriers.push(CarrierChoice { carrier, services });
        }
        if let Some(twice) = twice(carriers.iter().map(|choice| choice.carrier.as_str())) {
            return Err(SettingsError::field(
                "carriers",
                format!("{twice:?} stands there twice: write all its services in one line"),
            ));
        }
        Ok(Self { facilities, carriers })
    }
}

fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::BTreeSet::new();
    let mut names = names;
    names.find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use connect::{Settings, SettingsError};

    use super::Config;

    fn read(name: &str, value: &str) -> Result<Config, SettingsError> {
        let values = [(name.to_owned(), value.to_owned())].into();
        Config::new(&Settings { values, ..Settings::default() })
    }

    #[test]
    fn lists_are_read_line_by_line() {
        let config = read("carriers", " UPS: Ground, Next day\n\nDPD\n").unwrap();
        let told: Vec<_> = config.carriers.iter().map(|one| (one.carrier.as_str(), one.services.len())).collect();
        assert_eq!(told, [("UPS", 2), ("DPD", 0)]);
        assert_eq!(read("facilities", "East\nWest").unwrap().facilities, ["East", "West"]);
        for (name, value) in [("carriers", ": Ground"), ("carriers", "UPS\nUPS: Ground"), ("facilities", "East\nEast")]
        {
            let problems = read(name, value).err().unwrap().problems;
            assert_eq!(problems.first().map(|(field, _)| field.as_str()), Some(name), "{value:?}");
        }
    }
}
