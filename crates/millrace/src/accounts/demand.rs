//! Whom the operator asks for a second factor.

use clap::ValueEnum;
use serde::Serialize;
use utoipa::ToSchema;

/// Who has to have a second factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactor {
    /// Nobody: each person may set one up.
    #[default]
    Optional,
    /// Administrators, of tenants and of the installation.
    Administrators,
    /// Everybody who signs in.
    Everybody,
}

impl SecondFactor {
    /// Whether it asks somebody who administers, or somebody who does not.
    pub fn asks(self, administers: bool) -> bool {
        match self {
            Self::Optional => false,
            Self::Administrators => administers,
            Self::Everybody => true,
        }
    }
}
