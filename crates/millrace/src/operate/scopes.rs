//! Scopes of API keys: parts of the API that a key is limited to, beside its role, its tenant and perhaps its merchant.

use std::{collections::BTreeSet, fmt, str::FromStr};

use super::{Failure, Problem};

/// The parts of the API that a key can be limited to: the tags of the routes in the OpenAPI document, but for those that no
/// such key opens.
pub const AREAS: [&str; 18] = [
    "activity",
    "alerts",
    "census",
    "configuration",
    "connections",
    "effects",
    "events",
    "exceptions",
    "exports",
    "keys",
    "orders",
    "people",
    "preflight",
    "safety",
    "shipments",
    "stock",
    "tenants",
    "webhooks",
];

/// One scope: `orders:read` looks, `orders:write` also changes, as far as the key's role goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyScope {
    area: &'static str,
    writes: bool,
}

impl FromStr for KeyScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (area, verb) = text.split_once(':').unwrap_or((text, ""));
        let area = AREAS.into_iter().find(|one| *one == area);
        match (area, verb) {
            (Some(area), "read") => Ok(Self { area, writes: false }),
            (Some(area), "write") => Ok(Self { area, writes: true }),
            (Some(area), _) => Err(format!("say {area}:read or {area}:write")),
            (None, _) => Err(format!("give AREA:read or AREA:write, with one of the areas {}", AREAS.join(", "))),
        }
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.area, if self.writes { "write" } else { "read" })
    }
}

/// The scopes of a key, or of whoever else asks. None at all: every area.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyScopes(BTreeSet<KeyScope>);

impl KeyScopes {
    /// As they are given, one text each.
    ///
    /// # Errors
    /// Every text that is no scope, with its place.
    pub fn given(texts: &[String]) -> Result<Self, Failure> {
        let mut scopes = BTreeSet::new();
        let mut problems = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            match text.parse() {
                Ok(scope) => drop(scopes.insert(scope)),
                Err(why) => problems.push(Problem::new(format!("scopes[{place}]"), why)),
            }
        }
        if problems.is_empty() { Ok(Self(scopes)) } else { Err(Failure::invalid("there are no such scopes", problems)) }
    }

    /// As they are kept; `None` where one of them is unknown to this version, so that a key never may more than it was made for.
    pub fn kept(text: &str) -> Option<Self> {
        text.split_whitespace().map(|one| one.parse().ok()).collect::<Option<_>>().map(Self)
    }

    /// Whether a route of this area may be asked to look, or to change something.
    pub fn permit(&self, area: &str, writes: bool) -> bool {
        self.0.is_empty() || self.0.iter().any(|scope| scope.area == area && (scope.writes || !writes))
    }

    /// Whether nothing is permitted by those that is not permitted by these.
    pub fn cover(&self, others: &Self) -> bool {
        self.0.is_empty()
            || (!others.0.is_empty() && others.0.iter().all(|scope| self.permit(scope.area, scope.writes)))
    }

    /// Whether they limit anything.
    pub fn limit(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether any of them changes something.
    pub fn write(&self) -> bool {
        self.0.iter().any(|scope| scope.writes)
    }

    /// One text each, in order.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// As they are kept.
impl fmt::Display for KeyScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.texts().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AREAS, KeyScope, KeyScopes};

    fn scopes() -> impl Strategy<Value = KeyScopes> {
        let one = (0..AREAS.len(), any::<bool>()).prop_map(|(area, writes)| KeyScope { area: AREAS[area], writes });
        proptest::collection::btree_set(one, 0..5).prop_map(KeyScopes)
    }

    fn permitted(scopes: &KeyScopes) -> Vec<(&'static str, bool)> {
        let all = AREAS.into_iter().flat_map(|area| [(area, false), (area, true)]);
        all.filter(|(area, writes)| scopes.permit(area, *writes)).collect()
    }

    proptest! {
        #[test]
        fn what_is_kept_is_what_was_given(scopes in scopes()) {
            prop_assert_eq!(KeyScopes::kept(&scopes.to_string()).unwrap(), scopes.clone());
            prop_assert_eq!(KeyScopes::given(&scopes.texts()).unwrap(), scopes);
        }

        #[test]
        fn they_cover_others_that_permit_nothing_more(one in scopes(), other in scopes()) {
            let (one_may, other_may) = (permitted(&one), permitted(&other));
            prop_assert_eq!(one.cover(&other), other_may.iter().all(|each| one_may.contains(each)));
        }

        #[test]
        fn who_writes_an_area_reads_it(scopes in scopes()) {
            for (area, writes) in permitted(&scopes) {
                prop_assert!(!writes || scopes.permit(area, false));
            }
        }
    }

    #[test]
    fn what_is_no_scope_is_told_with_its_place() {
        let given = ["orders:read", "orders", "order:read", "stock:delete", ""].map(str::to_owned);
        let failure = KeyScopes::given(&given).unwrap_err();
        let places: Vec<&str> = failure.problems.iter().map(|problem| problem.at.as_str()).collect();
        assert_eq!(places, ["scopes[1]", "scopes[2]", "scopes[3]", "scopes[4]"]);
        assert!(failure.problems[0].problem.contains("orders:write"), "{}", failure.problems[0]);
        assert!(KeyScopes::kept("orders:read later:read").is_none());
    }
}
